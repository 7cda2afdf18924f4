"""What a feature family may look at: one picture in the few forms that the families share, each made once."""

from dataclasses import dataclass

import cv2
import numpy as np

from features.hog import cell_histograms
from features.images import Picture
from features.tile import Tile, make_tile


@dataclass(frozen=True)
class View:
    """``picture``: facts and the reduced framing; ``tile``: trimmed square, 128 px; the rest: the tile converted.

    ``gray`` (128, 128) uint8; at half size, area-averaged: ``half_rgb`` (64, 64, 3), ``half`` (64, 64) gray, ``hsv`` and ``lab`` (64, 64, 3)
    uint8 in OpenCV's ranges (H 0–179, the rest 0–255); ``cells`` (8, 8, 9), gradients of ``gray`` per cell and orientation (`features.hog`).
    """

    picture: Picture
    tile: Tile
    gray: np.ndarray
    half_rgb: np.ndarray
    half: np.ndarray
    hsv: np.ndarray
    lab: np.ndarray
    cells: np.ndarray


def make_view(picture: Picture, trim: bool = True) -> View:
    """Trim and convert one picture."""
    tile = make_tile(picture.rgb, trim)
    gray = cv2.cvtColor(tile.rgb, cv2.COLOR_RGB2GRAY)
    half = cv2.resize(tile.rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return View(picture, tile, gray, half, cv2.cvtColor(half, cv2.COLOR_RGB2GRAY), cv2.cvtColor(half, cv2.COLOR_RGB2HSV),
                cv2.cvtColor(half, cv2.COLOR_RGB2LAB), cell_histograms(gray))
