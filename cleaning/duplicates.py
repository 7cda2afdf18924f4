"""The same picture twice: found by hash, proven on the tiles, grouped without chains.

Candidates are all pairs of 256-bit hashes within a radius (`cleaning.hamming`; no pair is missed). A hash of flat art says little,
so each picture's most alike candidates are laid over it (scale and shift, Baker & Matthews 2004) and compared three ways, at the
resolution that both files have: correlation of the fine structure, the worst place of it, and what one shows that the other has
nowhere near. In a crowd of lookalikes (a font's letters, 400 ring-shaped stars) a pair must also be much closer than either is
to anything else.

Two groupings come out. *Leak groups* are connected components: whatever is linked by any chain of proven pairs goes to one
fold. *Duplicate groups* are stars: every member was itself proven against the one that is kept, so that a ~ b ~ c does not
throw c away for the sake of a.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import joblib
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cleaning.hamming import pairs_within
from features.tile import TILE_PX

RADIUS = 31  # of 256 bits
MAX_ASPECT_RATIO = 1.25  # between the shapes of two contents
MAX_MEAN_STEP = 12.0  # gray levels between two tiles' mean colours
MOST_ALIKE = 16  # candidates of a picture that are laid over it, by each of two sketches
COARSE_SKETCH_PX, COARSE_LIKENESS = 16, 0.5
FINER_SKETCH_PX, FINER_LIKENESS = 32, 0.3
LEVEL_WEIGHT = 0.02  # likeness lost by a gray level between the means
MIN_SIDE_PX, MAX_SIDE_PX = 16, 96
MAX_SCALE, MAX_SHIFT = 0.08, 0.06  # of a registration: relative, and as a share of the side
STEPS = 10
FRAME_PX = 4
GOOD_DIFFERENCE = 0.001  # nothing better is looked for below it
CHUNK_PAIRS = 500
KEPT_TILES = 256  # prepared ones in a worker's memory, 0.6 MB each
MAX_DIFFERENCE = 0.04  # 1 - correlation
COARSE_PX, COARSE_FACTOR = 48, 1.5  # pictures of so few pixels correlate less, by their sampling
MAX_WORST_PLACE = 0.3
MAX_EXCESS = 55.0  # gray levels
CROWD = 6  # lookalikes within CROWD_DIFFERENCE from here on
CROWD_DIFFERENCE = 0.05
CROWD_MAX_DIFFERENCE = 0.01
CROWD_RATIO = 0.8


@dataclass(frozen=True)
class Proven:
    """Pairs of positions that show the same: ``pairs`` (m, 2) with i < j, and ``similarity`` (m,) in [0, 1]."""

    pairs: np.ndarray
    similarity: np.ndarray


@dataclass(frozen=True)
class _Prepared:
    """One tile at one side: ``rgb`` (s, s, 3) uint8, ``fine`` its fine structure, and what registration needs of it."""

    rgb: np.ndarray
    fine: np.ndarray
    gray: np.ndarray
    slopes: np.ndarray  # (4, s * s): what a step in scale x, shift x, scale y, shift y changes
    inverse: np.ndarray  # (4, 4)


def proven_pairs(hashes: np.ndarray, tiles: np.ndarray, rows: np.ndarray, content_px: np.ndarray, log_aspect: np.ndarray, radius: int = RADIUS,
                 max_difference: float = MAX_DIFFERENCE, jobs: int = 1, progress: Callable[[int, int], None] | None = None) -> Proven:
    """Every pair of n different pictures that show the same.

    ``hashes`` (n, 32) uint8; ``tiles`` (N, 128, 128, 3) uint8, often a memory map, of which ``rows`` (n,) are these pictures';
    ``content_px`` (n,): the longer side of the content in the file, 0 for a picture without content, which is never compared;
    ``log_aspect`` (n,): of the content.
    """
    able = np.flatnonzero(content_px > 0)
    pairs, _ = pairs_within(hashes[able], radius)
    pairs = able[pairs]
    pairs = pairs[np.abs(log_aspect[pairs[:, 0]] - log_aspect[pairs[:, 1]]) <= np.log(MAX_ASPECT_RATIO)]
    pairs = _most_alike(pairs, tiles, rows)
    side = np.clip(content_px / 1.3, MIN_SIDE_PX, MAX_SIDE_PX).astype(int)[pairs].min(axis=1)
    difference, worst, excess = _compared(tiles, rows[pairs], side, jobs, progress).T
    allowed = np.where(side < COARSE_PX, COARSE_FACTOR, 1.0) * max_difference
    same = (difference <= allowed) & (worst <= MAX_WORST_PLACE) & (excess <= MAX_EXCESS) & _stands_out(pairs, difference, len(hashes))
    return Proven(pairs[same], 1 - np.maximum(difference[same], 0))


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


def _most_alike(pairs: np.ndarray, tiles: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The pairs in which one is among the other's `MOST_ALIKE` by the fine structure of small framed tiles, coarse or less coarse."""
    used = np.unique(pairs)
    place = np.zeros(len(rows), int)
    place[used] = np.arange(len(used))
    coarse = np.empty((len(used), COARSE_SKETCH_PX**2 * 3), np.float16)
    finer = np.empty((len(used), FINER_SKETCH_PX**2), np.float16)
    means = np.empty((len(used), 3), np.float32)
    for k, position in enumerate(used.tolist()):
        framed = _framed(tiles[rows[position]])
        means[k] = cv2.mean(framed)[:3]
        coarse[k] = _sketch(cv2.resize(framed, (COARSE_SKETCH_PX, COARSE_SKETCH_PX), interpolation=cv2.INTER_AREA))
        finer[k] = _sketch(cv2.resize(cv2.cvtColor(framed, cv2.COLOR_RGB2GRAY), (FINER_SKETCH_PX, FINER_SKETCH_PX), interpolation=cv2.INTER_AREA))
    left, right = place[pairs[:, 0]], place[pairs[:, 1]]
    apart = np.abs(means[left] - means[right]).max(axis=1)
    likely = apart <= MAX_MEAN_STEP
    chosen = np.zeros(len(pairs), bool)
    for sketches, least in ((coarse, COARSE_LIKENESS), (finer, FINER_LIKENESS)):
        likeness = _correlations(sketches, left, right)
        order = np.argsort(apart * LEVEL_WEIGHT - likeness, kind="stable")
        order = order[(likely & (likeness >= least))[order]]
        rank = np.minimum(*(_rank_within(pairs[order, side]) for side in (0, 1)))
        chosen[order[rank < MOST_ALIKE]] = True
    return pairs[chosen]


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


