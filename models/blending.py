"""How the log-probabilities of several models become one: means, weights, and a meta-model.

Every blend is one linear map behind a softmax, z = sum over models of log p_m W_m, plus raw scalars and a bias in the meta-model. They
differ in what of W may move: nothing (``mean``), one weight per model (``weighted``), a weight per model and class (``per-class``, row
D4), everything (``stack``). What moves beyond one weight per model is held to it by a ridge, whose strength is chosen by log loss on
left-out folds: with few pictures the meta-model is a weighted mean, with many it is free (research note §7).
"""

import itertools
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from features.errors import ScratchworkError
from features.processes import one_thread
from models.decision import log_softmax

BLENDS = ("mean", "weighted", "per-class", "stack")
RIDGES = 10.0 ** np.arange(1, -5, -1)  # of the mean loss per picture, strongest first
LEAST = np.log(1e-5)  # of a log-probability: how sure of "never" a model is, is noise below it
STEPS = 200  # of the optimiser, at most


class Said(NamedTuple):
    """What m models say of n pictures: ``log_proba`` (m, n, n_classes), and raw ``scalars`` (n, s) beside it."""

    log_proba: np.ndarray
    scalars: np.ndarray

    def take(self, which: np.ndarray) -> "Said":
        """Some of these pictures, by position or mask."""
        return Said(self.log_proba[:, which], self.scalars[which])


class Blend:
    """``weights_`` (m * n_classes + s + 1, n_classes), ``centre_``, ``spread_`` and ``range_`` of the scalars (s,), and ``ridge_`` are learned by
    `fit`."""

    def __init__(self, kind: str = "stack") -> None:
        if kind not in BLENDS:
            raise ScratchworkError(f"blend {kind!r} is unknown; choose one of {', '.join(BLENDS)}")
        self.kind = kind

    def fit(self, said: Said, codes: np.ndarray, fold: np.ndarray) -> "Blend":
        """From models that had not seen the pictures; class codes (n,); the ridge is chosen on left-out ``fold`` (n,)."""
        self.centre_, self.spread_ = said.scalars.mean(0), np.maximum(said.scalars.std(0), 1e-9)
        self.range_ = said.scalars.min(0), said.scalars.max(0)
        models, _, classes = said.log_proba.shape
        free = _free(self.kind, models, classes, said.scalars.shape[1])
        X = self._columns(said)
        ridges = RIDGES if free.any() else RIDGES[:1]
        losses = np.zeros(len(ridges))
        folds = np.unique(fold)
        for k in folds if len(folds) > 1 and len(ridges) > 1 else []:  # of one fold nothing can be left out: the strongest ridge
            learn, watch = fold != k, fold == k
            start = np.full(models, 1 / models), np.zeros(free.shape)
            for i, ridge in enumerate(ridges):
                start = _fitted(X[learn], codes[learn], models, free, ridge, start)
                losses[i] += _loss(X[watch] @ _weights(*start), codes[watch]) * watch.mean()
        self.ridge_ = float(ridges[losses.argmin()])
        common, own = _fitted(X, codes, models, free, self.ridge_, (np.full(models, 1 / models), np.zeros(free.shape)), self.kind != "mean")
        self.weights_ = _weights(common, own)
        self.common_ = common
        return self

    def log_proba(self, said: Said) -> np.ndarray:
        """(n, n_classes), not calibrated."""
        return log_softmax(self._columns(said) @ self.weights_)

    def _columns(self, said: Said) -> np.ndarray:
        """(n, m * n_classes + s + 1): log-probabilities, standardised scalars, 1. A file larger than all that were learned from counts as the largest
        of them: a line goes on for ever, what it was fitted on does not."""
        clipped = np.maximum(said.log_proba, LEAST)
        low, high = getattr(self, "range_", (-np.inf, np.inf))  # models that were saved before have none
        scalars = (np.clip(said.scalars, low, high) - self.centre_) / self.spread_
        return np.hstack([*clipped, scalars, np.ones((clipped.shape[1], 1))])


def blended_out_of_fold(kind: str, said: Said, codes: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """(n, n_classes) log-probabilities of each fold by a blend that learned from the other folds."""
    raw = np.zeros(said.log_proba.shape[1:])
    for k in np.unique(fold):
        own, others = fold == k, fold != k
        raw[own] = Blend(kind).fit(said.take(others), codes[others], fold[others]).log_proba(said.take(own))
    return raw


def nested_out_of_fold(kind: str, said: Said, codes: np.ndarray, fold: np.ndarray) -> dict[int, np.ndarray]:
    """Of each left-out fold: (n, n_classes) log-probabilities of the other folds by blends that learned from neither, NaN in the fold itself. A
    decision fitted on them knows nothing of the fold's labels; one fitted on `blended_out_of_fold` does, through blends that learned from it."""
    folds = np.unique(fold).tolist()
    raws = {k: np.full(said.log_proba.shape[1:], np.nan) for k in folds}
    for j, k in itertools.combinations(folds, 2):
        learn = (fold != j) & (fold != k)
        blend = Blend(kind).fit(said.take(learn), codes[learn], fold[learn])
        for own, left_out in ((j, k), (k, j)):
            raws[left_out][fold == own] = blend.log_proba(said.take(fold == own))
    return raws


def _free(kind: str, models: int, classes: int, scalars: int) -> np.ndarray:
    """(m * n_classes + s + 1, n_classes) bool: what may move beyond one weight per model."""
    if kind == "stack":
        return np.ones((models * classes + scalars + 1, classes), bool)
    free = np.zeros((models * classes + scalars + 1, classes), bool)
    if kind == "per-class":
        free[:models * classes] = np.tile(np.eye(classes, dtype=bool), (models, 1))
    return free


def _weights(common: np.ndarray, own: np.ndarray) -> np.ndarray:
    """One weight per model (m,) on the diagonals, plus what moved."""
    models, classes = len(common), own.shape[1]
    weights = own.copy()
    weights[:models * classes] += np.concatenate([w * np.eye(classes) for w in common])
    return weights


def _fitted(X: np.ndarray, codes: np.ndarray, models: int, free: np.ndarray, ridge: float, start: tuple[np.ndarray, np.ndarray],
            move: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Weights per model (m,) and what moves beyond them, at the lowest mean loss plus ridge."""
    if not move:
        return start
    classes, rows = free.shape[1], np.arange(len(codes))

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        own = np.zeros(free.shape)
        own[free] = flat[models:]
        z = log_softmax(X @ _weights(flat[:models], own))
        error = np.exp(z)
        error[rows, codes] -= 1
        slope = X.T @ error / len(codes)
        common = slope[:models * classes].reshape(models, classes, classes).trace(axis1=1, axis2=2)
        moved = flat[models:]
        return -z[rows, codes].mean() + ridge * float(moved @ moved), np.concatenate([common, slope[free] + 2 * ridge * moved])

    with one_thread():
        best = minimize(loss, np.concatenate([start[0], start[1][free]]), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    own = np.zeros(free.shape)
    own[free] = best.x[models:]
    return best.x[:models], own


def _loss(z: np.ndarray, codes: np.ndarray) -> float:
    return float(-log_softmax(z)[np.arange(len(codes)), codes].mean())
