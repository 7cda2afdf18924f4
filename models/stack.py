"""The saved stack: its base models and the blend of what they say, in one file that predicts straight from picture files.

Pictures are extracted once for all base models. lightgbm and torch are imported by the base model that needs one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.errors import ScratchworkError
from features.extract import ExtractionSettings
from features.families import feature_names
from models.blending import BLENDS, Blend, Said
from models.classifier import PictureClassifier
from models.decision import Decision
from models.pictures import Pictures
from models.trained import Progress

SCALARS = ("background__log_width", "background__log_height", "background__log_aspect", "background__white_share",
           "background__border_white_share")  # size, shape and paper of the file, which the networks' tiles no longer show


@dataclass(frozen=True)
class StackParameters:
    """``blend``: one of `models.blending.BLENDS`."""

    blend: str = "stack"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.blend not in BLENDS:
            raise ScratchworkError(f"blend {self.blend!r} is unknown; choose one of {', '.join(BLENDS)}")


class StackClassifier(PictureClassifier):
    """Predicts labels and probabilities straight from picture files, as scikit-learn does; without a GPU, from any folder.

    ``classes_`` (n_classes,) labels in their natural order; ``bases_``: name → saved classifier; ``blend_`` joins what they say.
    """

    def __init__(self, parameters: StackParameters, settings: ExtractionSettings) -> None:
        self.parameters = parameters
        self.settings = settings

    def proba_of(self, pictures: Pictures, jobs: int = 1, progress: Progress | None = None) -> np.ndarray:
        """`predict_proba` for pictures that were extracted already with the same settings."""
        log_proba = [np.log(base.proba_of(pictures, jobs, progress)) for base in self.bases_.values()]
        return self.decision_.proba(self.blend_.log_proba(Said(np.stack(log_proba), scalars_of(pictures))))

    def embed(self, pictures: Pictures, jobs: int = 1) -> np.ndarray:
        """The network's if there is one: it was trained to put like with like."""
        return self.bases_["cnn" if "cnn" in self.bases_ else next(iter(self.bases_))].embed(pictures, jobs)

    def parts_of(self, pictures: Pictures, jobs: int = 1) -> dict[str, np.ndarray]:
        """Every base model's calibrated probabilities (n, n_classes)."""
        return {name: base.proba_of(pictures, jobs) for name, base in self.bases_.items()}

    def reasons_of(self, pictures: Pictures, chosen: np.ndarray, other: np.ndarray, jobs: int = 1) -> list[str]:
        """What the boosted model can tell."""
        return self.bases_["lgbm"].reasons_of(pictures, chosen, other, jobs) if "lgbm" in self.bases_ else super().reasons_of(pictures, chosen, other)

    def adopt(self, classes: Sequence[str], bases: dict[str, PictureClassifier], blend: Blend, decision: Decision) -> "StackClassifier":
        """Take over what training learned."""
        self.classes_ = np.array(classes, dtype=str)
        self.bases_ = bases
        self.blend_ = blend
        self.decision_ = decision
        return self


def scalars_of(pictures: Pictures) -> np.ndarray:
    """(n, len(SCALARS)) float64: what the blend looks at beside probabilities."""
    names = feature_names()
    return pictures.columns(np.array([names.index(name) for name in SCALARS])).astype(float)
