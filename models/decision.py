"""From raw log-probabilities to calibrated ones, and from those to a decision that is fair to rare classes.

Calibrated: p ∝ raw ** sharpness * prior ** shift, the two numbers that minimise log loss. Decided: argmax of
log p - tau * log prior (post-hoc logit adjustment, Menon et al. 2021), tau the middle of those that are as good as the best for macro-F1: the
curve is flat, and where on it the best lies is chance. All three are fitted on out-of-fold predictions; threshold moving was the
most consistent remedy for imbalance in 9,000 experiments (research note §6.6).
"""

import numpy as np
from scipy.optimize import minimize
from sklearn.metrics import f1_score

TAUS = np.linspace(0, 1, 11)
TOLERANCE = 0.005  # of macro-F1: chance moves it by more among some thousand pictures
FLOOR = 1e-7
START = np.array([[1.0, 0.0], [1.2, 0.0], [1.0, 0.2]])  # sharpness, shift; scipy's own first step from a 0 is .00025, and got stuck there


class Decision:
    """``prior_`` (n_classes,), ``sharpness_``, ``shift_`` and ``tau_`` are learned by `fit`."""

    def fit(self, log_proba: np.ndarray, codes: np.ndarray) -> "Decision":
        """(n, n_classes) raw log-probabilities of pictures that the model had not seen, and their class codes (n,)."""
        counts = np.bincount(codes, minlength=log_proba.shape[1])
        self.prior_ = (counts + 1) / (counts + 1).sum()
        rows = np.arange(len(codes))

        def loss(parameters: np.ndarray) -> float:
            z = log_proba * parameters[0] + parameters[1] * np.log(self.prior_)
            return float(-log_softmax(z)[rows, codes].mean())

        best = minimize(loss, START[0], method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-6, "initial_simplex": START})
        self.sharpness_, self.shift_ = float(best.x[0]), float(best.x[1])
        z = np.log(self.proba(log_proba))
        scores = [f1_score(codes, (z - tau * np.log(self.prior_)).argmax(axis=1), average="macro") for tau in TAUS]
        padded = np.pad(scores, 1, mode="edge")
        smooth = (padded[:-2] + padded[1:-1] + padded[2:]) / 3  # a lone peak among neighbours is chance
        self.tau_ = float(TAUS[smooth >= smooth.max() - TOLERANCE].mean())  # the middle of what is as good as the best
        return self

    def proba(self, log_proba: np.ndarray) -> np.ndarray:
        """(n, n_classes) raw log-probabilities → calibrated probabilities, none of them 0."""
        p = np.exp(log_softmax(log_proba * self.sharpness_ + self.shift_ * np.log(self.prior_)))
        p = np.maximum(p, FLOOR)
        return p / p.sum(axis=1, keepdims=True)

    def codes(self, proba: np.ndarray) -> np.ndarray:
        """(n, n_classes) calibrated probabilities → (n,) class codes."""
        return (np.log(proba) - self.tau_ * np.log(self.prior_)).argmax(axis=1)


def decided_by_others(raw: np.ndarray, codes: np.ndarray, fold: np.ndarray, part: np.ndarray) -> tuple[Decision, np.ndarray, np.ndarray]:
    """The decision for what comes, calibrated probabilities (n, n_classes) and class codes (n,), from out-of-fold ``raw`` (n, n_classes).

    Each ``part`` (n,) of the folds is decided by the other parts, the held-out part (``fold`` < 0) by all; rows of NaN stay NaN and get -1.
    """
    judged = (fold >= 0) & ~np.isnan(raw[:, 0])
    decision = Decision().fit(raw[judged], codes[judged])
    proba, chosen = np.full(raw.shape, np.nan), np.full(len(codes), -1)
    for k in np.unique(part[judged]):
        own, others = judged & (part == k), judged & (part != k)
        fair = Decision().fit(raw[others], codes[others]) if others.any() else decision
        proba[own] = fair.proba(raw[own])
        chosen[own] = fair.codes(proba[own])
    held_out = fold < 0
    if held_out.any():
        proba[held_out] = decision.proba(raw[held_out])
        chosen[held_out] = decision.codes(proba[held_out])
    return decision, proba, chosen


def log_softmax(z: np.ndarray) -> np.ndarray:
    """(n, k) → (n, k): log-probabilities from scores."""
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))
