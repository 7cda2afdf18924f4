"""Labels that are more probably wrong than right, by models that had not seen the picture: scored against as they are, not learned from.

The final model does not learn from them; benchmarks/cleaning.py measures what that is worth. Its calibration and decision do: without the
pictures that a model is surest to have wrong, it would think too well of itself (docs/lab-notes.md).
"""

import numpy as np

from cleaning.labels import check_labels
from models.pictures import Examples

MOST_DOUBTED = 0.5  # of a label's pictures; of a label that is doubted more than this nothing is left out


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
