"""The same picture twice: found by hash, proven on the tiles, grouped without chains.

Candidates are all pairs of 256-bit hashes within a radius (`cleaning.hamming`; no pair is missed). A hash of flat art says little,
so each picture's most alike candidates are laid over it and compared (`cleaning.registration`). What stays doubtful is looked at again at
twice the side, from the files: pairs that differ in one place, and crowds of lookalikes (a font's letters, 400 ring-shaped stars), where a
pair must also be much closer than either is to anything else. Pictures that differ in one of 40 lines are as alike, on tiles, as a
picture and its own copy at half size.

Two groupings come out. *Leak groups* are connected components: whatever is linked by any chain of proven pairs goes to one
fold. *Duplicate groups* are stars: every member was itself proven against the one that is kept, so that a ~ b ~ c does not
throw c away for the sake of a.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cleaning.hamming import pairs_within
from cleaning.registration import closely_compared, compared, prepared
from features.framing import framed, framing_of
from features.hashes import HASH_PX, perceptual_hash
from features.processes import in_processes, one_thread

RADIUS = 26  # of 256 bits
TURNS = ("", "turned by 90°", "turned by 180°", "turned by 270°", "mirrored", "mirrored and turned by 90°", "mirrored and turned by 180°",
         "mirrored and turned by 270°")
MIN_MASS = 0.1  # gray levels of mean difference from the paper: below it a picture is empty and never compared
MAX_ASPECT_STEP, ASPECT_STEP_PX = 0.03, 2.0  # between the logarithms of two contents' shapes; and so many px of the smaller one
MAX_MEAN_STEP = 12.0  # gray levels between two framed tiles' mean colours
SKETCH_PX = 48
MOST_ALIKE, MIN_LIKENESS = 10, 0.5  # candidates of a picture that are laid over it, and how alike their sketches must be
MIN_SIDE_PX, MAX_SIDE_PX = 16, 96  # at which tiles are compared
CONTENT_PER_SIDE = 1.3  # px of the smaller content for one px of the comparison
CHUNK_PAIRS = 250
KEPT_PICTURES = 64  # prepared ones in a worker's memory, up to 3 MB each
MAX_DIFFERENCE = 0.04  # 1 - correlation
MAX_WORST_PLACE = 0.3
MAX_CONCENTRATION = 60.0  # of the worst place to the difference: copies differ everywhere a little, variants in one place
MAX_EXCESS = 55.0  # gray levels
COARSE_PX, COARSE_FACTOR = 64, 1.5  # in pictures of fewer pixels difference and excess may be so much larger, by their sampling
EQUAL_MAX_DIFFERENCE = 0.1  # above it nobody looks whether all pixels are equal
TINY_PX, TINY_MAX_DIFFERENCE = 20, 0.005  # so few pixels show little of what is drawn: copies must be all but equal
CROWD, CROWD_DIFFERENCE = 6, 0.05  # more lookalikes than this, within this difference
CLEAR_WORST_PLACE, CLEAR_EXCESS = 0.15, 45.0  # from here on a pair is doubtful
CLOSE_TILE_PX = 256
CLOSE_MAX_SIDE_PX, CLOSE_CONTENT_PER_SIDE = 232, 1.1
CLOSE_ALIKE = 6  # candidates of a picture in a crowd that are looked at again
DOUBTFUL_MAX_DIFFERENCE, DOUBTFUL_MAX_EXCESS = 0.07, 50.0
CROWDED_MAX_DIFFERENCE, CROWDED_RATIO = 0.015, 0.6  # the second to the next most alike picture


@dataclass(frozen=True)
class Proven:
    """Pairs of positions that show the same: ``pairs`` (m, 2) with i < j, ``similarity`` (m,) in [0, 1], ``turn`` (m,) of `TURNS`."""

    pairs: np.ndarray
    similarity: np.ndarray
    turn: np.ndarray


@dataclass(frozen=True)
class Pictures:
    """n different files. ``hashes`` (n, 32) uint8; ``tiles`` (N, 128, 128, 3) uint8, often a memory map, of which ``rows`` (n,) are theirs;
    ``content_px`` (n,): the longer side of the content in the file; ``look``: position → its tile at `CLOSE_TILE_PX`, called for doubtful
    pairs only, in a worker process; ``shape`` (n,): mode, width and height as one value; ``pixel_digest``: position → digest of all its pixels,
    called for alike pictures of one shape only."""

    hashes: np.ndarray
    tiles: np.ndarray
    rows: np.ndarray
    content_px: np.ndarray
    look: Callable[[int], np.ndarray]
    shape: np.ndarray
    pixel_digest: Callable[[int], str]

    def tile(self, position: int) -> np.ndarray:
        """(128, 128, 3) uint8."""
        return _stored(self.tiles, self.rows, position)


def proven_pairs(pictures: Pictures, radius: int = RADIUS, max_difference: float = MAX_DIFFERENCE, turned: bool = False, jobs: int = 1,
                 progress: Callable[[int, int], None] | None = None) -> Proven:
    """Every pair of n different pictures that show the same; with ``turned`` also those that do when one is mirrored or turned."""
    pairs, _ = pairs_within(pictures.hashes, radius)
    proven = _proven(pictures, pairs, np.zeros(len(pairs), int), max_difference, jobs, progress)
    if not turned:
        return proven
    pairs, turn = _turned_pairs(pictures, radius)
    again = _proven(pictures, pairs, turn, max_difference, jobs, progress)
    new = ~np.isin(again.pairs @ [len(pictures.rows), 1], proven.pairs @ [len(pictures.rows), 1])
    return Proven(*(np.concatenate([x, y[new]]) for x, y in ((proven.pairs, again.pairs), (proven.similarity, again.similarity),
                                                             (proven.turn, again.turn))))


def turned_picture(pixels: np.ndarray, turn: int) -> np.ndarray:
    """Square pixels mirrored left to right where ``turn`` is 4 or more, then turned counter-clockwise ``turn % 4`` times."""
    return np.ascontiguousarray(np.rot90(pixels[:, ::-1] if turn >= 4 else pixels, turn % 4))


def leak_groups(n: int, pairs: np.ndarray) -> np.ndarray:
    """(n,) component numbers of n pictures linked by ``pairs`` (m, 2)."""
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return connected_components(links, directed=False)[1]


def stars(n: int, pairs: np.ndarray, similarity: np.ndarray, order: np.ndarray) -> np.ndarray:
    """(n,): for each picture the one that stands for it; those that stand for themselves are kept.

    ``order``: positions, best first. A picture joins the most similar of the better pictures that stand for themselves
    and to which it is linked; where there is none it stands for itself.
    """
    neighbours: list[list[tuple[int, float]]] = [[] for _ in range(n)]
    for (i, j), s in zip(pairs.tolist(), similarity.tolist(), strict=True):
        neighbours[i].append((j, s))
        neighbours[j].append((i, s))
    rank = np.empty(n, int)
    rank[order] = np.arange(n)
    stands = np.full(n, -1)
    for i in order.tolist():
        heads = [(s, -rank[j], j) for j, s in neighbours[i] if stands[j] == j]
        stands[i] = max(heads)[2] if heads else i
    return stands


def _turned_pairs(pictures: Pictures, radius: int) -> tuple[np.ndarray, np.ndarray]:
    """Candidates (m, 2) and how the second of each is turned; a pair may come with several turns."""
    n = len(pictures.rows)
    pairs, turns = [], []
    halves = [cv2.resize(pictures.tile(k), (HASH_PX, HASH_PX), interpolation=cv2.INTER_AREA) for k in range(n)]
    for turn in range(1, len(TURNS)):
        hashes = [perceptual_hash(turned_picture(half, turn)) for half in halves]
        found, _ = pairs_within(np.concatenate([pictures.hashes, np.array(hashes)]), radius)
        across = found[(found[:, 0] < n) & (found[:, 1] >= n)] - [0, n]
        pairs.append(across[across[:, 0] < across[:, 1]])
        turns.append(np.full(len(pairs[-1]), turn))
    return np.concatenate(pairs), np.concatenate(turns)


def _proven(pictures: Pictures, pairs: np.ndarray, turn: np.ndarray, max_difference: float, jobs: int,
            progress: Callable[[int, int], None] | None) -> Proven:
    """Which candidates (m, 2), the second of each turned by ``turn`` (m,), show the same."""
    n = len(pictures.rows)
    pairs, turn = _most_alike(pictures, pairs, turn)
    side = np.clip(pictures.content_px / CONTENT_PER_SIDE, MIN_SIDE_PX, MAX_SIDE_PX).astype(int)[pairs].min(axis=1)
    seen = partial(_stored, pictures.tiles, pictures.rows)
    difference, worst, excess = _compared(compared, seen, pairs, turn, side, jobs, progress).reshape(-1, 3).T
    slack = np.where(side < COARSE_PX, COARSE_FACTOR, 1.0)
    allowed = np.where(side < TINY_PX, min(TINY_MAX_DIFFERENCE, max_difference), slack * max_difference)
    one_place = (worst > CLEAR_WORST_PLACE) & (worst > MAX_CONCENTRATION * difference)
    same = (difference <= allowed) & (worst <= MAX_WORST_PLACE) & (excess <= slack * MAX_EXCESS) & ~one_place
    crowd = np.bincount(pairs[difference <= CROWD_DIFFERENCE].ravel(), minlength=n) > CROWD
    crowded = crowd[pairs].any(axis=1)
    likeliest = _ranked(pairs, np.where(same & crowded, difference, np.inf)) < CLOSE_ALIKE
    close = np.flatnonzero(same & np.where(crowded, likeliest, (worst > CLEAR_WORST_PLACE) | (excess > CLEAR_EXCESS)))
    same &= ~crowded
    side = np.clip(pictures.content_px / CLOSE_CONTENT_PER_SIDE, MIN_SIDE_PX, CLOSE_MAX_SIDE_PX).astype(int)[pairs[close]].min(axis=1)
    again, excess = _compared(closely_compared, pictures.look, pairs[close], turn[close], side, jobs, progress).reshape(-1, 2).T
    difference[close] = again
    stands_out = (again <= CROWDED_MAX_DIFFERENCE) & (again <= CROWDED_RATIO * _next_difference(pairs[close], again, n))
    same[close] = np.where(crowded[close], stands_out, (again <= DOUBTFUL_MAX_DIFFERENCE) & (excess <= DOUBTFUL_MAX_EXCESS))
    maybe = np.flatnonzero(~same & (turn == 0) & (difference <= EQUAL_MAX_DIFFERENCE))
    equal = maybe[_equal(pictures, pairs[maybe])]
    same[equal], difference[equal] = True, 0
    return Proven(pairs[same], 1 - np.maximum(difference[same], 0), turn[same])


def _most_alike(pictures: Pictures, pairs: np.ndarray, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of like shape and colour in which one is among the other's `MOST_ALIKE` by the fine structure of small framed tiles, each
    pair once, as it is most alike; and their turns."""
    ends = np.stack([pairs[:, 0] * len(TURNS), pairs[:, 1] * len(TURNS) + turn], axis=1)
    used, place = np.unique(ends, return_inverse=True)
    sketches = np.empty((len(used), SKETCH_PX**2), np.float16)
    means, aspect, mass = np.empty((len(used), 3)), np.empty(len(used)), np.empty(len(used))
    for k, (position, turned) in enumerate(zip(*np.divmod(used, len(TURNS)), strict=True)):
        tile = turned_picture(pictures.tile(int(position)), int(turned))
        framing = framing_of(tile)
        drawn = framed(tile, framing, len(tile))
        means[k], aspect[k], mass[k] = cv2.mean(drawn)[:3], np.log(framing.spread_x / framing.spread_y), framing.mass
        sketches[k] = _sketch(cv2.resize(cv2.cvtColor(drawn, cv2.COLOR_RGB2GRAY), (SKETCH_PX, SKETCH_PX), interpolation=cv2.INTER_AREA))
    left, right = place.reshape(-1, 2).T
    likeness = _correlations(sketches, left, right)
    likely = ((np.abs(means[left] - means[right]).max(axis=1) <= MAX_MEAN_STEP) & (likeness >= MIN_LIKENESS)
              & (np.abs(aspect[left] - aspect[right]) <= MAX_ASPECT_STEP + ASPECT_STEP_PX / pictures.content_px[pairs].min(axis=1))
              & (np.minimum(mass[left], mass[right]) >= MIN_MASS))
    order = np.flatnonzero(likely)[np.argsort(-likeness[likely], kind="stable")]
    order = np.sort(order[np.unique(pairs[order], axis=0, return_index=True)[1]])
    pairs, turn, likeness = pairs[order], turn[order], likeness[order]
    chosen = _ranked(pairs, -likeness) < MOST_ALIKE
    return pairs[chosen], turn[chosen]


