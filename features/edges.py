"""How much line work, and where: Canny edge density on a grid, and the orientations of all gradients.

Source: Canny 1986; thresholds fixed at 100 and 200 gray levels so that a picture's value does not depend on others.
"""

import cv2
import numpy as np

from features.hog import ORIENTATIONS, orientation_histogram

GRID = 4
LOW, HIGH = 100, 200


def edges(gray: np.ndarray) -> np.ndarray:
    """(128, 128) uint8 → (26,) float32 in [0, 1]: edge density overall, on a 4 x 4 grid, and 9 orientation shares."""
    found = cv2.Canny(gray, LOW, HIGH)
    grid = cv2.resize(found, (GRID, GRID), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return np.concatenate([[found.mean() / 255], grid.ravel(), orientation_histogram(gray)]).astype(np.float32)


def edges_names() -> list[str]:
    """``density``, ``density_r{row}c{column}``, ``orientation_{degrees}``."""
    grid = [f"density_r{i}c{j}" for i in range(GRID) for j in range(GRID)]
    return ["density", *grid, *[f"orientation_{o * 180 // ORIENTATIONS}" for o in range(ORIENTATIONS)]]
