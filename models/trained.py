"""What every training gives back, whatever the model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Progress = Callable[[int, int], None]  # (done, total)
Stage = Callable[[str], Progress | None]  # name of a step → where its progress goes


@dataclass(frozen=True)
class Trained:
    """``proba`` (n, n_classes) and ``predicted`` (n,) labels: out-of-fold, and in the held-out part by the model before any refit.

    Pictures that every network learned from have NaN and an empty label. ``told``: what the sidecar says of this kind of model.
    """

    model: Any
    proba: np.ndarray
    predicted: np.ndarray
    told: dict[str, Any]
    unlabelled: np.ndarray | None = None  # (folds + 1, u, n_classes): what was said of unlabelled pictures, see `models.pictures.Unlabelled`

    @property
    def judged(self) -> np.ndarray:
        """(n,) bool: a model that had not seen the picture predicted it."""
        return ~np.isnan(self.proba[:, 0])
