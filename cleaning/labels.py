"""Wrong labels: confident learning on probabilities by models that had not seen the picture.

Northcutt, Jiang & Chuang 2021, by cleanlab; the score is the share of the given label against the best other one, which ranked
a campset's wrong labels better than cleanlab's own scores (docs/lab-notes.md). How many of the lowest scores are wrong is calibrated on the
data itself: what scores wrong labels have is known, by giving every picture every other label, and there cannot be more wrong labels than
leave room for those scores (mixture proportion estimation, Blanchard, Lee & Scott 2010).
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues

from features.scan import label_codes

MIN_PICTURES = 10  # of a label: with fewer, its probabilities are guesses
SUSPECT_PRECISION = 0.5  # more of the list are wrong than right
SHORTEST_LIST = 10  # of fewer pictures nothing is said
UPPER_ERRORS, LOWER_ERRORS = 8.0, 1.5  # standard errors of `list_precision`, chosen on made sets (docs/lab-notes.md)


class LabelCheck(NamedTuple):
    """``score`` (n,) in [0, 1], low = wrong, nan where the label is too small; ``suggested`` (n,) codes and ``proba`` (n,) of them;
    ``precision`` (n,): `list_precision`; ``wrong`` (n,) bool: what confident learning calls wrong, as far down as more than half are;
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
    share, suggested = _own_share(codes, proba)
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


def list_precision(codes: np.ndarray, proba: np.ndarray) -> np.ndarray:
    """(n,) the share of wrong labels, at least, among the pictures that score as low as this one or lower.

    A wrong label is taken to be another one at random, as often as the label occurs. Of n pictures k score below s, and a share w(s) of
    planted wrong labels does; so at most k / n / w(s) of all labels are wrong, whatever s is. The least of these is often that of a few lowest
    scores by chance; that with the least upper bound, lowered by 1.5 standard errors of k, is the share that the whole list is read with.
    """
    n, n_classes = proba.shape
    prior = np.bincount(codes, minlength=n_classes) / n
    scores = np.sort(_own_share(codes, proba)[0])
    planted = [_own_share(np.full(n, code), proba)[0] for code in range(n_classes)]
    weights = [np.where(codes == code, 0, prior[code] / np.maximum(1 - prior[codes], 1e-12)) / n for code in range(n_classes)]
    order = np.argsort(np.concatenate(planted), kind="stable")
    below = np.searchsorted(np.concatenate(planted)[order], scores, side="right")
    cumulated = np.concatenate([[0], np.concatenate(weights)[order].cumsum()])[below]
    k = np.arange(1, n + 1)
    bound = k / n / np.maximum(cumulated, 1e-12)
    shortest = min(SHORTEST_LIST, n) - 1
    upper = bound * (1 + UPPER_ERRORS / np.sqrt(k))
    least = shortest + int(upper[shortest:].argmin())
    wrong_share = bound[least] * (1 - LOWER_ERRORS / np.sqrt(k[least]))
    at = np.minimum(wrong_share / bound, wrong_share / bound[least])
    at = np.maximum.accumulate(at[::-1])[::-1]  # a list that goes on being wrong was no better before
    return at[np.searchsorted(scores, _own_share(codes, proba)[0], side="right") - 1]


def _own_share(codes: np.ndarray, proba: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) own / (own + best other), and (n,) the best other's code."""
    rows = np.arange(len(codes))
    own = proba[rows, codes]
    others = proba.copy()
    others[rows, codes] = -1
    best = others.argmax(axis=1)
    return own / np.maximum(own + np.maximum(others[rows, best], 0), 1e-12), best
