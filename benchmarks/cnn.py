#!/usr/bin/env python3
"""How fast an epoch of our default network is beside the contest team's, and what each part of the recipe is worth.

    python benchmarks/cnn.py speed  [--data DIR] [--artifacts DIR] [--size 64] [--rounds 3] [--threads 2]
    python benchmarks/cnn.py ablate [--data DIR] [--artifacts DIR] [--preset fast] [--seeds 1] [--only NAME …] [--epochs N]

`speed` trains `scratch` and `camp` at one size, and the preset at its own, for whole epochs in turn, on the same pictures, in one process;
the best round of each counts. Whole epochs: order, augmentation, forward, backward, step; not the validation. Also at float32, for processors without
bfloat16, and there with torch's own convolutions instead of minimal filtering. `ablate` trains the preset once as it is and once per change of
`ABLATIONS`, watched on the first fold of the training part, never on a test part; figures are means over the seeds, with the standard deviation where
there are several.

Needs what `python cli.py clean` made in --artifacts. One JSON object per line on stdout, progress on stderr.
"""

import argparse
import json
import platform
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the project, for a run from any folder

import pipeline
from models import winograd
from models.cnn_training import epoch_line, member_of
from models.decision import decided_by_others
from models.evaluation import metrics
from models.fitting import Task, fit_network
from models.inference import log_proba_of_members
from models.recipes import CnnParameters, cnn_parameters
from workspace import Workspace

PRESET = "fast"
DIRECT = "by torch's convolutions"
ABLATIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "softmax only": {"kernel_head": False},
    "three views": {"views": 3},
    "patches of 4 px": {"patch": 4},
    "64 px": {"size": 64},
    "96 px": {"size": 96},
    "small pictures first": {"progressive": True},
    "width 16": {"width": 16},
    "width 64": {"width": 64},
    "batches of 32": {"batch": 32},
    "learning rate 2e-3": {"learning_rate": 2e-3},
    "learning rate 8e-3": {"learning_rate": 8e-3},
    "weight decay 0.05": {"weight_decay": 0.05},
    "weight decay 0.5": {"weight_decay": 0.5},
    "half as long": {"epochs": 9},
    "twice as long": {"epochs": 36},
    "moving average over 3 epochs": {"average_epochs": 3.0},
    "no moving average": {"average_epochs": 0.0},
    "no smoothing": {"smoothing": 0.0},
    "every picture as often": {"sampling": 0.0},
    "every class as often": {"sampling": 1.0},
    "logit adjustment 1, every picture as often": {"sampling": 0.0, "logit_adjustment": 1.0},
    "weighted loss, every picture as often": {"sampling": 0.0, "loss": "weighted"},
    "focal loss": {"loss": "focal"},
    "adamw": {"optimizer": "adamw"},
    "sgd": {"optimizer": "sgd", "learning_rate": 0.05, "weight_decay": 1e-3},
    "no rotation, shift, shear, zoom": {"rotation": 0.0, "shift": 0.0, "shear": 0.0, "zoom": 0.0},
    "not mirrored": {"mirror": False},
    "upside down too": {"upside_down": True},
    "no brightness, contrast, saturation": {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0},
    "any hue": {"hue": 0.5},
    "a third gray": {"grayscale": 0.3},
    "cutout 0.3": {"cutout": 0.3},
    "grid mask 0.5": {"grid_mask": 0.5},
    "mixup 0.2": {"mixup": 0.2},
    "cutmix 1": {"cutmix": 1.0},
    "one view": {"mirrored_views": False},
    "gray": {"gray": True},
    "float32": {"precision": "float32"},
}


