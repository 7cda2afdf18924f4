"""From raw log-probabilities to calibrated ones, and from those to a decision that is fair to rare classes.

Calibrated: p ∝ raw ** sharpness * prior ** shift, the two numbers that minimise log loss, fitted on out-of-fold predictions. Decided: so that
the macro-F1 that the calibrated probabilities promise is as high as can be (`highest_expected_f1`); there is no strength to choose, and no label
is looked at. Threshold moving was the most consistent remedy for imbalance in 9,000 experiments (research note §6.6).
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize

FLOOR = 1e-7
ROUNDS = 15  # the constants stand still after some ten
START = np.array([[1.0, 0.0], [1.2, 0.0], [1.0, 0.2]])  # sharpness, shift; scipy's own first step from a 0 is .00025, and got stuck there


class Gains(NamedTuple):
    """A picture goes to the class of the largest (p - ``cut``) / ``mass``, both (n_classes,): what macro-F1 gains by it, but for a factor."""

    cut: np.ndarray
    mass: np.ndarray

    def codes(self, proba: np.ndarray) -> np.ndarray:
        """(n, n_classes) calibrated probabilities → (n,) class codes."""
        return ((proba - self.cut) / self.mass).argmax(axis=1)


class Decision:
    """``prior_`` (n_classes,), ``sharpness_``, ``shift_`` and ``gains_`` are learned by `fit`."""

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
        self.gains_ = highest_expected_f1(self.proba(log_proba))
        return self

    def proba(self, log_proba: np.ndarray) -> np.ndarray:
        """(n, n_classes) raw log-probabilities → calibrated probabilities, none of them 0."""
        p = np.exp(log_softmax(log_proba * self.sharpness_ + self.shift_ * np.log(self.prior_)))
        p = np.maximum(p, FLOOR)
        return p / p.sum(axis=1, keepdims=True)

    def codes(self, proba: np.ndarray) -> np.ndarray:
        """(n, n_classes) calibrated probabilities → (n,) class codes, each picture's whatever the others are."""
        return self.gains_.codes(proba)

    def codes_together(self, proba: np.ndarray) -> np.ndarray:
        """Likewise, for the highest macro-F1 that is to be expected of just these n pictures: which others there are counts too."""
        return highest_expected_f1(proba).codes(proba)

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "gains_" not in state:
            raise ValueError("its decision is of an earlier version of scratchwork")
        self.__dict__.update(state)


def highest_expected_f1(proba: np.ndarray) -> Gains:
    """The decision of n pictures with calibrated probabilities (n, n_classes) whose expected macro-F1 is the highest that was found.

    With S the sum of a class's p over the pictures decided for it and M their number plus the number expected of it, F1 is 2 S / M; one more
    picture raises it by about 2 (p - F1 / 2) / M. (For two classes the best cut is known to be half of the F1 it reaches: Lipton et al. 2014; for
    gains as linear decisions see Narasimhan et al. 2015.) Each round decides by the S and M of the rounds before it, halfway; the best round is
    kept. One picture of each class that nobody finds is added, so that a rare class is not all or nothing. A class that is no picture's likeliest,
    and of which less than half a picture is expected, would cost nothing and so get all doubtful ones: it is for those that are surely its own.
    """
    likeliest = np.bincount(proba.argmax(axis=1), minlength=proba.shape[1]) > 0
    hoped_for = likeliest | (proba.sum(axis=0) >= 0.5)
    if 0 < hoped_for.sum() < len(hoped_for):
        own = highest_expected_f1(proba[:, hoped_for])
        cut, mass = np.full(len(hoped_for), 0.5), np.ones(len(hoped_for))
        cut[hoped_for], mass[hoped_for] = own
        return Gains(cut, mass)

    n_classes, rows = proba.shape[1], np.arange(len(proba))
    expected = proba.sum(axis=0) + 1
    best, found = -1.0, Gains(np.zeros(n_classes), np.ones(n_classes))
    for start in (found, Gains(np.zeros(n_classes), np.sqrt(expected))):  # the likeliest class, and half the prior's logarithm taken off
        now = start
        for _ in range(ROUNDS):
            chosen = now.codes(proba)
            mass = np.bincount(chosen, minlength=n_classes) + expected
            cut = np.bincount(chosen, proba[rows, chosen], minlength=n_classes) / mass
            if cut.mean() > best:  # half of the expected macro-F1
                best, found = float(cut.mean()), now
            now = Gains(cut, mass) if now is start else Gains((now.cut + cut) / 2, (now.mass + mass) / 2)
    return found


def decided_by_others(raw: np.ndarray, codes: np.ndarray, fold: np.ndarray, part: np.ndarray,
                      nested: dict[int, np.ndarray] | None = None) -> tuple[Decision, np.ndarray, np.ndarray]:
    """The decision for what comes, calibrated probabilities (n, n_classes) and class codes (n,), from out-of-fold ``raw`` (n, n_classes).

    Each ``part`` (n,) of the folds is decided by the other parts, the held-out part (``fold`` < 0) by all; rows of NaN stay NaN and get -1.
    ``nested``: for each part, what stands in for ``raw`` where its decision is learned: said by models that had not seen the part either.
    """
    judged = (fold >= 0) & ~np.isnan(raw[:, 0])
    decision = Decision().fit(raw[judged], codes[judged])
    proba, chosen = np.full(raw.shape, np.nan), np.full(len(codes), -1)
    for k in np.unique(part[judged]):
        own, others = judged & (part == k), judged & (part != k)
        learned = raw if nested is None else nested[int(k)]
        fair = Decision().fit(learned[others], codes[others]) if others.any() else decision
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
