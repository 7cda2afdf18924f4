"""The noise floor: sensors and lenses leave grain and soft edges everywhere, drawings have areas of exactly nothing.

Measured on the reduced picture before the tile, which averages grain away. Sources: research note §3.3; Immerkær 1996 for
the Laplacian as a noise measure.
"""

import cv2
import numpy as np

CROP_PX = 128  # the middle of the reduced picture: enough to measure grain, bounded cost


def noise(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 → (6,) float32: see `noise_names`."""
    height, width = rgb.shape[:2]
    top, left = max(0, (height - CROP_PX) // 2), max(0, (width - CROP_PX) // 2)
    gray = cv2.cvtColor(np.ascontiguousarray(rgb[top:top + CROP_PX, left:left + CROP_PX]), cv2.COLOR_RGB2GRAY)
    laplacian = cv2.convertScaleAbs(cv2.Laplacian(gray, cv2.CV_16S, ksize=1))  # saturates at 255
    share = cv2.calcHist([laplacian], [0], None, [256], [0, 256]).ravel().cumsum() / laplacian.size
    median, ninth = np.searchsorted(share, 0.5), np.searchsorted(share, 0.9)
    return np.array([share[0], share[3], share[15], np.log1p(median), np.log1p(ninth), cv2.meanStdDev(gray)[1][0, 0] / 255], np.float32)


def noise_names() -> list[str]:
    """Shares of pixels whose |Laplacian| is 0, at most 3, at most 15; logs of its median and 9th decile; gray deviation."""
    return ["zero_share", "quiet_share", "soft_share", "log_median", "log_p90", "deviation"]
