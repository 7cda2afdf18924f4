"""Where the drawing lies in its tile: centre and spread of what differs from the paper, by moments.

A copy at another size loses its thin tips first, and a box drawn around them moves; mass and moments stay where they are when pixels
are averaged (Hu 1962). Pictures brought to one centre and one spread therefore lie on each other to a fraction of a pixel.
"""

from typing import NamedTuple

import cv2
import numpy as np

PAPER_LEVELS = 8  # differences from the paper up to here are JPEG's and the scanner's
SPREAD = 0.26  # standard deviation of a framed drawing, as a share of the side: a full square keeps 90 %, a ring fits


class Framing(NamedTuple):
    """Centre ``x``, ``y`` and standard deviations ``spread_x``, ``spread_y`` in px; ``mass``: mean difference from the paper, gray levels."""

    x: float
    y: float
    spread_x: float
    spread_y: float
    mass: float


def framing_of(rgb: np.ndarray) -> Framing:
    """Of (H, W, 3) uint8; the paper is the median of the four corners. Nothing drawn: the middle, the spread of a full square."""
    corners = np.sort(rgb[[0, 0, -1, -1], [0, -1, 0, -1]], axis=0)
    paper = (corners[1].astype(int) + corners[2]) // 2
    red, green, blue = cv2.split(cv2.absdiff(rgb, np.array([*paper, 0], float)))  # four numbers are a colour to OpenCV
    strength = cv2.subtract(cv2.max(cv2.max(red, green), blue), np.array([PAPER_LEVELS, 0, 0, 0], float))
    profiles = [cv2.reduce(strength, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() for axis in (0, 1)]
    total = int(profiles[0].sum())
    (x, spread_x), (y, spread_y) = (_middle_and_spread(profile, total) for profile in profiles)
    return Framing(x, y, spread_x, spread_y, total / strength.size)


def framed(pixels: np.ndarray, framing: Framing, side_px: int) -> np.ndarray:
    """The drawing of (H, W) or (H, W, 3) uint8 brought to the middle and to `SPREAD` in both directions, in a square of ``side_px``."""
    warp = np.zeros((2, 3))
    for axis, (middle, spread) in enumerate(((framing.x, framing.spread_x), (framing.y, framing.spread_y))):
        scale = spread / (SPREAD * side_px)
        warp[axis, axis], warp[axis, 2] = scale, middle - scale * (side_px - 1) / 2
    return cv2.warpAffine(pixels, warp, (side_px, side_px), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)


def _middle_and_spread(profile: np.ndarray, total: int) -> tuple[float, float]:
    n = len(profile)
    if total == 0:
        return (n - 1) / 2, SPREAD * n
    at = np.arange(n)
    middle = float(profile @ at) / total
    return middle, max(float(np.sqrt(profile @ (at - middle) ** 2 / total)), 0.5)
