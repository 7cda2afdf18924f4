"""Histograms of oriented gradients: where strokes run, cell by cell.

``hog(cell_histograms(gray))`` equals ``skimage.feature.hog(gray, 9, (16, 16), (2, 2), block_norm="L2-Hys")`` within 1e-4 (tested), nine times
as fast (.15 against 1.4 ms a tile): central differences of uint8 lie in [-255, 255], so that the bin of every possible gradient fits in one
table of 511 x 511, and the cell histograms are one ``bincount``. Source: Dalal & Triggs, CVPR 2005.
"""

from functools import cache

import cv2
import numpy as np

ORIENTATIONS = 9
CELL_PX = 16
BLOCK_CELLS = 2
CLIP = 0.2  # of L2-Hys
EPSILON = 1e-5
SPAN = 511  # distinct values of a difference of two uint8
NO_GRADIENT = 255 * SPAN + 255  # the place of dy = dx = 0 in the table


def hog(cells: np.ndarray) -> np.ndarray:
    """`cell_histograms` (8, 8, 9) → (1764,) float32 in [0, 1]: 7 x 7 overlapping blocks of 2 x 2 cells of 9 unsigned orientations."""
    rows, columns = cells.shape[0] - BLOCK_CELLS + 1, cells.shape[1] - BLOCK_CELLS + 1
    corners = [cells[i:i + rows, j:j + columns] for i in range(BLOCK_CELLS) for j in range(BLOCK_CELLS)]
    blocks = np.concatenate(corners, axis=2)  # (7, 7, 36)
    return _unit(np.minimum(_unit(blocks), CLIP)).ravel()


def hog_names(side_px: int = 128) -> list[str]:
    """``r{block row}c{block column}_{cell}_{degrees}``."""
    blocks = side_px // CELL_PX - BLOCK_CELLS + 1
    return [f"r{i}c{j}_{cell}_{o * 180 // ORIENTATIONS}" for i in range(blocks) for j in range(blocks)
            for cell in range(BLOCK_CELLS**2) for o in range(ORIENTATIONS)]


def orientation_shares(cells: np.ndarray) -> np.ndarray:
    """`cell_histograms` → (9,) float32: the share of gradient magnitude per orientation over the whole picture."""
    total = cells.sum(axis=(0, 1))
    return total / max(float(total.sum()), EPSILON)


def cell_histograms(gray: np.ndarray) -> np.ndarray:
    """(H, W) uint8 → (H/16, W/16, 9) float32: mean magnitude per unsigned orientation."""
    return (gradient_sums(gray, CELL_PX, _unsigned_bins(), ORIENTATIONS) / CELL_PX**2).astype(np.float32)


def gradient_sums(gray: np.ndarray, cell_px: int, bins: np.ndarray, orientations: int) -> np.ndarray:
    """(H, W) uint8 → (H/cell, W/cell, orientations) float64: gradient magnitude summed per cell and orientation.

    ``bins``: (511 * 511,) uint8 from `every_gradient`'s order. The outermost pixels have no gradient, as in skimage.
    """
    height, width = gray.shape
    dy, dx = cv2.Sobel(gray, cv2.CV_32F, 0, 1, ksize=1), cv2.Sobel(gray, cv2.CV_32F, 1, 0, ksize=1)  # central differences
    dy[[0, -1]] = 0
    dx[:, [0, -1]] = 0
    magnitude = np.sqrt(dx * dx + dy * dy)  # not cv2.magnitude, whose last bit depends on where the array lies in memory
    place: np.ndarray = cv2.addWeighted(dy, SPAN, dx, 1, NO_GRADIENT, dtype=cv2.CV_32S).ravel()
    key = bins.take(place.astype(np.int32, copy=False)) + _cell_offsets(height, width, cell_px, orientations)
    rows, columns = height // cell_px, width // cell_px
    return np.bincount(key, magnitude.ravel(), rows * columns * orientations).reshape(rows, columns, orientations)


def every_gradient() -> tuple[np.ndarray, np.ndarray]:
    """dy and dx, (511, 511) float64, of every possible central difference of uint8, in the order of orientation tables."""
    d = np.arange(-255, 256, dtype=np.float64)
    dy, dx = np.meshgrid(d, d, indexing="ij")
    return dy, dx


@cache
def _unsigned_bins() -> np.ndarray:
    """The bin of every gradient in skimage's own formula; small enough to stay in the processor's cache."""
    dy, dx = every_gradient()
    degrees = np.rad2deg(np.arctan2(dy, dx)) % 180
    return np.minimum(degrees * ORIENTATIONS / 180, ORIENTATIONS - 1).astype(np.uint8).ravel()


@cache
def _cell_offsets(height: int, width: int, cell_px: int, orientations: int) -> np.ndarray:
    rows, columns = np.arange(height) // cell_px, np.arange(width) // cell_px
    return ((rows[:, None] * (width // cell_px) + columns[None]) * orientations).astype(np.int64).ravel()


def _unit(blocks: np.ndarray) -> np.ndarray:
    return blocks / np.sqrt(np.einsum("ijk,ijk->ij", blocks, blocks)[..., None] + np.float32(EPSILON**2))
