"""The saved network: plain arrays, from which it predicts labels and probabilities straight from picture files.

torch is imported when something is predicted, so that a model trained on a GPU loads anywhere. Several networks (fold models)
are averaged in the logarithm.
"""

from collections.abc import Sequence

import numpy as np

from features.extract import ExtractionSettings
from models.classifier import PictureClassifier
from models.decision import Decision
from models.pictures import Pictures
from models.recipes import CnnParameters
from models.trained import Progress


class CnnClassifier(PictureClassifier):
    """Predicts labels and probabilities straight from picture files, as scikit-learn does; on a GPU if there is one.

    ``classes_`` (n_classes,) labels in their natural order; ``networks_``: one dict of arrays per network; ``decision_``
    calibrates and decides.
    """

    def __init__(self, parameters: CnnParameters, settings: ExtractionSettings) -> None:
        self.parameters = parameters
        self.settings = settings

    def proba_of(self, pictures: Pictures, jobs: int | None = None, progress: Progress | None = None, device: str = "auto") -> np.ndarray:
        """`predict_proba` for pictures that were extracted already; ``jobs``: threads, None for torch's own choice."""
        from models.inference import log_proba_of_states

        return self.decision_.proba(log_proba_of_states(self.networks_, self.parameters, len(self.classes_), pictures, device, jobs, progress))

    def adopt(self, classes: Sequence[str], networks: list[dict[str, np.ndarray]], decision: Decision) -> "CnnClassifier":
        """Take over what training learned."""
        self.classes_ = np.array(classes, dtype=str)
        self.networks_ = networks
        self.decision_ = decision
        return self
