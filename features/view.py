"""What a feature family may look at: one picture in the few forms that the families share, each made once."""

from dataclasses import dataclass

import cv2
import numpy as np

from features.images import Picture
from features.tile import Tile, make_tile


@dataclass(frozen=True)
class View:
    """``picture``: facts and the reduced framing; ``tile``: trimmed square; ``gray``, ``hsv``, ``lab``: the tile converted.

    ``gray`` (128, 128) uint8; ``hsv`` and ``lab`` (128, 128, 3) uint8 in OpenCV's ranges (H 0–179, the rest 0–255).
    """

    picture: Picture
    tile: Tile
    gray: np.ndarray
    hsv: np.ndarray
    lab: np.ndarray


def make_view(picture: Picture, trim: bool = True) -> View:
    """Trim and convert one picture."""
    tile = make_tile(picture.rgb, trim)
    return View(picture, tile, cv2.cvtColor(tile.rgb, cv2.COLOR_RGB2GRAY),
                cv2.cvtColor(tile.rgb, cv2.COLOR_RGB2HSV), cv2.cvtColor(tile.rgb, cv2.COLOR_RGB2LAB))
