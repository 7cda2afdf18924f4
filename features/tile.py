"""The tile: one small square picture that stands for the file everywhere after extraction.

Flat margins are trimmed, the rest is fitted into `TILE_PX` squared and letterboxed on the border colour, so that a
drawing in the middle of a scanned page fills its tile as well as an icon does. What trimming takes away (place and
size on the page) is kept as the ``box`` features.
"""

from dataclasses import dataclass

import cv2
import numpy as np

TILE_PX = 128
CONTENT_DIFFERENCE = 24  # gray levels from the border colour that make a pixel content; JPEG ringing stays under it
FLAT_BORDER_SHARE = 0.9  # of the border's pixels near its median: below this there is no margin to trim
BORDER_PX = 2

Color = tuple[int, int, int]


@dataclass(frozen=True)
class Tile:
    """``rgb`` (128, 128, 3) uint8; ``mask`` (128, 128) bool, content; ``box`` (top, left, bottom, right) in [0, 1]."""

    rgb: np.ndarray
    mask: np.ndarray
    box: tuple[float, float, float, float]
    border_color: Color
    border_flat_share: float


def make_tile(rgb: np.ndarray, trim: bool = True, side_px: int = TILE_PX) -> Tile:
    """Trim, fit and letterbox one (H, W, 3) uint8 picture."""
    border = border_pixels(rgb)
    color = median_color(border)
    flat_share = float(_near(border, color).mean() / 255)
    height, width = rgb.shape[:2]
    top, left, bottom, right = content_box(rgb, color) if trim and flat_share >= FLAT_BORDER_SHARE else (0, 0, height, width)
    tile = letterbox(rgb[top:bottom, left:right], color, side_px)
    return Tile(tile, _near(tile, color) == 0, (top / height, left / width, bottom / height, right / width), color, flat_share)


def border_pixels(rgb: np.ndarray) -> np.ndarray:
    """(1, n, 3) uint8: the pixels of a frame `BORDER_PX` wide."""
    return np.concatenate([rgb[:BORDER_PX].reshape(1, -1, 3), rgb[-BORDER_PX:].reshape(1, -1, 3),
                           rgb[:, :BORDER_PX].reshape(1, -1, 3), rgb[:, -BORDER_PX:].reshape(1, -1, 3)], axis=1)


def median_color(pixels: np.ndarray) -> Color:
    """The median of each channel of (H, W, 3) uint8."""
    channels = np.ascontiguousarray(pixels.reshape(-1, 3).T)
    middle = (channels.shape[1] - 1) // 2
    red, green, blue = np.partition(channels, middle, axis=1)[:, middle].tolist()
    return red, green, blue


def content_box(rgb: np.ndarray, color: Color) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) px around the content with a 1 % margin; the whole picture if nothing stands out.

    Content is whatever differs from ``color`` by more than `CONTENT_DIFFERENCE` in some channel.
    """
    height, width = rgb.shape[:2]
    left, top, w, h = cv2.boundingRect(cv2.bitwise_not(_near(rgb, color)))
    if w < 2 or h < 2:
        return 0, 0, height, width
    margin = 1 + max(w, h) // 100
    return max(top - margin, 0), max(left - margin, 0), min(top + h + margin, height), min(left + w + margin, width)


def _near(rgb: np.ndarray, color: Color) -> np.ndarray:
    """(H, W) uint8: 255 where every channel is within `CONTENT_DIFFERENCE` of ``color``, else 0."""
    low, high = (tuple(c + sign * CONTENT_DIFFERENCE for c in color) for sign in (-1, 1))
    return cv2.inRange(rgb, low, high)


def letterbox(rgb: np.ndarray, color: Color, side_px: int = TILE_PX) -> np.ndarray:
    """Fit (H, W, 3) into a square of ``side_px``, centred on ``color``."""
    height, width = rgb.shape[:2]
    scale = side_px / max(height, width)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    while min(height, width) > 1 and max(height, width) >= 2 * side_px:  # whole pairs first: area averaging to any other size takes 6 times as long
        height, width = height // 2, width // 2
        rgb = cv2.resize(rgb[:2 * height, :2 * width], (width, height), interpolation=cv2.INTER_AREA)
    fitted = cv2.resize(rgb, (w, h), interpolation=cv2.INTER_LINEAR)
    if h == w:
        return fitted
    square = np.empty((side_px, side_px, 3), np.uint8)
    square[:] = color
    top, left = (side_px - h) // 2, (side_px - w) // 2
    square[top:top + h, left:left + w] = fitted
    return square
