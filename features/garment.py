"""The contest team's crop of a garment (source B, row B2): margins cut by rule, then the box around everything that has an edge.

Their steps in their order: rows 20 to 70 % and columns 5 to 95 %, three quarters of the size, gray, adaptive Gaussian threshold (white
clothes on white), median blur (salt and pepper), closing, morphological gradient, contours, the union of their boxes. Their script failed
where there is no contour; here the picture then keeps the box of the first step.
"""

import cv2
import numpy as np

CROPS = ("none", "garment", "garment-binary")
ROWS, COLUMNS = (0.20, 0.70), (0.05, 0.95)
SCALE = 0.75
WINDOW_PX, OFFSET = 15, 2  # of the adaptive threshold
BLUR_PX = 5
KERNEL = np.ones((3, 3), np.uint8)
LEAST_PX = 8  # a smaller picture, or what is left of it, is not cropped


def cropped(rgb: np.ndarray, crop: str) -> np.ndarray:
    """(H, W, 3) uint8 → as it is, its garment in colour, or its garment binarised (0 and 255 in all channels)."""
    if crop == "none":
        return rgb
    top, left, bottom, right = _margins(rgb)
    inside = rgb[top:bottom, left:right]
    if min(inside.shape[:2]) < LEAST_PX:
        return rgb
    small = cv2.resize(inside, None, fx=SCALE, fy=SCALE, interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    binary = cv2.adaptiveThreshold(gray, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, WINDOW_PX, OFFSET)
    y0, x0, y1, x1 = edge_box(binary)
    if crop == "garment-binary":
        return cv2.cvtColor(binary[y0:y1, x0:x1], cv2.COLOR_GRAY2RGB)
    high, wide = inside.shape[0] / small.shape[0], inside.shape[1] / small.shape[1]
    return inside[int(y0 * high):int(np.ceil(y1 * high)), int(x0 * wide):int(np.ceil(x1 * wide))]


def edge_box(binary: np.ndarray) -> tuple[int, int, int, int]:
    """(H, W) uint8 of 0 and 255 → (top, left, bottom, right) px around all that has an edge; everything where nothing has."""
    closed = cv2.morphologyEx(cv2.medianBlur(binary, BLUR_PX), cv2.MORPH_CLOSE, KERNEL)
    contours = cv2.findContours(cv2.morphologyEx(closed, cv2.MORPH_GRADIENT, KERNEL), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    boxes = np.array([cv2.boundingRect(contour) for contour in contours])
    if not len(boxes):
        return 0, 0, binary.shape[0], binary.shape[1]
    left, top = boxes[:, :2].min(0).tolist()
    right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(0).tolist()
    return top, left, bottom, right


def _margins(rgb: np.ndarray) -> tuple[int, int, int, int]:
    height, width = rgb.shape[:2]
    return int(height * ROWS[0]), int(width * COLUMNS[0]), int(height * ROWS[1]), int(width * COLUMNS[1])