def _rank_within(owners: np.ndarray) -> np.ndarray:
    """How many earlier entries have the same owner."""
    order = np.argsort(owners, kind="stable")
    ordered = owners[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(owners) else np.empty(0, int)
    rank = np.empty(len(owners), int)
    rank[order] = np.arange(len(owners)) - np.repeat(first, np.diff(np.r_[first, len(owners)]))
    return rank


def _compared(tiles: np.ndarray, pairs: np.ndarray, side: np.ndarray, jobs: int, progress: Callable[[int, int], None] | None) -> np.ndarray:
    """(m, 3) `_compare` of pairs of rows of ``tiles``, at (m,) sides; the same for any number of ``jobs``."""
    chunks = [slice(start, start + CHUNK_PAIRS) for start in range(0, len(pairs), CHUNK_PAIRS)]
    parts = []
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        run = joblib.Parallel(n_jobs=jobs if len(chunks) > 1 else 1, return_as="generator", batch_size=1)
        for part in run(joblib.delayed(_compared_chunk)(tiles, pairs[chunk], side[chunk]) for chunk in chunks):
            parts.append(part)
            if progress:
                progress(sum(map(len, parts)), len(pairs))
    return np.concatenate(parts) if parts else np.empty((0, 3))


def _compared_chunk(tiles: np.ndarray, pairs: np.ndarray, sides: np.ndarray) -> np.ndarray:
    cv2.setNumThreads(1)
    prepared: dict[tuple[int, int], list[_Prepared]] = {}

    def at(row: int, side_px: int) -> list[_Prepared]:
        if (row, side_px) not in prepared:
            if len(prepared) >= KEPT_TILES:
                prepared.clear()
            prepared[row, side_px] = _prepare(tiles[row], side_px)
        return prepared[row, side_px]

    return np.array([_compare(at(i, side), at(j, side)) for (i, j), side in zip(pairs.tolist(), sides.tolist(), strict=True)])


def _prepare(tile: np.ndarray, side_px: int) -> list[_Prepared]:
    """The tile at ``side_px``, framed by its content and as it is."""
    return [_for_registration(cv2.resize(rgb, (side_px, side_px), interpolation=cv2.INTER_AREA) if side_px < TILE_PX else rgb)
            for rgb in (_framed(tile), tile)]


def _for_registration(rgb: np.ndarray) -> _Prepared:
    gray = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (0, 0), 1.2).astype(np.float32)
    dx, dy = cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=3) / 8, cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=3) / 8
    from_middle = np.arange(len(rgb), dtype=np.float32) - (len(rgb) - 1) / 2
    slopes = np.stack([(dx * from_middle).ravel(), dx.ravel(), (dy * from_middle[:, None]).ravel(), dy.ravel()])
    damping = np.diag([50.0, 0.5, 50.0, 0.5])  # a picture without slopes stays where it is
    return _Prepared(rgb, _fine(rgb), gray, slopes, np.linalg.inv(slopes @ slopes.T + damping))


