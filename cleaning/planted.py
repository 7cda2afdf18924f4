"""How many labels are wrong, by planted ones: mixture proportion estimation (Blanchard, Lee & Scott 2010) on a model's probabilities.

What scores wrong labels have is known, by giving every picture every other label; there cannot be more wrong labels than leave room for those
scores. A wrong label is taken to be another one at random, as often as the label occurs. No threshold and no calibration is asked of the model,
only that wrong labels score lower than right ones.
"""

from typing import NamedTuple

import numpy as np

SHORTEST_LIST = 10  # of fewer pictures nothing is said
UPPER_ERRORS, LOWER_ERRORS = 8.0, 1.5  # standard errors of `list_precision`, chosen on made sets (docs/lab-notes.md)
MOST_PLANTED = 10_000  # pictures that are given every other label
MOST_NOISE = 0.2


class _Bounds(NamedTuple):
    """Of the sorted ``scores`` (n,): what share of all labels is wrong at most, by as many as score so low, and at which score that is least."""

    scores: np.ndarray
    bound: np.ndarray
    least: int

    @property
    def wrong_share(self) -> float:
        """The least bound, lowered by 1.5 standard errors of the pictures that it counts."""
        return float(self.bound[self.least] * (1 - LOWER_ERRORS / np.sqrt(self.least + 1)))


def list_precision(codes: np.ndarray, proba: np.ndarray) -> np.ndarray:
    """(n,) the share of wrong labels, at least, among the pictures that score as low as this one or lower.

    Of n pictures k score below s, and a share w(s) of planted wrong labels does; so at most k / n / w(s) of all labels are wrong, whatever s
    is. The least of these is often that of a few lowest scores by chance; that with the least upper bound, lowered by 1.5 standard errors of k,
    is the share that the whole list is read with.
    """
    found = _bounds(codes, proba)
    at = np.minimum(found.wrong_share / found.bound, found.wrong_share / found.bound[found.least])
    at = np.maximum.accumulate(at[::-1])[::-1]  # a list that goes on being wrong was no better before
    return at[np.searchsorted(found.scores, own_share(codes, proba)[0], side="right") - 1]


def label_noise(codes: np.ndarray, proba: np.ndarray) -> float:
    """The share of labels (n,) that say nothing of their pictures, of which a model that had not seen them says ``proba`` (n, n_classes); rather too
    low than too high. At most `MOST_NOISE`, and less by what so few pictures cannot tell from none."""
    if len(codes) <= SHORTEST_LIST or proba.shape[1] < 2:
        return 0.0
    return float(np.clip(_bounds(codes, proba).wrong_share - SHORTEST_LIST / len(codes), 0, MOST_NOISE))


def own_share(codes: np.ndarray, proba: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) own / (own + best other), and (n,) the best other's code."""
    rows = np.arange(len(codes))
    own = proba[rows, codes]
    others = proba.copy()
    others[rows, codes] = -1
    best = others.argmax(axis=1)
    return own / np.maximum(own + np.maximum(others[rows, best], 0), 1e-12), best


def _bounds(codes: np.ndarray, proba: np.ndarray) -> _Bounds:
    n, n_classes = proba.shape
    prior = np.bincount(codes, minlength=n_classes) / n
    scores = np.sort(own_share(codes, proba)[0])
    some = np.unique(np.linspace(0, n - 1, min(n, MOST_PLANTED)).astype(int))
    planted = _every_share(proba[some]).ravel()
    weights = np.where(codes[some, None] == np.arange(n_classes), 0, prior / np.maximum(1 - prior[codes[some], None], 1e-12)) / len(some)
    order = np.argsort(planted, kind="stable")
    below = np.searchsorted(planted[order], scores, side="right")
    cumulated = np.concatenate([[0], weights.ravel()[order].cumsum()])[below]
    k = np.arange(1, n + 1)
    bound = k / n / np.maximum(cumulated, 1e-12)
    shortest = min(SHORTEST_LIST, n) - 1
    upper = bound * (1 + UPPER_ERRORS / np.sqrt(k))
    return _Bounds(scores, bound, shortest + int(upper[shortest:].argmin()))


def _every_share(proba: np.ndarray) -> np.ndarray:
    """(n, n_classes): `own_share` of each picture if it had each label."""
    first, second = -np.partition(-proba, 1, axis=1)[:, :2].T
    best_other = np.where(np.arange(proba.shape[1]) == proba.argmax(axis=1)[:, None], second[:, None], first[:, None])
    return proba / np.maximum(proba + best_other, 1e-12)
