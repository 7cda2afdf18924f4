#!/usr/bin/env python3
"""What lies between the score out of fold and the score on a clean test part.

    python benchmarks/out_of_fold.py --set SET --artifacts DIR [--jobs 2] [--models lgbm cnn stack]

A SET is a folder with ``training/``, a clean ``test/`` and ``truth.csv`` (`benchmarks/campset.py` makes such sets); ``--artifacts`` holds models
trained on its ``training/``. The same predictions are judged twice: by the labels as they are, wrong ones included, and by the true labels.

out of fold     of every picture that is not held out, by models that had learned from the other folds, 64 % of the pictures
held out        by a model, or the mean of the fold models, of the 80 % that are not held out
test            by the saved model, which after ``--refit`` learned from 100 %

The product never reads ``truth.csv``. One JSON object per line on stdout; intervals are bootstraps of groups of copies.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the project, for a run from any folder

import pipeline
import scoring
from cleaning.folds import TEST
from models.artifacts import load_model
from models.intervals import Judged, figures


def main() -> int:
    """Lines per model: where it was judged, by which labels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, required=True, dest="folder")
    parser.add_argument("--artifacts", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--models", nargs="*", default=["lgbm", "cnn", "stack"])
    chosen = parser.parse_args()
    workspace = pipeline.Workspace(chosen.folder / "training", chosen.artifacts, jobs=chosen.jobs)
    manifest = pipeline.read_manifest(workspace)
    truth = pd.read_csv(chosen.folder / "truth.csv", dtype=str, keep_default_na=False).set_index("path")["true_label"]
    for name in chosen.models:
        file = chosen.artifacts / f"{name}.joblib"
        if not file.exists():
            continue
        card = load_model(file)[1]
        said = pd.read_parquet(pipeline.predictions_file(file))
        said = said[said["predicted"] != ""]
        groups = manifest["group"].reindex(said.index).to_numpy()
        true = truth.reindex("training/" + said.index).to_numpy()
        for where, rows in {"out of fold": (said["fold"] != TEST).to_numpy(), "held out": (said["fold"] == TEST).to_numpy()}.items():
            for by, labels in {"labels as they are": said["label"].to_numpy(), "true labels": true}.items():
                proba = said.loc[rows, columns(card)].to_numpy()
                tell(name, where, by, said.loc[rows, "predicted"], proba, labels[rows], groups[rows], card["classes"])
        test = scoring.predict(workspace, file, [chosen.folder / "test"])
        test = test[test["issue"] == ""]
        labels = np.array([Path(path).parent.name for path in test.index], dtype=object)
        after = f"test{', after a refit' if card.get('refit') else ''}"
        tell(name, after, "true labels", test["predicted"], test[card["classes"]].to_numpy(), labels, np.arange(len(test)), card["classes"])
    return 0


def columns(card: dict[str, Any]) -> list[str]:
    """Those of the probabilities, in the order of the classes."""
    return [pipeline.PROBABILITY + label for label in card["classes"]]


def tell(name: str, where: str, by: str, predicted: pd.Series, proba: np.ndarray, labels: np.ndarray, groups: np.ndarray,
         classes: list[str]) -> None:
    """One line; pictures without a true class (photographs that were kept) are left out."""
    code = {label: i for i, label in enumerate(classes)}
    known = np.array([label in code for label in labels])
    codes = np.array([code[label] for label in labels[known]])
    judged = Judged(codes, np.array([code[label] for label in predicted[known]]), -np.log(np.maximum(proba[known, codes], 1e-12)), groups[known])
    figure = {key: np.round(value, 3).tolist() for key, value in figures(judged, len(classes)).items()}
    print(json.dumps({"model": name, "where": where, "by": by, "pictures": int(known.sum()), **figure}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
