"""Kernel ridge regression on blocks of features, with exact leave-group-out scores.

A Gaussian kernel over the sum of the blocks' scaled distances lets shapes and colours vouch for each other; one Cholesky
factor fits all classes at once in seconds. The scores that a picture would have had without its own group follow in closed form
(Rifkin & Lippert 2007, extended from one row to a group), so that a second model can learn from them without inner folds.

Measured on the training part of a campset (seed 1, 5,808 pictures, 5 folds): see docs/lab-notes.md.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.linalg import cho_factor, cho_solve, lapack
from sklearn.utils.extmath import randomized_svd

from models.prepared import Prepares


@dataclass(frozen=True)
class Block:
    """``share``: this block's part of the mean squared distance between two pictures."""

    name: str
    share: float


class BlockProjection(Prepares):
    """Several wide blocks → one narrow matrix whose Euclidean distances are the weighted sum of theirs.

    Each block is centred and scaled to its share of the mean squared distance (which becomes 1), then all are rotated onto
    their ``components`` leading singular vectors.
    """

    def __init__(self, blocks: list[Block], components: int, seed: int) -> None:
        self.blocks = blocks
        self.components = components
        self.seed = seed

    def fit_transform(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """``values``: block name → (n, width) float32 → (n, components) float16."""
        whole = sum(b.share for b in self.blocks)
        self.means_, self.scales_ = {}, {}
        for block in self.blocks:
            X = values[block.name]
            mean = X.mean(axis=0, dtype=np.float64).astype(np.float32)
            spread = float(np.einsum("ij,ij->i", X - mean, X - mean).mean())
            self.means_[block.name] = mean
            self.scales_[block.name] = float(np.sqrt(block.share / whole / (2 * max(spread, 1e-12))))
        X = self._joined(values)
        components = min(self.components, *X.shape)
        axes = randomized_svd(X, components, n_iter=2, random_state=self.seed)[2]
        self.forget()
        self.axes_ = np.ascontiguousarray(axes.T.astype(np.float16))  # (widths, components), half precision: half the model file
        return self._rotated(X)

    def transform(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """As `fit_transform`, with what was learned there."""
        return self._rotated(self._joined(values))

    def _rotated(self, X: np.ndarray) -> np.ndarray:
        """Rounded to half precision, so that what is learned from is exactly what is saved."""
        return (X @ self._wide_axes).astype(np.float16)

    @cached_property
    def _wide_axes(self) -> np.ndarray:
        return self.axes_.astype(np.float32)

    def _joined(self, values: dict[str, np.ndarray]) -> np.ndarray:
        return np.hstack([(values[b.name] - self.means_[b.name]) * np.float32(self.scales_[b.name]) for b in self.blocks])


class KernelRidge(Prepares):
    """One-against-all scores from a Gaussian kernel; rows may be weighted. ``gamma`` in units of 1 / mean squared distance."""

    def __init__(self, gamma: float = 1.0, ridge: float = 0.1) -> None:
        self.gamma = gamma
        self.ridge = ridge

    def fit(self, X: np.ndarray, codes: np.ndarray, n_classes: int, weights: np.ndarray, groups: np.ndarray | None = None) -> "KernelRidge":
        """(n, d) floats, class codes (n,), weights (n,). With ``groups`` (n,) learns ``left_out_scores_`` (n, n_classes) beside the model."""
        targets = np.full((len(X), n_classes), -1 / max(1, n_classes - 1), np.float32)
        targets[np.arange(len(X)), codes] = 1
        self.base_ = (weights @ targets / weights.sum()).astype(np.float32)
        self.forget()
        self.points_ = X
        A = self._kernel(X)
        A[np.diag_indices(len(X))] += self.ridge / weights.astype(np.float32)
        factor = cho_factor(A, lower=True, overwrite_a=True, check_finite=False)
        self.dual_ = cho_solve(factor, targets - self.base_, check_finite=False).astype(np.float32)
        if groups is None:
            return self
        root, _ = lapack.strtri(factor[0], lower=True, overwrite_c=True)  # of A⁻¹, of which only few numbers are needed
        self.left_out_scores_ = targets - _left_out_residuals(root, self.dual_, groups)
        return self

    def scores(self, X: np.ndarray) -> np.ndarray:
        """(m, d) → (m, n_classes) float32: about 1 for the right class, about -1 / (n_classes - 1) for the others."""
        return self._kernel(X) @ self.dual_ + self.base_

    def _kernel(self, X: np.ndarray) -> np.ndarray:
        """(m, d) → (m, n) float32."""
        points, squares = self._wide_points
        X = X.astype(np.float32)
        own = (X**2).sum(axis=1)
        K = X @ points.T
        K *= 2
        K -= squares
        K -= own[:, None]
        np.minimum(K, 0, out=K)
        K *= np.float32(self.gamma)
        return np.exp(K, out=K)

    @cached_property
    def _wide_points(self) -> tuple[np.ndarray, np.ndarray]:
        """(n, d) float32 and their squared lengths (n,)."""
        points = self.points_.astype(np.float32)
        return points, (points**2).sum(axis=1)


def thinned_rows(codes: np.ndarray, limit: int, seed: int) -> np.ndarray:
    """Sorted positions of at most ``limit`` rows: large classes are thinned to one common size, small ones stay whole."""
    if len(codes) <= limit:
        return np.arange(len(codes))
    counts = np.sort(np.bincount(codes))
    quota = max(q for q in range(1, counts[-1] + 1) if np.minimum(counts, q).sum() <= limit) if limit > len(counts) else 1
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(codes == c) for c in range(codes.max() + 1)]
    return np.sort(np.concatenate([rng.choice(m, min(len(m), quota), replace=False) for m in members]))


def _left_out_residuals(root: np.ndarray, dual: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(n, n_classes): target minus the prediction of a fit without the row's group. ``root``: L⁻¹ in its lower triangle, where A = L Lᵀ."""
    residuals = np.empty_like(dual)
    for members in pd.Series(groups).groupby(groups).indices.values():
        rows = np.sort(members)
        columns = root[rows[0]:, rows]
        columns[np.arange(rows[0], len(root))[:, None] < rows] = 0  # what lies above the diagonal is no part of L⁻¹
        residuals[rows] = np.linalg.solve(columns.T @ columns, dual[rows])
    return residuals