def _framed(tile: np.ndarray) -> np.ndarray:
    """The tile stretched so that its content ends `FRAME_PX` from every side: trimming is off by a few pixels in a copy, this is not."""
    corner = np.median(tile[[0, 0, -1, -1], [0, -1, 0, -1]].astype(np.int16), axis=0)
    strength = np.abs(tile.astype(np.int16) - corner).max(axis=2)
    wanted = len(tile) - 1 - 2 * FRAME_PX
    warp = np.zeros((2, 3))
    for axis in (0, 1):
        profile = strength.max(axis=axis).astype(float)
        first, last = _first_crossing(profile), len(profile) - 1 - _first_crossing(profile[::-1])
        scale = max(last - first, 1.0) / wanted
        warp[axis, axis], warp[axis, 2] = scale, first - scale * FRAME_PX
    return cv2.warpAffine(tile, warp, tile.shape[1::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)


def _first_crossing(profile: np.ndarray) -> float:
    """Where, between pixels, a profile first passes half its height."""
    half = profile.max() / 2
    at = int(np.argmax(profile >= half))
    if at == 0 or half == 0:
        return 0.0
    return at - (profile[at] - half) / max(profile[at] - profile[at - 1], 1e-6)


def _fine(rgb: np.ndarray) -> np.ndarray:
    """(s, s, 3) float32: between the finest detail, which differs by sampling, and broad areas, in which all drawings are alike."""
    smooth = cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), 0.8)
    return smooth - cv2.GaussianBlur(smooth, (0, 0), 3)


def _compare(one: list[_Prepared], two: list[_Prepared]) -> tuple[float, float, float]:
    """1 - correlation of the fine structures, its worst place, and the `_excess`: the best of framed, as they are, and laid over each other."""
    best, excess = (2.0, 2.0), 255.0
    for a, b in zip(one, two, strict=True):
        for rgb, fine in _placements(a, b):
            figures = _unlikeness(a.fine, fine)
            if figures < best:
                best, excess = figures, _excess(a.rgb, rgb)
            if best[0] <= GOOD_DIFFERENCE:
                return (*best, excess)
    return (*best, excess)


def _placements(one: _Prepared, two: _Prepared) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """``two`` as it lies, then laid over ``one`` where that can be done: pixels and fine structure."""
    yield two.rgb, two.fine
    laid = _laid_over(one, two)
    if laid is not None:
        yield laid, _fine(laid)


