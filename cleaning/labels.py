"""Wrong labels: confident learning on probabilities by models that had not seen the picture.

Northcutt, Jiang & Chuang 2021, by cleanlab; the score is the share of the given label against the best other one, which ranked
a campset's wrong labels better than cleanlab's own scores (docs/lab-notes.md). How many of the lowest scores are wrong is calibrated on the
data itself (`cleaning.planted`).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues

from cleaning.planted import list_precision, own_share
from features.scan import label_codes

MIN_PICTURES = 10  # of a label: with fewer, its probabilities are guesses
SUSPECT_PRECISION = 0.5  # more of the list are wrong than right


class LabelCheck(NamedTuple):
    """``score`` (n,) in [0, 1], low = wrong, nan where the label is too small; ``suggested`` (n,) codes and ``proba`` (n,) of them; ``precision``
    (n,): `cleaning.planted.list_precision`; ``wrong`` (n,) bool: what confident learning calls wrong, as far down as more than half are;
    ``small``: codes of labels that were not judged."""

    score: np.ndarray
    suggested: np.ndarray
    proba: np.ndarray
    precision: np.ndarray
    wrong: np.ndarray
    small: list[int]


def label_table(paths: pd.Index, labels: np.ndarray, proba: np.ndarray, classes: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """`check_labels` of n ``paths`` with ``labels`` (n,): columns ``score``, ``suggested`` (a label), ``proba``, ``precision``, ``wrong``;
    and the labels that were not judged."""
    check = check_labels(label_codes(labels, classes), proba)
    table = pd.DataFrame({"score": check.score, "suggested": [classes[code] for code in check.suggested], "proba": check.proba,
                          "precision": check.precision, "wrong": check.wrong}, index=paths)
    return table, [classes[code] for code in check.small]


def check_labels(codes: np.ndarray, proba: np.ndarray) -> LabelCheck:
    """(n,) label codes and (n, n_classes) probabilities by models that had not seen the pictures."""
    n_classes = proba.shape[1]
    counts = np.bincount(codes, minlength=n_classes)
    rows = np.arange(len(codes))
    share, suggested = own_share(codes, proba)
    small = np.flatnonzero((counts > 0) & (counts < MIN_PICTURES))
    judged = ~np.isin(codes, small)
    score = np.where(judged, share, np.nan)
    precision = np.zeros(len(codes))
    wrong = np.zeros(len(codes), bool)
    present = np.flatnonzero(counts >= MIN_PICTURES)
    if len(present) > 1:
        position = np.searchsorted(present, codes[judged])
        narrowed = np.maximum(proba[judged][:, present], 1e-12)
        wrong[judged] = find_label_issues(position, narrowed / narrowed.sum(axis=1, keepdims=True), filter_by="both", n_jobs=1)
        precision[judged] = list_precision(position, narrowed)
    return LabelCheck(score, suggested, proba[rows, suggested], precision, wrong & (score < 0.5) & (precision >= SUSPECT_PRECISION), small.tolist())
