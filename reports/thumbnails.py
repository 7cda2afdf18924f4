"""Tiles as small pictures inside a page or behind an address."""

import base64

import cv2
import numpy as np

THUMB_PX = 96
WEBP_QUALITY = 75


def thumbnail(tile: np.ndarray, side_px: int = THUMB_PX) -> bytes:
    """(S, S, 3) uint8 RGB → a WebP file of ``side_px`` a side, about 1.5 KB for a drawing."""
    small = cv2.resize(tile, (side_px, side_px), interpolation=cv2.INTER_AREA) if tile.shape[0] != side_px else tile
    return cv2.imencode(".webp", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])[1].tobytes()


def data_url(tile: np.ndarray, side_px: int = THUMB_PX) -> str:
    """(S, S, 3) uint8 RGB → its `thumbnail` as an address that needs no file."""
    return "data:image/webp;base64," + base64.b64encode(thumbnail(tile, side_px)).decode()
