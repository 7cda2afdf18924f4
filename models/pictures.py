"""What a model learns from and predicts: rows of the feature matrix and of the tile map, taken when needed, not copied."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from features.errors import UnreadablePicture
from features.extract import ExtractionSettings, Request, extract


class Pictures(NamedTuple):
    """``features`` (N, n_features) float32 and ``tiles`` (N, 128, 128, 3) uint8, often memory maps; ``rows`` (n,) says which."""

    features: np.ndarray
    tiles: np.ndarray
    rows: np.ndarray

    def take(self, which: np.ndarray) -> "Pictures":
        """Some of these pictures, by position (or by a boolean mask)."""
        return self._replace(rows=self.rows[which])

    def joined(self, others: "Pictures") -> "Pictures":
        """These and then those, of the same matrix and tile map."""
        return self._replace(rows=np.concatenate([self.rows, others.rows]))

    def columns(self, which: np.ndarray) -> np.ndarray:
        """(n, len(which)) float32 copy of some feature columns."""
        return self.features[self.rows[:, None], which]


class Unlabelled(NamedTuple):
    """u pictures without labels that may join training.

    ``proba`` (parts, u, n_classes): what models said of them that had not seen the part; a row per fold, in the folds' order, the last one of
    models of all folds. None until somebody has said anything. ``floor``: least largest probability of those that join; ``cap``: most of
    them, per labelled picture.
    """

    pictures: Pictures
    proba: np.ndarray | None
    floor: float
    cap: float

    def joining(self, part: int, labelled: int) -> tuple[Pictures, np.ndarray]:
        """The surest (u',) that join ``labelled`` pictures where ``part`` (-1: nothing) is left out, and their probabilities (u', n_classes)."""
        if self.proba is None:
            return self.pictures.take(np.arange(0)), np.empty((0, 0))
        said = self.proba[part]
        surest = np.argsort(-said.max(1), kind="stable")[:int(self.cap * labelled)]
        surest = surest[said[surest].max(1) >= self.floor]
        return self.pictures.take(surest), said[surest]


class Examples(NamedTuple):
    """n labelled pictures: class ``codes`` (n,), duplicate ``groups`` (n,), ``fold`` (n,) -1 held out, else 0 … k-1, and ``trusted`` (n,) bool:
    a person decided the label. ``unlabelled`` pictures join what is learned from, never what is judged."""

    pictures: Pictures
    codes: np.ndarray
    groups: np.ndarray
    fold: np.ndarray
    trusted: np.ndarray
    unlabelled: Unlabelled | None = None


def read_pictures(paths: Sequence[str | Path], settings: ExtractionSettings, jobs: int = 1) -> Pictures:
    """Extract files, without a cache, by the code that made the training features.

    Raises `UnreadablePicture` naming the first file that gives no pixels.
    """
    chunks = list(extract([Request(str(path)) for path in paths], settings, jobs))
    facts = [fact for chunk in chunks for fact in chunk.facts]
    for path, fact in zip(paths, facts, strict=True):
        if fact.issue:
            raise UnreadablePicture(f"{path}: {fact.issue}")
    return Pictures(np.concatenate([chunk.features for chunk in chunks]), np.concatenate([chunk.tiles for chunk in chunks]),
                    np.arange(len(facts)))
