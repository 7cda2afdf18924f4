"""Two pictures laid over each other and compared, at the resolution that both files have.

Centre and spread (`features.framing`) bring one near the other, Lucas-Kanade registration of scale and shift (inverse compositional,
Baker & Matthews 2004) does the rest. Three figures are compared then: correlation of the fine structure, the worst place of it, and what
one shows that the other has nowhere near.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from features.framing import Framing, framing_of

MAX_SCALE, MAX_SHIFT = 0.08, 0.06  # of a registration, from where it starts: relative, and as a share of the side
STEPS = 10
GOOD_DIFFERENCE = 0.02  # nothing better is looked for below it
SMOOTH, BROAD = 0.8, 3.0  # px: standard deviations between which structure is fine
EXTRA_BLURS = (0.0, 0.5, 0.8, 1.1)  # px: how much sharper than its copy a picture may be
Move = np.ndarray  # (4,): scale x, shift x, scale y, shift y, about the middle


@dataclass(frozen=True)
class Prepared:
    """One picture at one side: ``rgb`` (s, s, 3) uint8, ``fine`` its fine structure, and what registration needs of it."""

    rgb: np.ndarray
    fine: np.ndarray
    gray: np.ndarray
    slopes: np.ndarray  # (4, s * s): what a step in scale x, shift x, scale y, shift y changes
    inverse: np.ndarray  # (4, 4)
    framing: Framing


def prepared(rgb: np.ndarray, side_px: int) -> Prepared:
    """A square (n, n, 3) uint8 picture at ``side_px``, at most n."""
    rgb = cv2.resize(rgb, (side_px, side_px), interpolation=cv2.INTER_AREA) if side_px < len(rgb) else rgb
    gray = cv2.GaussianBlur(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (0, 0), 1.2).astype(np.float32)
    dx, dy = cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=3) / 8, cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=3) / 8
    from_middle = np.arange(len(rgb), dtype=np.float32) - (len(rgb) - 1) / 2
    slopes = np.stack([(dx * from_middle).ravel(), dx.ravel(), (dy * from_middle[:, None]).ravel(), dy.ravel()])
    damping = np.diag([50.0, 0.5, 50.0, 0.5])  # a picture without slopes stays where it is
    return Prepared(rgb, _fine(rgb), gray, slopes, np.linalg.inv(slopes @ slopes.T + damping), framing_of(rgb))


def compared(one: Prepared, two: Prepared) -> tuple[float, float, float]:
    """1 - correlation of the fine structures, its worst place, and the `_excess`, of the placement with the least of the first."""
    best, excess = (2.0, 2.0), 255.0
    for rgb in _placements(one, two):
        figures = _unlikeness(one.fine, _fine(rgb))
        if figures < best:
            best, excess = figures, _excess(one.rgb, rgb)
        if best[0] <= GOOD_DIFFERENCE:
            break
    return (*best, excess)


def closely_compared(one: Prepared, two: Prepared) -> tuple[float, float]:
    """1 - correlation where registration leads, after the sharper of the two was blurred like the other, and the `_excess` then."""
    move = _registered(one, two, _by_framing(one.framing, two.framing, len(one.gray)))
    if move is None:
        return 2.0, 255.0
    laid = _moved(two.rgb, move, cv2.INTER_CUBIC)
    fine = _fine(laid)
    if cv2.norm(one.fine, cv2.NORM_L2SQR) <= cv2.norm(fine, cv2.NORM_L2SQR):
        soft, fine, sharp = one.rgb, one.fine, laid
    else:
        soft, sharp = laid, one.rgb
    difference, blur = min((_unlikeness(fine, _fine(sharp, float(np.hypot(SMOOTH, blur))))[0], blur) for blur in EXTRA_BLURS)
    return difference, _excess(soft, cv2.GaussianBlur(sharp, (0, 0), blur) if blur else sharp)


def _placements(one: Prepared, two: Prepared) -> Iterator[np.ndarray]:
    """``two`` registered from the centre and spread of ``one``, only brought there, and as it lies."""
    start = _by_framing(one.framing, two.framing, len(one.gray))
    move = _registered(one, two, start)
    if move is not None:
        yield _moved(two.rgb, move)
    yield _moved(two.rgb, start)
    yield two.rgb


def _by_framing(one: Framing, two: Framing, side: int) -> Move:
    middle = (side - 1) / 2
    scale_x, scale_y = two.spread_x / one.spread_x, two.spread_y / one.spread_y
    return np.array([scale_x, two.x - middle - scale_x * (one.x - middle), scale_y, two.y - middle - scale_y * (one.y - middle)])


def _registered(one: Prepared, two: Prepared, start: Move) -> Move | None:
    """The move that lays ``two`` over ``one``; None where that leads away."""
    side = len(one.gray)
    move = start.copy()
    for _ in range(STEPS):
        step = one.inverse @ (one.slopes @ (_moved(two.gray, move) - one.gray).ravel())
        scale = 1 / (1 + step[[0, 2]])
        move[[1, 3]] -= move[[0, 2]] * scale * step[[1, 3]]
        move[[0, 2]] *= scale
        if np.abs(move[[0, 2]] / start[[0, 2]] - 1).max() > MAX_SCALE or np.abs(move[[1, 3]] - start[[1, 3]]).max() > MAX_SHIFT * side:
            return None
        if np.abs(step[[1, 3]]).max() < 0.02 and np.abs(step[[0, 2]]).max() * side < 0.02:
            break
    return move


def _moved(pixels: np.ndarray, move: Move, interpolation: int = cv2.INTER_LINEAR) -> np.ndarray:
    side = len(pixels)
    middle = (side - 1) / 2
    warp = np.array([[move[0], 0, middle - move[0] * middle + move[1]], [0, move[2], middle - move[2] * middle + move[3]]])
    return cv2.warpAffine(pixels, warp, (side, side), flags=interpolation | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)


def _fine(rgb: np.ndarray, smooth_px: float = SMOOTH) -> np.ndarray:
    """(s, s, 3) float32: between the finest detail, which differs by sampling, and broad areas, in which all drawings are alike."""
    smooth = cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), smooth_px)
    return smooth - cv2.GaussianBlur(smooth, (0, 0), BROAD)


def _unlikeness(one: np.ndarray, two: np.ndarray) -> tuple[float, float]:
    """1 - correlation in [0, 2]; and the largest share of difference in the energy of any 9 x 9 pixels."""
    apart = one - two
    energy_one, energy_two, energy_apart = (cv2.norm(values, cv2.NORM_L2SQR) for values in (one, two, apart))
    correlation = (energy_one + energy_two - energy_apart) / 2 / max(np.sqrt(energy_one * energy_two), 1e-3)
    both = _summed(one * one) + _summed(two * two)
    here = cv2.blur(_summed(apart * apart), (9, 9)) / (cv2.blur(both, (9, 9)) + 72)  # 72: a level's noise
    return 1 - correlation, float(here.max())


def _summed(channels: np.ndarray) -> np.ndarray:
    """(s, s, 3) float32 → (s, s): ten times as fast as NumPy's sum over so short an axis."""
    return cv2.transform(channels, np.ones((1, 3), np.float32))


def _excess(one: np.ndarray, two: np.ndarray) -> float:
    """How far two (s, s, 3) uint8 pictures are from showing the same, in gray levels; symmetric, 0 for equal ones.

    A pixel's excess is what lies outside of the range that the other picture shows in the 3 x 3 pixels around, so that a shift
    of a pixel or another sampling of an edge costs nothing. The figure is the largest mean excess over 3 x 3 pixels.
    """
    return max(_one_sided_excess(one, two), _one_sided_excess(two, one))


def _one_sided_excess(one: np.ndarray, two: np.ndarray) -> float:
    box = np.ones((3, 3), np.uint8)
    outside = cv2.max(cv2.subtract(one, cv2.dilate(two, box)), cv2.subtract(cv2.erode(two, box), one))  # saturating: never below 0
    red, green, blue = cv2.split(outside)
    return float(cv2.blur(cv2.max(cv2.max(red, green), blue), (3, 3)).max())
