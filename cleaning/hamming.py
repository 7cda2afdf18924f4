"""All pairs of hashes within a Hamming radius: complete, in memory bounded by the answer.

Every hash is compared with every other, in blocks that stay in the processor's cache. Multi-index hashing (Norouzi, Punjani &
Fleet, CVPR 2012) compares fewer pairs where the hashes' words are spread evenly. Those of drawings are not: a drawing is flat in
many places, so that a third of all hashes can share a word, and such tables then hold more candidates than there are pairs.
Figures: docs/lab-notes.md.
"""

from collections.abc import Iterator

import numpy as np

BLOCK_ROWS = 16
BLOCK_COLUMNS = 4096  # with 16 rows of 8 bytes: 512 KiB, in the cache of one core


def pairs_within(hashes: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, b) uint8, b a multiple of 8 → (m, 2) positions i < j, sorted, and their (m,) distances, of every pair at most ``radius`` bits apart."""
    words = np.ascontiguousarray(np.ascontiguousarray(hashes).view(np.uint64).T)  # (b / 8, n)
    found = list(_pairs_by_rows(words, radius))
    pairs = np.empty((sum(len(part[0]) for part in found), 2), np.int32)
    apart = np.empty(len(pairs), np.uint16)
    end = len(pairs)
    while found:  # each part is let go as soon as it is copied
        left, right, distance = found.pop()
        own = slice(end - len(left), end)
        pairs[own, 0], pairs[own, 1], apart[own] = left, right, distance
        end = own.start
    return pairs, apart


def _pairs_by_rows(words: np.ndarray, radius: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For `BLOCK_ROWS` of (w, n) hashes at a time: their pairs with later ones, in order, as left, right, distance."""
    block = _Block()
    for top in range(0, words.shape[1], BLOCK_ROWS):
        rows = words[:, top:top + BLOCK_ROWS]
        found = [block.near(rows, words[:, start:start + BLOCK_COLUMNS], radius) + np.array([[top], [start], [0]])
                 for start in range(top, words.shape[1], BLOCK_COLUMNS)]
        left, right, apart = np.concatenate(found, axis=1)
        order = np.argsort(left, kind="stable")
        order = order[right[order] > left[order]]
        yield left[order].astype(np.int32), right[order].astype(np.int32), apart[order].astype(np.uint16)


class _Block:
    """Room for one comparison of `BLOCK_ROWS` with `BLOCK_COLUMNS`: arrays made anew for each would take several times as long."""

    def __init__(self) -> None:
        self.differing, self.count, self.apart, self.is_near = (
            np.empty((BLOCK_ROWS, BLOCK_COLUMNS), kind) for kind in (np.uint64, np.uint8, np.uint16, bool))

    def near(self, rows: np.ndarray, columns: np.ndarray, radius: int) -> np.ndarray:
        """(w, r) and (w, c) uint64 → (3, m): row, column and distance of the near ones, by row."""
        here = (slice(rows.shape[1]), slice(columns.shape[1]))
        differing, count, apart, is_near = (room[here] for room in (self.differing, self.count, self.apart, self.is_near))
        apart[:] = 0
        for one, two in zip(rows, columns, strict=True):
            np.add(apart, np.bitwise_count(np.bitwise_xor(one[:, None], two, out=differing), out=count), out=apart)
            if apart.min() > radius:  # of scattered hashes nearly every block ends here, after half of the words
                return np.empty((3, 0), int)
        row, column = np.divmod(np.flatnonzero(np.less_equal(apart, radius, out=is_near)), columns.shape[1])
        return np.stack([row, column, apart[row, column]])
