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

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the project, for a run from any folder

import scoring
from cleaning.folds import TEST
from models.artifacts import read_card
from models.intervals import figures
from workspace import PROBABILITY, Workspace, predictions_file, read_manifest


def main() -> int:
    """Lines per model: where it was judged, by which labels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", type=Path, required=True, dest="folder")
    parser.add_argument("--artifacts", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--models", nargs="*", default=["lgbm", "cnn", "stack"])
    chosen = parser.parse_args()
    workspace = Workspace(chosen.folder / "training", chosen.artifacts, jobs=chosen.jobs)
    manifest = read_manifest(workspace)
    truth = pd.read_csv(chosen.folder / "truth.csv", dtype=str, keep_default_na=False).set_index("path")["true_label"]
    for name in chosen.models:
        file = chosen.artifacts / f"{name}.joblib"
        if not file.exists():
            continue
        card = read_card(file)
        classes = card["classes"]
        said = pd.read_parquet(predictions_file(file))
        said = said[said["predicted"] != ""].assign(group=manifest["group"])
        true = said.assign(label=truth.reindex("training/" + said.index).to_numpy())
        for where, rows in {"out of fold": said["fold"] != TEST, "held out": said["fold"] == TEST}.items():
            tell(name, where, "labels as they are", said[rows], classes)
            tell(name, where, "true labels", true[rows], classes)
        test = scoring.predict(workspace, file, [chosen.folder / "test"])
        test = test[test["issue"] == ""].rename(columns={label: PROBABILITY + label for label in classes})
        after = f"test{', after a refit' if card.get('refit') else ''}"
        tell(name, after, "true labels", test.assign(label=[Path(path).parent.name for path in test.index], group=test.index), classes)
    return 0


def tell(name: str, where: str, by: str, table: pd.DataFrame, classes: list[str]) -> None:
    """One line; pictures without a true class (photographs that were kept) are left out."""
    table = table[table["label"].isin(classes)]
    figure = {key: np.round(value, 3).tolist() for key, value in figures(scoring.judged_of(table, classes), len(classes)).items()}
    print(json.dumps({"model": name, "where": where, "by": by, "pictures": len(table), **figure}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
