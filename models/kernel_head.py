"""A kernel machine on what every stage of a trained network found, beside the network's own softmax.

The dense layer at a network's end sees the last stage only, and with few pictures it fits by heart. Strokes and colours, which the early
stages hold, tell as much about a drawing, and a Gaussian kernel asks which pictures of the training set are like this one. On the
training part of a campset (seed 1, 1,698 pictures not learned from, dirty labels) it moves one network from macro-F1 .483, accuracy .737, log loss
1.046 to .526, .753, 1.002, for a few seconds; docs/lab-notes.md. The kernel machine is `models.kernel`'s; nothing of torch here.
"""

from typing import NamedTuple

import numpy as np

from cleaning.balance import class_weights
from models.decision import log_softmax
from models.kernel import Block, BlockProjection, KernelRidge, thinned_rows

GAMMA = 2.0
RIDGE = 0.1
WEIGHT_POWER = 0.5
COMPONENTS = 512
MOST_ROWS = 8000  # memory grows with their square
STEEPNESS = 6.7  # of the softmax over scores: between 6.3 and 7.2 in every network that was tried


class KernelHead:
    """``projection_`` and ``kernel_`` are learned by `fit`."""

    def fit(self, stages: list[np.ndarray], codes: np.ndarray, n_classes: int, seed: int) -> "KernelHead":
        """``stages``: per stage (n, width) float32, never negative, of the n pictures that the network learned from; class codes (n,)."""
        rows = thinned_rows(codes, MOST_ROWS, seed)
        halves = _halves([stage[rows] for stage in stages])
        self.projection_ = BlockProjection([Block(name, 1) for name in halves], COMPONENTS, seed)
        X = self.projection_.fit_transform(halves)
        self.kernel_ = KernelRidge(GAMMA, RIDGE).fit(X, codes[rows], n_classes, class_weights(codes[rows], WEIGHT_POWER))
        return self

    def embed(self, stages: list[np.ndarray]) -> np.ndarray:
        """(n, components) float16: the coordinates in which the kernel measures distances."""
        return self.projection_.transform(_halves(stages))

    def log_proba(self, stages: list[np.ndarray]) -> np.ndarray:
        """(n, n_classes), not calibrated."""
        return log_softmax(STEEPNESS * self.kernel_.scores(self.embed(stages)).astype(float))


class Member(NamedTuple):
    """One network of a model: its weights as arrays, and its kernel head, if any."""

    state: dict[str, np.ndarray]
    head: KernelHead | None


def _halves(stages: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Means and maxima apart, each its own block, square roots taken: large values would rule the distances."""
    found = {}
    for number, stage in enumerate(stages):
        half = stage.shape[1] // 2
        found[f"mean{number}"], found[f"maximum{number}"] = np.sqrt(np.maximum(stage[:, :half], 0)), np.sqrt(np.maximum(stage[:, half:], 0))
    return found