def _laid_over(one: _Prepared, two: _Prepared) -> np.ndarray | None:
    """``two`` scaled and shifted onto ``one``; None where that leads away."""
    side = len(one.gray)
    move = np.array([1.0, 0.0, 1.0, 0.0])  # scale x, shift x, scale y, shift y
    for _ in range(STEPS):
        step = one.inverse @ (one.slopes @ (_moved(two.gray, move) - one.gray).ravel())
        scale = 1 / (1 + step[[0, 2]])
        move[[1, 3]] -= move[[0, 2]] * scale * step[[1, 3]]
        move[[0, 2]] *= scale
        if np.abs(move[[0, 2]] - 1).max() > MAX_SCALE or np.abs(move[[1, 3]]).max() > MAX_SHIFT * side:
            return None
        if np.abs(step[[1, 3]]).max() < 0.02 and np.abs(step[[0, 2]]).max() * side < 0.02:
            break
    return _moved(two.rgb, move)


def _moved(pixels: np.ndarray, move: np.ndarray) -> np.ndarray:
    side = len(pixels)
    middle = (side - 1) / 2
    warp = np.array([[move[0], 0, middle - move[0] * middle + move[1]], [0, move[2], middle - move[2] * middle + move[3]]])
    return cv2.warpAffine(pixels, warp, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)


def _unlikeness(one: np.ndarray, two: np.ndarray) -> tuple[float, float]:
    """1 - correlation in [0, 2]; and the largest share of difference in the energy of any 9 x 9 pixels."""
    energy = float((one * one).sum()), float((two * two).sum())
    correlation = float((one * two).sum()) / max(np.sqrt(energy[0] * energy[1]), 1e-3)
    here = cv2.blur(((one - two) ** 2).sum(axis=2), (9, 9)) / (cv2.blur((one * one + two * two).sum(axis=2), (9, 9)) + 72)  # 72: a level's noise
    return 1 - correlation, float(here.max())


def _excess(one: np.ndarray, two: np.ndarray) -> float:
    """How far two (s, s, 3) uint8 pictures are from showing the same, in gray levels; symmetric, 0 for equal ones.

    A pixel's excess is what lies outside of the range that the other picture shows in the 3 x 3 pixels around, so that a shift
    of a pixel or another sampling of an edge costs nothing. The figure is the largest mean excess over 3 x 3 pixels.
    """
    return max(_one_sided_excess(one, two), _one_sided_excess(two, one))


def _one_sided_excess(one: np.ndarray, two: np.ndarray) -> float:
    box = np.ones((3, 3), np.uint8)
    outside = cv2.max(cv2.subtract(one, cv2.dilate(two, box)), cv2.subtract(cv2.erode(two, box), one))  # saturating: never below 0
    return float(cv2.blur(outside.max(axis=2), (3, 3)).max())


def _stands_out(pairs: np.ndarray, difference: np.ndarray, n: int) -> np.ndarray:
    """(m,) bool: the pair is no crowd's, or much closer than either of the two is to anything else."""
    near = difference <= CROWD_DIFFERENCE
    crowd = np.bincount(pairs[near].ravel(), minlength=n)
    nearest = np.full((n, 2), np.inf)  # the two smallest differences of each picture
    for k in np.argsort(difference, kind="stable").tolist():
        for i in pairs[k].tolist():
            if np.isinf(nearest[i, 1]):
                nearest[i, int(not np.isinf(nearest[i, 0]))] = difference[k]
    lone = crowd[pairs].max(axis=1) <= CROWD if len(pairs) else np.empty(0, bool)
    other = np.where(difference[:, None] <= nearest[pairs, 0], nearest[pairs, 1], nearest[pairs, 0]).min(axis=1)
    return lone | ((difference <= CROWD_MAX_DIFFERENCE) & (difference <= CROWD_RATIO * other))
