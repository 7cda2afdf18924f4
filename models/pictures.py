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

    def columns(self, which: np.ndarray) -> np.ndarray:
        """(n, len(which)) float32 copy of some feature columns."""
        return self.features[self.rows][:, which]


class Examples(NamedTuple):
    """n labelled pictures: class ``codes`` (n,), duplicate ``groups`` (n,), ``fold`` (n,) -1 held out, else 0 … k-1, and ``trusted`` (n,) bool:
    a person decided the label."""

    pictures: Pictures
    codes: np.ndarray
    groups: np.ndarray
    fold: np.ndarray
    trusted: np.ndarray


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