def main() -> int:
    """One of the two measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "ablate"])
    parser.add_argument("--data", type=Path, default=Path("artifacts/campset/training"))
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--size", type=int, default=64, help="px, for speed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--preset", default=PRESET)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=0, help="instead of the preset's")
    parser.add_argument("--only", nargs="*", help="names of ablations, or of sides of speed")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    print(json.dumps({"machine": machine(), "threads": chosen.threads, "torch": torch.__version__}), flush=True)
    {"speed": speed, "ablate": ablate}[chosen.what](chosen)
    return 0


def speed(chosen: argparse.Namespace) -> None:
    """Seconds per epoch, side by side."""
    task, _ = task_of(chosen.data, chosen.artifacts)
    one_epoch = {"epochs": 1, "progressive": False, "size": chosen.size}
    sides = {f"{arch} {precision}": cnn_parameters(PRESET, arch, {**one_epoch, "precision": precision})
             for arch in ("scratch", "camp") for precision in ("auto", "float32")}
    preset = cnn_parameters(chosen.preset, chosen={"epochs": 1, "progressive": False})
    own, single = f"preset {chosen.preset}, at its own {preset.size} px", replace(preset, precision="float32")
    sides |= {own: preset, f"{own}, float32": single, f"{own}, float32 {DIRECT}": single}
    sides = {name: p for name, p in sides.items() if name in (chosen.only or sides)}
    best: dict[str, float] = {}
    for number in range(chosen.rounds):
        for name, p in sides.items():
            with mock.patch.object(winograd, "FEWEST_CHANNELS", 10**9 if DIRECT in name else winograd.FEWEST_CHANNELS):
                best[name] = min(best.get(name, np.inf), epoch_seconds(task, p))
            print(f"round {number + 1} of {chosen.rounds}: {name}: {best[name]:.1f} s", file=sys.stderr, flush=True)
    for name, seconds in best.items():
        reference = best.get("camp float32" if "float32" in name else "camp auto")
        print(json.dumps({"side": name, "size_px": sides[name].size, "pictures": len(task.codes), "seconds_per_epoch": round(seconds, 2),
                          "pictures_per_s": round(len(task.codes) / seconds), "of_camp": reference and round(seconds / reference, 3)}), flush=True)


def epoch_seconds(task: Task, p: CnnParameters) -> float:
    """Of one whole epoch, the set-up of the network not counted."""
    unwatched = task._replace(watch=task.watch.take(np.arange(0)), watch_codes=task.watch_codes[:0])
    return len(task.codes) / fit_network(unwatched, p).history[0].pictures_per_s


def ablate(chosen: argparse.Namespace) -> None:
    """One line per change, best first to read beside 'as it is'."""
    task, classes = task_of(chosen.data, chosen.artifacts)
    more = {"epochs": chosen.epochs} if chosen.epochs else {}
    for name in chosen.only or ABLATIONS:
        p = cnn_parameters(chosen.preset, chosen={**more, **ABLATIONS[name]})
        started = time.perf_counter()
        runs = [watched_figures(task, replace(p, seed=seed), classes) for seed in range(chosen.seeds)]
        line = {key: round(float(np.mean([run[key] for run in runs])), 4) for key in runs[0]}
        spread = {f"{key}_sd": round(float(np.std([run[key] for run in runs], ddof=1)), 4) for key in runs[0]} if len(runs) > 1 else {}
        print(json.dumps({"change": name, "runs": len(runs), "watched": len(task.watch_codes), **line, **spread,
                          "seconds_per_run": round((time.perf_counter() - started) / len(runs))}), flush=True)


def watched_figures(task: Task, p: CnnParameters, classes: list[str]) -> dict[str, float]:
    """Macro-F1, micro-F1 and log loss of the watched fold; calibrated and decided on the other half of it."""
    fitted = fit_network(task, p, on_epoch=lambda epoch: print(epoch_line("network", epoch, p.epochs), file=sys.stderr, flush=True))
    raw = log_proba_of_members([member_of(fitted, task, p)], p, len(classes), task.watch)
    _, proba, codes = decided_by_others(raw, task.watch_codes, np.zeros(len(raw), int), np.arange(len(raw)) % 2)
    names = np.array(classes, dtype=object)
    found = metrics(names[task.watch_codes], names[codes], proba, classes)
    return {key: found[key] for key in ("macro_f1", "micro_f1", "log_loss")}


def task_of(data: Path, artifacts: Path) -> tuple[Task, list[str]]:
    """The kept pictures' folds: the first is watched, the others are learned from, the held-out part is left alone."""
    found = pipeline.learning_data(Workspace(data, artifacts))
    learn, watch, codes = found.fold > 0, found.fold == 0, found.codes
    return Task(found.pictures.take(learn), codes[learn], found.pictures.take(watch), codes[watch], len(found.classes), 0), found.classes


def machine() -> str:
    """Processor, or GPU where there is one."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    names = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {len(names)} logical cores, {torch.backends.cpu.get_cpu_capability()}"


if __name__ == "__main__":
    raise SystemExit(main())
