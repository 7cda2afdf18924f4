"""All pairs of hashes within a Hamming radius: complete, in bounded memory.

Few hashes are compared all with all. Many go through multi-index hashing (Norouzi, Punjani & Fleet, CVPR 2012): of sixteen 16-bit
words, two hashes within ``radius`` differ by at most ``radius // 16`` bits in at least one, so that only hashes that nearly
share a word are compared. Equal hashes are collapsed first: they are what makes such tables degenerate on flat art.
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

WORDS = 16
WORD_BITS = 16
BLOCK_PAIRS = 1 << 22  # compared at once: 100 MB
ALL_PAIRS_UP_TO = 6000  # distinct hashes: below it the tables cost more than they save


def pairs_within(hashes: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 32) uint8 → (m, 2) positions i < j, sorted, and their (m,) distances, of every pair at most ``radius`` bits apart."""
    distinct, which = np.unique(hashes, axis=0, return_inverse=True)
    words = np.ascontiguousarray(distinct).view(np.uint64)  # (k, 4)
    small = len(words) <= ALL_PAIRS_UP_TO
    found = list(_all_pairs(words, radius) if small else _indexed_pairs(words, distinct.view(np.uint16), radius))
    left, right = (np.concatenate([part[side] for part in found]) if found else np.empty(0, np.int64) for side in (0, 1))
    if not small:  # a pair may share several words
        left, right = np.divmod(np.unique(left * len(words) + right), max(len(words), 1))
    return _expanded(left, right, which.ravel(), words)


def distances(words: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Hamming distances between rows ``left`` and ``right`` of (k, 4) uint64."""
    return np.bitwise_count(words[left] ^ words[right]).sum(axis=1, dtype=np.int64)


def _all_pairs(words: np.ndarray, radius: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rows = max(1, BLOCK_PAIRS // max(len(words), 1) // 4)
    for start in range(0, len(words), rows):
        apart = np.bitwise_count(words[start:start + rows, None] ^ words[None, start:]).sum(axis=2, dtype=np.uint16)  # (rows, k - start)
        left, right = np.nonzero(apart <= radius)
        above = right > left
        yield left[above] + start, right[above] + start


def _indexed_pairs(words: np.ndarray, short: np.ndarray, radius: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """``short``: (k, 16) uint16, the same bits."""
    masks = [sum(1 << bit for bit in bits) for n in range(radius // WORDS + 1) for bits in combinations(range(WORD_BITS), n)]
    for position in range(WORDS):
        order = np.argsort(short[:, position], kind="stable")
        counts = np.bincount(short[:, position], minlength=1 << WORD_BITS)
        starts = np.concatenate([[0], counts.cumsum()[:-1]])
        present = np.flatnonzero(counts)
        for mask in masks:
            other = present ^ mask
            use = (counts[other] > 0) & ((other > present) if mask else (counts[present] > 1))
            yield from _bucket_pairs(words, order, starts, counts, present[use], other[use], radius)


def _bucket_pairs(words: np.ndarray, order: np.ndarray, starts: np.ndarray, counts: np.ndarray, one: np.ndarray, two: np.ndarray,
                  radius: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Near pairs with a member in bucket ``one[b]`` and the other in bucket ``two[b]``, for all b."""
    sizes = counts[one] * counts[two]
    ends = sizes.cumsum()
    total = int(ends[-1]) if len(ends) else 0
    for low in range(0, total, BLOCK_PAIRS):
        at = np.arange(low, min(low + BLOCK_PAIRS, total))
        bucket = np.searchsorted(ends, at, side="right")
        row, column = np.divmod(at - (ends[bucket] - sizes[bucket]), counts[two[bucket]])
        left, right = order[starts[one[bucket]] + row], order[starts[two[bucket]] + column]
        near = (left != right) & (distances(words, left, right) <= radius)
        left, right = left[near], right[near]
        yield np.minimum(left, right), np.maximum(left, right)


def _expanded(left: np.ndarray, right: np.ndarray, which: np.ndarray, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of distinct hashes → pairs of all their owners, and the pairs inside each owner list (distance 0)."""
    order = np.argsort(which, kind="stable")
    counts = np.bincount(which, minlength=len(words))
    starts = np.concatenate([[0], counts.cumsum()[:-1]]) if len(counts) else counts
    several = np.flatnonzero(counts > 1)
    one, two = np.concatenate([left, several]), np.concatenate([right, several])
    apart = np.concatenate([distances(words, left, right), np.zeros(len(several), np.int64)])
    sizes = counts[one] * counts[two]
    pair = np.repeat(np.arange(len(one)), sizes)
    offset = np.arange(len(pair)) - np.repeat(sizes.cumsum() - sizes, sizes)
    row, column = np.divmod(offset, counts[two[pair]])
    i, j = order[starts[one[pair]] + row], order[starts[two[pair]] + column]
    once = (one[pair] != two[pair]) | (i < j)
    i, j, apart = np.minimum(i, j)[once], np.maximum(i, j)[once], apart[pair][once]
    sort = np.lexsort((j, i))
    return np.stack([i, j], axis=1)[sort], apart[sort]
