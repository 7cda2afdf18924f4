"""The silhouette: shape of everything that is not background.

Area, moments and Hu invariants of the mask, its outline against its hull, parts and holes, and its projections on both
axes. On white pages the silhouette is free, and shape moments were among the few hand-made features that helped the
winner of the plankton contest (research note §1.3, §3.2). Source of the invariants: Hu 1962.
"""

import cv2
import numpy as np

PROJECTION_BINS = 16
SIDE_PX = 64  # side at which the mask is measured: half the tile, a third of the time
SMALL_PART_PX = 3  # parts and holes of a smaller area, at that side, are noise


def shape(mask: np.ndarray) -> np.ndarray:
    """(128, 128) bool → (49,) float32: see `shape_names`. An empty mask gives zeros."""
    share = cv2.resize(mask.view(np.uint8) * np.uint8(255), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
    pixels = cv2.inRange(share, 64, 255)  # 255 where at least a quarter is content, so that lines of one pixel stay
    moments = cv2.moments(pixels, binaryImage=True)
    if moments["m00"] == 0:
        return np.zeros(len(shape_names()), np.float32)
    hu = cv2.HuMoments(moments).ravel()
    scalars = [share.mean() / 255, moments["m10"] / moments["m00"] / SIDE_PX, moments["m01"] / moments["m00"] / SIDE_PX,
               moments["nu20"], moments["nu02"], moments["nu11"], *(np.sign(hu) * np.log10(np.abs(hu) * 1e7 + 1))]
    profile = cv2.resize(share, (PROJECTION_BINS, PROJECTION_BINS), interpolation=cv2.INTER_AREA) / np.float32(255)
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
    areas = np.array([cv2.contourArea(c) for c in contours])
    outer = hierarchy[0, :, 3] < 0
    hull = cv2.contourArea(cv2.convexHull(np.concatenate([c for c, o in zip(contours, outer, strict=True) if o])))
    large = areas >= SMALL_PART_PX
    return [np.log1p((large & outer).sum()), np.log1p((large & ~outer).sum()), areas[outer].max() / max(areas[outer].sum(), 1.0),
            min(cv2.countNonZero(pixels) / max(hull, 1.0), 1.0)]
