"""How much line work, and where: Canny edge density on a grid (at half tile size), and the orientations of all gradients.

Source: Canny 1986; thresholds fixed at 100 and 200 gray levels so that a picture's value does not depend on others.
"""

import cv2
import numpy as np

from features.hog import ORIENTATIONS, orientation_shares

GRID = 4
LOW, HIGH = 100, 200


def edges(half: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """(64, 64) uint8 and `features.hog.cell_histograms` → (26,) float32 in [0, 1]: edge density overall and on a 4 x 4 grid, 9 orientation shares."""
    found = cv2.Canny(half, LOW, HIGH)
    grid = cv2.resize(found, (GRID, GRID), interpolation=cv2.INTER_AREA).ravel() / np.float32(255)
    return np.concatenate([grid.mean(keepdims=True), grid, orientation_shares(cells)])


def edges_names() -> list[str]:
    """``density``, ``density_r{row}c{column}``, ``orientation_{degrees}``."""
    grid = [f"density_r{i}c{j}" for i in range(GRID) for j in range(GRID)]
    return ["density", *grid, *[f"orientation_{o * 180 // ORIENTATIONS}" for o in range(ORIENTATIONS)]]
