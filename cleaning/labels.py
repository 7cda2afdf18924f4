"""Wrong labels: confident learning on probabilities by models that had not seen the picture.

Northcutt, Jiang & Chuang 2021, by cleanlab; the score is the share of the given label against the best other one, which ranked
a campset's wrong labels better than cleanlab's own scores (docs/lab-notes.md).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues

MIN_PICTURES = 10  # of a label: with fewer, its probabilities are guesses


class LabelCheck(NamedTuple):
    """``score`` (n,) in [0, 1], low = wrong, nan where the label is too small; ``suggested`` (n,) codes and ``proba`` (n,) of them; ``wrong``
    (n,) bool: what confident learning calls wrong; ``small``: codes of labels that were not judged."""

    score: np.ndarray
    suggested: np.ndarray
    proba: np.ndarray
    wrong: np.ndarray
    small: list[int]


def label_table(paths: pd.Index, labels: np.ndarray, proba: np.ndarray, classes: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """`check_labels` of n ``paths`` with ``labels`` (n,): columns ``score``, ``suggested`` (a label), ``proba``, ``wrong``; the labels not judged."""
    position = {label: code for code, label in enumerate(classes)}
    check = check_labels(np.array([position[label] for label in labels.tolist()]), proba)
    table = pd.DataFrame({"score": check.score, "suggested": [classes[code] for code in check.suggested], "proba": check.proba, "wrong": check.wrong},
                         index=paths)
    return table, [classes[code] for code in check.small]


def check_labels(codes: np.ndarray, proba: np.ndarray) -> LabelCheck:
    """(n,) label codes and (n, n_classes) probabilities by models that had not seen the pictures."""
    n_classes = proba.shape[1]
    counts = np.bincount(codes, minlength=n_classes)
    rows = np.arange(len(codes))
    own = proba[rows, codes]
    others = proba.copy()
    others[rows, codes] = -1
    suggested = others.argmax(axis=1)
    best = np.maximum(others[rows, suggested], 0)
    small = np.flatnonzero((counts > 0) & (counts < MIN_PICTURES))
    judged = ~np.isin(codes, small)
    score = np.where(judged, own / np.maximum(own + best, 1e-12), np.nan)
    wrong = np.zeros(len(codes), bool)
    present = np.flatnonzero(counts >= MIN_PICTURES)
    if len(present) > 1:
        position = np.searchsorted(present, codes[judged])
        narrowed = np.maximum(proba[judged][:, present], 1e-12)
        wrong[judged] = find_label_issues(position, narrowed / narrowed.sum(axis=1, keepdims=True), filter_by="both", n_jobs=1)
    return LabelCheck(score, suggested, best, wrong & (score < 0.5), small.tolist())
