#!/usr/bin/env python3
"""Builds a set in which a random split leaks, as it does with pictures of the same driver (source D of the seeds; State Farm on Kaggle).

    python benchmarks/drivers.py --drawings DIR --out DIR [--labels 6] [--drivers 20] [--frames 6] [--seed 0]

``--drawings`` is a folder of labelled drawings, a sub-folder each (`benchmarks/campset.py`). Every driver has a ground of his own colour and, for
each of the labels with the most drawings, one drawing that nobody else has, in ``--frames`` frames: moved by up to 12 px, turned by up to 12
degrees, 0.8 to 1 as large, darker or brighter by up to 15 %. Whoever has seen a frame knows the label of the others; a new driver's is another
matter. Writes

    OUT/training/LABEL/*.jpg     all drivers but the last quarter
    OUT/test/LABEL/*.jpg         the drivers that nobody has seen
    OUT/groups.csv               path, group (the driver) of the training part
"""

import argparse
import csv
import sys
from pathlib import Path

import cv2
import numpy as np

SIDE_PX = 240


def main() -> int:
    """0 done, 1 too few drawings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drawings", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    for name, default in {"labels": 6, "drivers": 20, "frames": 6, "seed": 0}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    rng = np.random.default_rng(chosen.seed)
    files = {folder.name: sorted(folder.iterdir()) for folder in sorted(chosen.drawings.iterdir()) if folder.is_dir()}
    labels = sorted(sorted(files, key=lambda label: (-len(files[label]), label))[:chosen.labels])
    short = [label for label in labels if len(files[label]) < chosen.drivers]
    if short or len(labels) < chosen.labels:
        print(f"drivers: {chosen.drawings} has too few drawings for {chosen.labels} labels of {chosen.drivers}", file=sys.stderr)
        return 1
    rows = []
    order = {label: rng.permutation(len(files[label])) for label in labels}
    for driver in range(chosen.drivers):
        part = "test" if driver >= chosen.drivers * 3 // 4 else "training"
        ground = rng.integers(120, 256, 3)
        for label in labels:
            drawing = cv2.imread(str(files[label][order[label][driver]]), cv2.IMREAD_COLOR)
            if drawing is None:
                continue
            drawing = cv2.resize(drawing, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
            for _ in range(chosen.frames):
                file = chosen.out / part / label / f"{rng.integers(2**40):010x}.jpg"
                file.parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(file), frame(drawing, ground, rng))
                if part == "training":
                    rows.append((f"{label}/{file.name}", f"driver {driver:02d}"))
    with (chosen.out / "groups.csv").open("w", newline="", encoding="utf-8") as target:
        csv.writer(target).writerows([("path", "group"), *rows])
    print(f"{len(rows):,} pictures of {chosen.drivers * 3 // 4} drivers for training")
    return 0


def frame(drawing: np.ndarray, ground: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(SIDE_PX, SIDE_PX, 3) uint8: the drawing on its driver's ground, where the drawing is white, as one frame of a video shows it."""
    turn = cv2.getRotationMatrix2D((SIDE_PX / 2, SIDE_PX / 2), rng.uniform(-12, 12), rng.uniform(0.8, 1))
    turn[:, 2] = turn[:, 2] + rng.uniform(-12, 12, 2)
    moved = cv2.warpAffine(drawing, turn, (SIDE_PX, SIDE_PX), flags=cv2.INTER_LINEAR, borderValue=(255, 255, 255))
    shaded = moved.astype(float) / 255 * ground * rng.uniform(0.85, 1.15)
    return np.clip(shaded, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    sys.exit(main())
