"""Tiles as small pictures inside a page or behind an address."""

import base64

import cv2
import numpy as np
from markupsafe import Markup

THUMB_PX = 96
WEBP_QUALITY = 75


def thumbnail(tile: np.ndarray, side_px: int = THUMB_PX) -> bytes:
    """(S, S, 3) uint8 RGB → a WebP file of ``side_px`` a side, about 1.5 KB for a drawing."""
    small = cv2.resize(tile, (side_px, side_px), interpolation=cv2.INTER_AREA) if tile.shape[0] != side_px else tile
    return cv2.imencode(".webp", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])[1].tobytes()


def data_url(tile: np.ndarray, side_px: int = THUMB_PX) -> str:
    """(S, S, 3) uint8 RGB → its `thumbnail` as an address that needs no file."""
    return "data:image/webp;base64," + base64.b64encode(thumbnail(tile, side_px)).decode()


class Album:
    """Pictures of one page, each embedded once however often it is shown. `add` gives its name, `symbols` what the page must hold.

    ``row_of``: sha256 → row of ``tiles`` (N, S, S, 3). What has no tile is the placeholder, and counted in ``missing``.
    """

    PLACEHOLDER = "none"

    def __init__(self, tiles: np.ndarray, row_of: dict[str, int]) -> None:
        self.tiles, self.row_of = tiles, row_of
        self.files: dict[str, bytes] = {}
        self.missing: set[str] = set()
        self._names: dict[str, str] = {}

    def add(self, sha256: str) -> str:
        """The name under which the page shows a picture of the cache."""
        row = self.row_of.get(sha256, -1)
        if row < 0:
            self.missing.add(sha256)
            return self.PLACEHOLDER
        if sha256 not in self._names:
            self._names[sha256] = self.add_pixels(self.tiles[row])
        return self._names[sha256]

    def add_pixels(self, pixels: np.ndarray) -> str:
        """The name of (S, S, 3) uint8 RGB that is in no cache."""
        name = f"p{len(self.files)}"
        self.files[name] = thumbnail(pixels)
        return name

    def symbols(self) -> Markup:
        """SVG symbols for ``<use href="#NAME">``."""
        made = [f'<symbol id="{name}" viewBox="0 0 {THUMB_PX} {THUMB_PX}"><image width="{THUMB_PX}" height="{THUMB_PX}" '
                f'href="data:image/webp;base64,{base64.b64encode(file).decode()}"/></symbol>' for name, file in self.files.items()]
        gone = (f'<symbol id="{self.PLACEHOLDER}" viewBox="0 0 96 96"><rect class="gone" width="96" height="96"/>'
                '<path class="gone-mark" d="M30 30L66 66M66 30L30 66"/></symbol>')
        return Markup("\n".join([gone, *made]))
