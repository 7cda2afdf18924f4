#!/usr/bin/env python3
"""Do colour or gray pictures classify better? The contest team chose gray without measuring (their open question, row B3).

    python benchmarks/color_or_gray.py [--data DIR] [--artifacts DIR] [--preset fast] [--seeds 3] [--epochs N] [--threads 2]

The same network, folds and seeds, once in colour and once in gray, on every fold in turn: each kept picture of the training part is
predicted by a network that did not see it. Per seed the difference in macro-F1 over all folds together, then an interval over the
seeds (t distribution) and one over pictures (bootstrap of the groups, seeds pooled). The held-out part is left alone.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy import stats
from sklearn.metrics import f1_score

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the project, for a run from any folder

import pipeline
from models.cnn_training import member_of
from models.fitting import Task, fit_network
from models.inference import log_proba_of_members
from models.pictures import Pictures
from models.recipes import CnnParameters, cnn_parameters
from workspace import Workspace

RESAMPLES = 2000
LEVEL = 0.95


def main() -> int:
    """One JSON object per seed, then the answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("artifacts/campset/training"))
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--folds", type=int, default=0, help="only so many of them, for a trial")
    parser.add_argument("--epochs", type=int, default=0, help="instead of the preset's")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    data = pipeline.learning_data(Workspace(chosen.data, chosen.artifacts))
    fold, codes = data.fold, data.codes
    folds = range(chosen.folds or int(fold.max()) + 1)
    judged = np.isin(fold, folds)
    answers = []
    for seed in range(chosen.seeds):
        p = replace(cnn_parameters(chosen.preset, chosen={"epochs": chosen.epochs} if chosen.epochs else {}), seed=seed)
        both = [predicted(data.pictures, codes, fold, folds, len(data.classes), replace(p, gray=gray)) for gray in (False, True)]
        answers.append(both)
        color, gray = (macro_f1(codes[judged], one[judged]) for one in both)
        print(json.dumps({"seed": seed, "n": int(judged.sum()), "color": round(color, 4), "gray": round(gray, 4),
                          "difference": round(color - gray, 4)}), flush=True)
    found = [[one[judged] for one in both] for both in answers]
    print(json.dumps(summary(codes[judged], found, data.kept["group"].to_numpy()[judged])), flush=True)
    return 0


def predicted(pictures: Pictures, codes: np.ndarray, fold: np.ndarray, folds: Sequence[int], n_classes: int, p: CnnParameters) -> np.ndarray:
    """(n,) class codes by networks that had not seen the picture; -1 where no fold was asked for."""
    found = np.full(len(codes), -1)
    for k in folds:
        learn, watch = (fold >= 0) & (fold != k), fold == k
        task = Task(pictures.take(learn), codes[learn], pictures.take(watch), codes[watch], n_classes, k)
        fitted = fit_network(task, p)
        found[watch] = log_proba_of_members([member_of(fitted, task, p)], p, n_classes, pictures.take(watch)).argmax(1)
        print(f"seed {p.seed} fold {k} {'gray' if p.gray else 'color'}: macro-F1 {fitted.history[-1].macro_f1:.3f}", file=sys.stderr, flush=True)
    return found


def summary(codes: np.ndarray, answers: list[list[np.ndarray]], groups: np.ndarray) -> dict[str, object]:
    """The mean difference colour - gray with both intervals."""
    differences = np.array([macro_f1(codes, color) - macro_f1(codes, gray) for color, gray in answers])
    rng = np.random.default_rng(0)
    members = list(pd.Series(np.arange(len(codes))).groupby(groups).indices.values())
    resampled = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
        color, gray = answers[int(rng.integers(len(answers)))]
        resampled.append(macro_f1(codes[rows], color[rows]) - macro_f1(codes[rows], gray[rows]))
    over_pictures = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    several = len(differences) > 1
    over_seeds = stats.t.interval(LEVEL, len(differences) - 1, differences.mean(), stats.sem(differences)) if several else ()
    return {"color_minus_gray": round(float(differences.mean()), 4), "seeds": len(differences), "n": len(codes), "level": LEVEL,
            "over_seeds": [round(float(x), 4) for x in over_seeds], "over_pictures": [round(float(x), 4) for x in over_pictures]}


def macro_f1(codes: np.ndarray, found: np.ndarray) -> float:
    """Over the classes met."""
    return float(f1_score(codes, found, average="macro", zero_division=0.0))


if __name__ == "__main__":
    raise SystemExit(main())
