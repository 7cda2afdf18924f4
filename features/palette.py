"""How many colours, how concentrated, how flat: what tells a drawing from a photograph before any learning.

Sources: Lienhart & Hartmann 2002 and Athitsos, Swain & Frankel 1997 (number of colours, prevalent colours, flat areas).
"""

import cv2
import numpy as np

TOP_COLORS = (1, 2, 4, 8, 16)
STEP = 2  # every second pixel of every second row: unmixed colours at a quarter of the cost
PRESENT_SHARE = 0.001  # a colour counts from 1 in 1,000 pixels on


def palette(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 → (9,) float32: see `palette_names`. Colours are bins of 16 levels a channel (4,096 in all)."""
    picked = rgb[::STEP, ::STEP]
    bins = picked & 0xF0
    key = (bins[..., 0].astype(np.uint16) << 4) | bins[..., 1] | (bins[..., 2] >> 4)
    counts = np.bincount(key.ravel())
    share = np.sort(counts[counts > 0])[::-1] / key.size
    cumulative = share.cumsum()
    top = [cumulative[min(n, len(share)) - 1] for n in TOP_COLORS]
    entropy = -(share * np.log2(share)).sum()
    green = np.ascontiguousarray(picked[..., 1])
    step = cv2.absdiff(green[:, 1:], green[:, :-1])
    return np.array([np.log1p((share >= PRESENT_SHARE).sum()), np.log1p(len(share)), *top, entropy, (step <= 1).mean()], np.float32)


def palette_names() -> list[str]:
    """Logs of the number of colours (present, any), shares of the top 1 … 16, entropy in bits, share of flat steps."""
    return ["log_present", "log_any", *[f"top{n}" for n in TOP_COLORS], "entropy", "flat_share"]
