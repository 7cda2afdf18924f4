"""Local binary patterns: the fine grain of a picture.

The 58 uniform patterns (at most two changes around the circle of 8 neighbours) and one bin for all others, at half and
a quarter of the tile's size. Neighbours are the 8 adjacent pixels, not interpolated on a circle. Source: Ojala, Pietikäinen & Mäenpää 2002.
"""

from functools import cache

import cv2
import numpy as np

UNIFORM_PATTERNS = 58
NEIGHBOURS = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))  # once around
SCALES = (2, 4)


def lbp(half: np.ndarray) -> np.ndarray:
    """(H, W) uint8 → (118,) float32 in [0, 1]: square roots of the shares of 59 patterns, as given and at half that size."""
    quarter = cv2.resize(half, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.concatenate([_uniform_histogram(half), _uniform_histogram(quarter)])


def lbp_names() -> list[str]:
    """``s{scale}_{pattern}``, the last of each scale being all non-uniform patterns."""
    return [f"s{scale}_{pattern}" for scale in SCALES for pattern in range(UNIFORM_PATTERNS + 1)]


def pattern_codes(gray: np.ndarray) -> np.ndarray:
    """(H, W) uint8 → (H-2, W-2) uint8: bit k is set where neighbour k is at least as bright as the centre."""
    height, width = gray.shape
    flat = np.ascontiguousarray(gray).ravel()
    length = (height - 2) * width - 2  # from the first centre to the last, the two columns of border in between included
    centre = flat[width + 1:width + 1 + length]
    codes = np.zeros((height - 2) * width, np.uint8)
    inside = codes[:length]
    for dy, dx in reversed(NEIGHBOURS):
        first = (1 + dy) * width + 1 + dx
        inside += inside  # makes room for the next bit
        inside += (flat[first:first + length] >= centre).view(np.uint8)
    return codes.reshape(height - 2, width)[:, :-2]


def _uniform_histogram(gray: np.ndarray) -> np.ndarray:
    codes = cv2.calcHist([np.ascontiguousarray(pattern_codes(gray))], [0], None, [256], [0, 256]).ravel()
    counts = np.bincount(_uniform_table(), codes, UNIFORM_PATTERNS + 1)
    return np.sqrt(counts / counts.sum()).astype(np.float32)


@cache
def _uniform_table() -> np.ndarray:
    """(256,) int: the bin of every 8-bit code."""
    table = np.full(256, UNIFORM_PATTERNS)
    uniform = [c for c in range(256) if bin(c ^ ((c >> 1) | (c & 1) << 7)).count("1") <= 2]
    table[uniform] = np.arange(len(uniform))
    return table
