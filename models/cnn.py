"""The saved network: plain arrays, from which it predicts labels and probabilities straight from picture files.

torch is imported when something is predicted, so that a model trained on a GPU loads anywhere. Several networks (fold models)
are averaged in the logarithm. A network may have a kernel head beside its softmax.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from features.extract import ExtractionSettings
from models.classifier import PictureClassifier
from models.decision import Decision
from models.kernel_head import Member
from models.pictures import Pictures
from models.prepared import Prepares
from models.recipes import CnnParameters
from models.trained import Progress


class CnnClassifier(Prepares, PictureClassifier):
    """Predicts labels and probabilities straight from picture files, as scikit-learn does; on a GPU if there is one.

    ``classes_`` (n_classes,) labels in their natural order; ``members_``: one `models.kernel_head.Member` per
    network, plain arrays; ``decision_`` calibrates and decides.
    """

    def __init__(self, parameters: CnnParameters, settings: ExtractionSettings) -> None:
        self.parameters = parameters
        self.settings = settings

    def proba_of(self, pictures: Pictures, jobs: int | None = None, progress: Progress | None = None, device: str = "auto") -> np.ndarray:
        """`predict_proba` for pictures that were extracted already; ``jobs``: threads, None for one per core."""
        from models.inference import log_proba_of_members, networks_of

        classes = len(self.classes_)
        if device not in self._networks:
            self._networks[device] = networks_of(self.members_, self.parameters, classes, device)
        return self.decision_.proba(log_proba_of_members(self.members_, self.parameters, classes, pictures, device, jobs, progress,
                                                         self._networks[device]))

    @cached_property
    def _networks(self) -> dict[str, list[Any]]:
        """Device → the members' networks there, made by the first prediction."""
        return {}

    def embed(self, pictures: Pictures, jobs: int = 1) -> np.ndarray:
        """(n, d): what the first network's stages found; without a kernel head its log-probabilities."""
        from models.inference import log_proba_of_members, stages_of_state

        member, classes = self.members_[0], len(self.classes_)
        if member.head is None:
            return log_proba_of_members([member], self.parameters, classes, pictures, "auto", jobs)
        return member.head.embed(stages_of_state(member.state, self.parameters, classes, pictures))

    def adopt(self, classes: Sequence[str], members: list[Member], decision: Decision) -> "CnnClassifier":
        """Take over what training learned."""
        self.forget()
        self.classes_ = np.array(classes, dtype=str)
        self.members_ = members
        self.decision_ = decision
        return self