def _sketch(small: np.ndarray) -> np.ndarray:
    """A small picture's fine structure as a vector of length 1."""
    values = small.astype(np.float32)
    fine = (values - cv2.GaussianBlur(values, (0, 0), 1.5)).ravel()
    return fine / max(float(np.linalg.norm(fine)), 1e-3)


def _correlations(sketches: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(m,) float32 products of rows ``left`` and ``right``."""
    found = np.empty(len(left), np.float32)
    for start in range(0, len(left), 4096):
        part = slice(start, start + 4096)
        found[part] = np.einsum("ij,ij->i", sketches[left[part]].astype(np.float32), sketches[right[part]].astype(np.float32))
    return found


def _ranked(pairs: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """(m,) how many pairs of smaller distance the two have, whichever has fewer."""
    order = np.argsort(distance, kind="stable")
    rank = np.empty(len(pairs), int)
    ends = pairs[order].ravel()  # a picture may be first in one pair and second in another
    rank[order] = _rank_within(ends).reshape(-1, 2).min(axis=1)
    return rank


def _rank_within(owners: np.ndarray) -> np.ndarray:
    """How many earlier entries have the same owner."""
    order = np.argsort(owners, kind="stable")
    ordered = owners[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(owners) else np.empty(0, int)
    rank = np.empty(len(owners), int)
    rank[order] = np.arange(len(owners)) - np.repeat(first, np.diff(np.r_[first, len(owners)]))
    return rank


def _equal(pictures: Pictures, pairs: np.ndarray) -> np.ndarray:
    """(m,) bool: the same pixels, whatever the format; JPEG and PNG are not decoded at one scale, so that tiles of equal pixels may differ."""
    digest = lru_cache(None)(pictures.pixel_digest)
    one_shape = pictures.shape[pairs[:, 0]] == pictures.shape[pairs[:, 1]]
    return np.array([alike and digest(i) == digest(j) for (i, j), alike in zip(pairs.tolist(), one_shape.tolist(), strict=True)], bool)


def _compared(figures: Callable, look: Callable[[int], np.ndarray], pairs: np.ndarray, turn: np.ndarray, side: np.ndarray, jobs: int,
              progress: Callable[[int, int], None] | None) -> np.ndarray:
    """(m, …) ``figures`` of pairs of positions, the second turned, at (m,) sides; the same for any number of ``jobs``."""
    chunks = [slice(start, start + CHUNK_PAIRS) for start in range(0, len(pairs), CHUNK_PAIRS)]
    parts = []
    for part in in_processes(_compared_chunk, [(figures, look, pairs[chunk], turn[chunk], side[chunk]) for chunk in chunks], jobs):
        parts.append(part)
        if progress:
            progress(sum(map(len, parts)), len(pairs))
    return np.concatenate(parts) if parts else np.empty(0)


def _compared_chunk(figures: Callable, look: Callable[[int], np.ndarray], pairs: np.ndarray, turns: np.ndarray, sides: np.ndarray) -> np.ndarray:
    cv2.setNumThreads(1)
    seen = lru_cache(KEPT_PICTURES)(look)
    at = lru_cache(KEPT_PICTURES)(lambda position, turn, side_px: prepared(turned_picture(seen(position), turn), side_px))
    with one_thread():
        return np.array([figures(at(i, 0, side), at(j, turn, side))
                         for (i, j), turn, side in zip(pairs.tolist(), turns.tolist(), sides.tolist(), strict=True)])


def _stored(tiles: np.ndarray, rows: np.ndarray, position: int) -> np.ndarray:
    """`Pictures.tile` for a worker, which need not be sent all the rest."""
    return tiles[rows[position]]


def _next_difference(pairs: np.ndarray, difference: np.ndarray, n: int) -> np.ndarray:
    """(m,) the smallest difference that either of a pair's two pictures has to any third one."""
    nearest = np.full((n, 2), np.inf)  # the two smallest of each picture
    for k in np.argsort(difference, kind="stable").tolist():
        for i in pairs[k].tolist():
            if np.isinf(nearest[i, 1]):
                nearest[i, int(not np.isinf(nearest[i, 0]))] = difference[k]
    return np.where(difference[:, None] <= nearest[pairs, 0], nearest[pairs, 1], nearest[pairs, 0]).min(axis=1)
