"""Which colours, how much of each, and where: HSV histogram, Lab moments, a coarse Lab thumbnail.

Sources: Swain & Ballard 1991 (histograms); Stricker & Orengo 1995 (moments, without the third). Square roots (the Hellinger map) make
Euclidean distances between histograms behave: research note §3.1.
"""

import cv2
import numpy as np

HUES, SATURATIONS, VALUES = 12, 4, 6
LAYOUT_SIDE = 8
LEVELS = np.arange(256, dtype=np.float32) / 255


def hsv_histogram(hsv: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 HSV → (288,) float32 in [0, 1]: square roots of the shares of 12 x 4 x 6 bins."""
    counts = cv2.calcHist([hsv], [0, 1, 2], None, [HUES, SATURATIONS, VALUES], [0, 180, 0, 256, 0, 256])
    return np.sqrt(counts.ravel() / (hsv.shape[0] * hsv.shape[1]))


def hsv_histogram_names() -> list[str]:
    """``h{hue}s{saturation}v{value}``."""
    return [f"h{h}s{s}v{v}" for h in range(HUES) for s in range(SATURATIONS) for v in range(VALUES)]


def color_moments(lab: np.ndarray, hsv: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 Lab and HSV, of any two sizes → (10,) float32: mean and deviation of L, a, b; chroma; saturation; gray share.

    In units of 1/255. Chroma: the deviations of a and b together. Saturation: mean and 9th decile. Gray share: pixels with saturation under 10 %.
    """
    mean, deviation = (moment.ravel() / 255 for moment in cv2.meanStdDev(lab))
    counts = cv2.calcHist([hsv], [1], None, [256], [0, 256]).ravel()
    shares = counts / counts.sum()
    cumulative = shares.cumsum()
    rest = [np.hypot(deviation[1], deviation[2]), shares @ LEVELS, LEVELS[np.searchsorted(cumulative, 0.9)], cumulative[25]]
    return np.concatenate([mean, deviation, rest]).astype(np.float32)


def color_moments_names() -> list[str]:
    """``mean_L`` … ``gray_share``."""
    moments = [f"{moment}_{channel}" for moment in ("mean", "deviation") for channel in "Lab"]
    return [*moments, "chroma", "saturation_mean", "saturation_p90", "gray_share"]


def color_layout(lab: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 Lab → (192,) float32 in [0, 1]: an 8 x 8 thumbnail, area-averaged."""
    small = cv2.resize(lab, (LAYOUT_SIDE, LAYOUT_SIDE), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32).ravel() / 255


def color_layout_names() -> list[str]:
    """``r{row}c{column}_{channel}``."""
    return [f"r{i}c{j}_{channel}" for i in range(LAYOUT_SIDE) for j in range(LAYOUT_SIDE) for channel in "Lab"]
