"""The perceptual hash: 256 bits that survive scaling, recompression and changed margins.

A DCT hash (Zauner 2010, "Implementation and benchmarking of perceptual image hash functions") of the trimmed tile: 16 x 16
lowest frequencies of a 64 x 64 gray picture, each bit telling whether the coefficient is above their median.
"""

import cv2
import numpy as np

HASH_SIDE = 16
DCT_PX = 64


def perceptual_hash(gray: np.ndarray) -> np.ndarray:
    """(H, W) uint8 → (32,) uint8: 256 bits, packed."""
    small = cv2.resize(gray, (DCT_PX, DCT_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:HASH_SIDE, :HASH_SIDE].ravel()
    return np.packbits(low > np.partition(low[1:], 127)[127])  # the median of 255
