#!/usr/bin/env python3
"""Training throughput on a GPU: everything on the device, beside the same network fed by a DataLoader.

    python benchmarks/cnn_gpu.py [--size 128] [--width 64] [--batch 256] [--pictures 8192] [--seconds 20] [--workers 16]

ours       whole dataset one uint8 tensor on the device, batched augmentation, bfloat16, channels last, AdamW, moving average: the
           training loop itself (`models.fitting`), plain and through torch.compile
loader     the same network, precision, layout and optimiser, fed by torch.utils.data.DataLoader: worker processes that augment each
           picture on the CPU with OpenCV (mirror, affine, brightness) as one writes it without thinking of speed; pinned memory
agreement  the largest difference between a CPU's and the GPU's probabilities of one model, in float32

Random pictures: the contents do not change the speed. Each side is warmed by an epoch. One JSON object per line. Needs CUDA.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the project, for a run from any folder

from features.tile import TILE_PX
from models.fitting import Task, fit_network
from models.inference import log_proba_of_members, state_of
from models.kernel_head import Member
from models.networks import make_network
from models.pictures import Pictures
from models.recipes import CnnParameters, cnn_parameters

CLASSES = 20
EPOCHS = 6  # of ours; the first is the warm-up


class Augmented(Dataset):
    """One picture at a time, changed by OpenCV in a worker process."""

    def __init__(self, tiles: np.ndarray, codes: np.ndarray, size_px: int) -> None:
        self.tiles, self.codes, self.size_px = tiles, codes, size_px

    def __len__(self) -> int:
        return len(self.tiles)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        rng = np.random.default_rng()
        picture = self.tiles[row]
        if rng.random() < 0.5:
            picture = cv2.flip(picture, 1)
        turned = cv2.getRotationMatrix2D((TILE_PX / 2, TILE_PX / 2), rng.uniform(-12, 12), rng.uniform(0.8, 1.2))
        turned[:, 2] = turned[:, 2] + rng.uniform(-0.08, 0.08, 2) * TILE_PX
        picture = cv2.warpAffine(picture, turned, (TILE_PX, TILE_PX), borderValue=(255, 255, 255))
        picture = cv2.resize(picture, (self.size_px, self.size_px), interpolation=cv2.INTER_AREA)
        picture = cv2.convertScaleAbs(picture, alpha=rng.uniform(0.85, 1.15))
        return torch.from_numpy(picture).permute(2, 0, 1).float() / 255, int(self.codes[row])


def main() -> int:
    """All sides, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in {"size": 128, "width": 64, "batch": 256, "pictures": 8192, "seconds": 20, "workers": 16}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    chosen = parser.parse_args()
    if not torch.cuda.is_available():
        print("there is no CUDA device here; this benchmark is for one", file=sys.stderr)
        return 1
    rng = np.random.default_rng(0)
    tiles = rng.integers(0, 256, (chosen.pictures, TILE_PX, TILE_PX, 3), np.uint8)
    codes = rng.integers(0, CLASSES, chosen.pictures)
    p = cnn_parameters("best", chosen={"size": chosen.size, "width": chosen.width, "batch": chosen.batch, "epochs": EPOCHS, "progressive": False,
                                       "device": "cuda"})
    print(json.dumps({"device": torch.cuda.get_device_name(), "torch": torch.__version__, **vars(chosen)}), flush=True)
    figures = {"ours": own_rate(tiles, codes, p), "ours, compiled": own_rate(tiles, codes, replace(p, compiled=True)),
               "loader": loader_rate(tiles, codes, p, chosen.workers, chosen.seconds)}
    for name, rate in figures.items():
        print(json.dumps({"side": name, "pictures_per_s": round(rate), "of_loader": round(rate / figures["loader"], 2)}), flush=True)
    print(json.dumps({"largest_difference_cpu_gpu": agreement(tiles[:256], p)}), flush=True)
    return 0


def own_rate(tiles: np.ndarray, codes: np.ndarray, p: CnnParameters) -> float:
    """Pictures/s of the training loop, the best epoch but the first."""
    pictures = Pictures(np.empty((len(tiles), 0), np.float32), tiles, np.arange(len(tiles)))
    nothing = np.arange(0)
    fitted = fit_network(Task(pictures, codes, pictures.take(nothing), codes[:0], CLASSES, 0), p)
    return max(epoch.pictures_per_s for epoch in fitted.history[1:])


def loader_rate(tiles: np.ndarray, codes: np.ndarray, p: CnnParameters, workers: int, seconds: float) -> float:
    """Pictures/s of a plain loop over a DataLoader, whose workers were started and warm."""
    loader: Any = DataLoader(Augmented(tiles, codes, p.size), p.batch, shuffle=True, num_workers=workers, pin_memory=True, persistent_workers=True,
                             drop_last=True)
    network = make_network(p.arch, CLASSES, p.size, p.width, 3, p.patch).cuda().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    torch.backends.cudnn.benchmark = True
    plain_epoch(network, loader, optimizer)
    seen, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        seen += plain_epoch(network, loader, optimizer)
    return seen / (time.perf_counter() - started)


def plain_epoch(network: torch.nn.Module, loader: Any, optimizer: torch.optim.Optimizer) -> int:
    """One pass; the number of pictures."""
    seen = 0
    for x, codes in loader:
        x = x.cuda(non_blocking=True).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cuda", torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(network(x), codes.cuda(non_blocking=True), label_smoothing=0.1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        seen += len(x)
    torch.cuda.synchronize()
    return seen


def agreement(tiles: np.ndarray, p: CnnParameters) -> float:
    """Of one fresh model's probabilities, in float32."""
    pictures = Pictures(np.empty((len(tiles), 0), np.float32), tiles, np.arange(len(tiles)))
    state = state_of(make_network(p.arch, CLASSES, p.size, p.width, 3, p.patch))
    cpu, gpu = (np.exp(log_proba_of_members([Member(state, None)], p, CLASSES, pictures, device)) for device in ("cpu", "cuda"))
    return float(np.abs(cpu - gpu).max())


if __name__ == "__main__":
    raise SystemExit(main())
