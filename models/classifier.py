"""What every saved model is to a script: labels and probabilities straight from picture files, as scikit-learn does."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from features.extract import ExtractionSettings
from models.decision import Decision
from models.pictures import Pictures, read_pictures
from models.trained import Progress


class PictureClassifier:
    """``classes_`` (n_classes,) labels in their natural order; ``decision_`` calibrates and decides; ``settings`` repeats the extraction of
    training."""

    settings: ExtractionSettings
    classes_: np.ndarray
    decision_: Decision

    def predict(self, paths: Sequence[str | Path]) -> np.ndarray:
        """Paths of n pictures → (n,) labels. Raises `UnreadablePicture` naming a file that gives no pixels."""
        return self.labels_of(self.predict_proba(paths))

    def predict_proba(self, paths: Sequence[str | Path]) -> np.ndarray:
        """Paths of n pictures → (n, n_classes) calibrated probabilities in the order of ``classes_``."""
        if len(paths) == 0:
            return np.empty((0, len(self.classes_)))
        return self.proba_of(read_pictures(paths, self.settings))

    def proba_of(self, pictures: Pictures, jobs: int = 1, progress: Progress | None = None) -> np.ndarray:
        """`predict_proba` for pictures that were extracted already with the same settings."""
        raise NotImplementedError

    def embed(self, pictures: Pictures, jobs: int = 1) -> np.ndarray:
        """(n, d): where pictures lie among each other, as this model sees it; near ones look alike to it."""
        raise NotImplementedError

    def parts_of(self, pictures: Pictures, jobs: int = 1) -> dict[str, np.ndarray]:
        """Name → what a part of this model says by itself, (n, n_classes) probabilities; nothing where it has no parts."""
        return {}

    def reasons_of(self, pictures: Pictures, chosen: np.ndarray, other: np.ndarray, jobs: int = 1) -> list[str]:
        """What spoke for class ``chosen`` (n,) against class ``other`` (n,), as text; empty where the model cannot tell."""
        return [""] * len(pictures.rows)

    def labels_of(self, proba: np.ndarray, together: bool = False) -> np.ndarray:
        """Calibrated probabilities (n, n_classes) → (n,) labels: the decision made for macro-F1, not always the largest probability.

        ``together``: for the highest macro-F1 of just these n pictures; a picture's label then depends on the others.
        """
        return self.classes_[self.decision_.codes_together(proba) if together else self.decision_.codes(proba)]
