"""Labels that are more probably wrong than right, by models that had not seen the picture: scored against as they are, not learned from.

Neither the final model nor its decision learns from them; benchmarks/cleaning.py measures what that is worth.
"""

from typing import NamedTuple

import numpy as np

from cleaning.labels import check_labels
from models.decision import Decision, decided_by_others
from models.pictures import Examples

MOST_DOUBTED = 0.5  # of a label's pictures; of a label that is doubted more than this nothing is left out


class Decided(NamedTuple):
    """Calibrated ``proba`` (n, n_classes) and codes ``chosen`` (n,) as `models.decision.decided_by_others` has them, the ``decision`` for what comes
    and for the held-out part, and the ``doubted`` (n,) bool labels that it was not fitted on."""

    decision: Decision
    proba: np.ndarray
    chosen: np.ndarray
    doubted: np.ndarray


def decided(examples: Examples, raw: np.ndarray, part: np.ndarray, trust_labels: bool, doubted: np.ndarray | None = None) -> Decided:
    """From out-of-fold log-probabilities ``raw`` (n, n_classes), each ``part`` (n,) of the folds decided by the others; ``doubted``: None
    for those that these very probabilities doubt."""
    decision, proba, chosen = decided_by_others(raw, examples.codes, examples.fold, part)
    if doubted is None:
        doubted = np.zeros(len(raw), bool) if trust_labels else doubted_labels(examples, proba, examples.fold >= 0)
    if doubted.any():
        decision = undoubted_decision(examples, raw, doubted)
        held_out = examples.fold < 0
        proba[held_out] = decision.proba(raw[held_out])
        chosen[held_out] = decision.codes(proba[held_out])
    return Decided(decision, proba, chosen, doubted)


def doubted_labels(examples: Examples, proba: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """(n,) bool: among the ``judged`` (n,) the labels that are more probably wrong than right, by ``proba`` (n, n_classes) of machines that
    had not seen the picture; rows of NaN are not judged.

    Never one that a person decided, and none of a label of which more than half would go: then the label is hard, or the model is bad.
    """
    judged = judged & ~np.isnan(proba[:, 0])
    codes, n_classes = examples.codes[judged], proba.shape[1]
    wrong = check_labels(codes, proba[judged]).wrong & ~examples.trusted[judged]
    share = np.bincount(codes, wrong, n_classes) / np.maximum(np.bincount(codes, minlength=n_classes), 1)
    doubted = np.zeros(len(judged), bool)
    doubted[judged] = wrong & (share[codes] <= MOST_DOUBTED)
    return doubted


def undoubted_decision(examples: Examples, raw: np.ndarray, doubted: np.ndarray) -> Decision:
    """For a model of all folds, from their out-of-fold log-probabilities ``raw`` (n, n_classes), but for the ``doubted`` (n,)."""
    told = (examples.fold >= 0) & ~doubted & ~np.isnan(raw[:, 0])
    return Decision().fit(raw[told], examples.codes[told])
