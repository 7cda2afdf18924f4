"""The page around the drawing: white shares, the border, where the content lies, the size of the file's picture."""

import cv2
import numpy as np

from features.images import Picture
from features.tile import Tile, border_pixels

WHITE = 240  # a channel value from which a pixel counts as white


def background(picture: Picture, tile: Tile) -> np.ndarray:
    """One picture and its tile → (15,) float32: see `background_names`."""
    top, left, bottom, right = tile.box
    shape = [bottom - top, right - left, (bottom - top) * (right - left), (top + bottom) / 2, (left + right) / 2]
    width_px, height_px = (right - left) * picture.width, (bottom - top) * picture.height
    return np.array([_white_share(tile.rgb), _white_share(border_pixels(picture.rgb)), tile.border_flat_share,
                     *[c / 255 for c in tile.border_color], *shape, np.log(width_px / height_px),
                     np.log(picture.width / picture.height), np.log(picture.width), np.log(picture.height)], np.float32)


def background_names() -> list[str]:
    """Shares in [0, 1], the border's colour / 255, the content box relative to the page, log aspects and log sizes in px."""
    return ["white_share", "border_white_share", "border_flat_share", "border_r", "border_g", "border_b", "box_height", "box_width",
            "box_area", "box_centre_y", "box_centre_x", "box_log_aspect", "log_aspect", "log_width", "log_height"]


def _white_share(rgb: np.ndarray) -> float:
    """Of (H, W, 3) pixels, those with every channel at `WHITE` or above."""
    return cv2.countNonZero(cv2.inRange(rgb, (WHITE,) * 3, (255,) * 3)) / (rgb.shape[0] * rgb.shape[1])
