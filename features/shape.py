"""The silhouette: shape of everything that is not background.

Area, moments and Hu invariants of the mask, its outline against its hull, parts and holes, and its projections on both
axes. On white pages the silhouette is free, and shape moments were among the few hand-made features that helped the
winner of the plankton contest (research note §1.3, §3.2). Source of the invariants: Hu 1962.
"""

import cv2
import numpy as np

PROJECTION_BINS = 16
SMALL_PART_PX = 12  # parts and holes below this are noise


def shape(mask: np.ndarray) -> np.ndarray:
    """(128, 128) bool → (49,) float32: see `shape_names`. An empty mask gives zeros."""
    if not mask.any():
        return np.zeros(len(shape_names()), np.float32)
    pixels = mask.view(np.uint8)
    side = mask.shape[0]
    moments = cv2.moments(pixels, binaryImage=True)
    hu = cv2.HuMoments(moments).ravel()
    scalars = [moments["m00"] / side**2, moments["m10"] / moments["m00"] / side, moments["m01"] / moments["m00"] / side,
               moments["nu20"], moments["nu02"], moments["nu11"], *(np.sign(hu) * np.log10(np.abs(hu) * 1e7 + 1))]
    profile = cv2.resize(pixels * np.uint8(255), (PROJECTION_BINS, PROJECTION_BINS), interpolation=cv2.INTER_AREA) / 255
    return np.concatenate([scalars, _outline(pixels), profile.mean(axis=0), profile.mean(axis=1)]).astype(np.float32)


def shape_names() -> list[str]:
    """Moments, outline and parts, then the mean of the mask per sixteenth of the width and of the height."""
    names = ["area", "centre_x", "centre_y", "nu20", "nu02", "nu11", *[f"hu{i}" for i in range(1, 8)]]
    outline = ["log_parts", "log_holes", "largest_part_share", "solidity"]
    projections = [f"{axis}{i}" for axis in ("column", "row") for i in range(PROJECTION_BINS)]
    return [*names, *outline, *projections]


def _outline(pixels: np.ndarray) -> list[float]:
    """Logs of the number of parts and holes, the largest part's share of the area, area over convex-hull area."""
    contours, hierarchy = cv2.findContours(pixels, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    outer = [c for c, h in zip(contours, hierarchy[0], strict=True) if h[3] < 0]
    areas = [cv2.contourArea(c) for c in outer]
    holes = sum(h[3] >= 0 and cv2.contourArea(c) >= SMALL_PART_PX for c, h in zip(contours, hierarchy[0], strict=True))
    parts = sum(a >= SMALL_PART_PX for a in areas)
    hull = cv2.contourArea(cv2.convexHull(np.concatenate(outer)))
    return [np.log1p(parts), np.log1p(holes), max(areas) / max(sum(areas), 1.0), float(pixels.sum()) / max(hull, 1.0)]
