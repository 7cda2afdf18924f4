"""Tiles as tensors on a device: all pictures of a training in one uint8 tensor, no loader, no worker processes."""

import os
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from features.errors import ScratchworkError
from models.augment import luma
from models.pictures import Pictures

CHUNK = 512  # tiles that are reduced at once
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # before the first product on a GPU, or deterministic mode is refused for good


def chosen_device(name: str) -> torch.device:
    """``auto``: a GPU if there is one. Raises `ScratchworkError` for a device that is not there."""
    if name == "cuda" and not torch.cuda.is_available():
        raise ScratchworkError(f"--device cuda: torch {torch.__version__} sees no CUDA device here (a build without CUDA, no driver, or no GPU); "
                               "use --device auto or cpu")
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


def chosen_precision(name: str, device: torch.device) -> torch.dtype:
    """``auto``: bfloat16 where the processor multiplies it natively (twice as fast or more), else float32."""
    if name != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]
    if device.type == "cuda":
        major, _ = torch.cuda.get_device_capability(device)
        return torch.bfloat16 if major >= 8 else torch.float16
    return torch.bfloat16 if torch.backends.cpu.get_cpu_capability() == "AVX512" and _multiplies_bfloat16() else torch.float32


def sized_tiles(pictures: Pictures, size_px: int, gray: bool, device: torch.device) -> torch.Tensor:
    """(n, C, size_px, size_px) uint8 on ``device``; averaged over the pixels that become one. C is 1 with ``gray``, else 3."""
    n, channels = len(pictures.rows), 1 if gray else 3
    try:
        x = torch.empty((n, channels, size_px, size_px), dtype=torch.uint8, device=device)
        for i in range(0, n, CHUNK):
            tiles = torch.from_numpy(np.ascontiguousarray(pictures.tiles[pictures.rows[i:i + CHUNK]]))
            x[i:i + CHUNK] = _sized(tiles.to(device), size_px, gray)
    except torch.OutOfMemoryError as error:
        raise ScratchworkError(f"the GPU's memory does not hold {n:,} pictures of {size_px} px ({n * channels * size_px**2 / 2**30:.1f} GiB); give a "
                               "smaller --size, or --device cpu") from error
    return x


def border_colors(x: torch.Tensor) -> torch.Tensor:
    """(n, C, S, S) uint8 → (n, C, 1, 1) uint8: the lower median of the outermost pixels. By sorting: CUDA has no repeatable median."""
    edge = torch.cat([x[:, :, 0, :], x[:, :, -1, :], x[:, :, :, 0], x[:, :, :, -1]], dim=2)
    middle = [part.sort(dim=2).values[:, :, (edge.shape[2] - 1) // 2] for part in edge.split(CHUNK)]
    return torch.cat(middle)[:, :, None, None]


def mean_and_deviation(x: torch.Tensor, front: Callable[[torch.Tensor], torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Of what ``front`` makes of (n, C, S, S) uint8, per channel: two (1, C', 1, 1) float, over all pictures and places."""
    sums = []
    for part in x.split(CHUNK // 8):  # eight bytes a number, and ``front`` makes some more of each
        made = front(part.double() / 255)
        sums.append(torch.stack([made.sum((0, 2, 3)), (made * made).sum((0, 2, 3))]))
    mean, square = torch.stack(sums).sum(0) / (x.numel() / x.shape[1])
    deviation = (square - mean * mean).clamp(min=1e-4).sqrt()
    return mean.float()[None, :, None, None], deviation.float()[None, :, None, None]


def _sized(tiles: torch.Tensor, size_px: int, gray: bool) -> torch.Tensor:
    x = tiles.permute(0, 3, 1, 2).float()  # (n, 3, T, T)
    if gray:
        x = luma(x)
    if x.shape[2] != size_px:
        x = F.interpolate(x, size=(size_px, size_px), mode="bilinear", antialias=True, align_corners=False)
    return x.round().clamp(0, 255).to(torch.uint8)


def _multiplies_bfloat16() -> bool:
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported and supported())
