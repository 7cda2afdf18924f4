"""Muon: steps along the orthogonalised momentum of every inner matrix, AdamW's for all else.

A gradient of a matrix is of few directions; AdamW goes along them and leaves the others nearly where they were. The nearest matrix with
orthonormal rows goes as far in each of them (Jordan et al. 2024; the length of a step is AdamW's, so that rates and decay can be the same:
Liu et al. 2025). What it brings here is in docs/lab-notes.md.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

QUINTIC = (3.4445, -4.7750, 2.0315)  # Jordan's: steep at 0, and between .68 and 1.14 after five rounds
ROUNDS = 5
ROOT_MEAN_SQUARE = 0.2  # of a step per unit of the rate, as AdamW's usually are (Liu et al. 2025)
MIN_NORM = 1e-20


class Muon(torch.optim.AdamW):
    """Parameter groups with ``orthogonal=True`` hold weights (outputs, …), each taken as a matrix of as many rows; ``momentum`` is Nesterov's."""

    def __init__(self, groups: list[dict[str, Any]], lr: float, momentum: float = 0.95) -> None:
        super().__init__(groups, lr=lr)
        self.momentum = momentum

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; the gradients of the orthogonal groups are used up by it."""
        loss = None
        if closure is not None:  # AdamW would call it after these groups had moved, and move them itself
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if not group.get("orthogonal"):
                continue
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    self._along(weight, weight.grad, group["lr"])
                    weight.grad = None  # AdamW passes over it
        super().step()
        return loss

    def _along(self, weight: torch.Tensor, gradient: torch.Tensor, rate: float) -> None:
        state = self.state[weight]
        if not state:
            state["step"] = torch.zeros(())  # AdamW expects one when a state is loaded
            state["mean"] = torch.zeros_like(weight)
        state["step"] += 1
        state["mean"].lerp_(gradient, 1 - self.momentum)
        direction = orthogonalized(gradient.lerp(state["mean"], self.momentum).flatten(1))
        weight.add_(direction.view(weight.shape), alpha=-rate * ROOT_MEAN_SQUARE * math.sqrt(max(direction.shape)))


def orthogonalized(matrix: torch.Tensor) -> torch.Tensor:
    """(m, n) → (m, n): U V' of its singular value decomposition U S V', but for factors of .68 to 1.14; what is next to nothing grows 485-fold.

    The odd polynomial of Newton and Schulz is gone through on the small side's square, m x m or n x n, so that the long side is multiplied
    twice instead of ten times.
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalized(matrix.T).T
    square = matrix @ matrix.T
    norm = torch.linalg.matrix_norm(square).sqrt()  # Schatten's of order 4: at least the largest singular value
    square = square / norm.square().clamp_min(MIN_NORM)
    factor = polynomial = _polynomial(square)
    for _ in range(ROUNDS - 1):
        square = polynomial @ square @ polynomial
        polynomial = _polynomial(square)
        factor = polynomial @ factor
    return factor @ (matrix / norm.clamp_min(MIN_NORM))


def _polynomial(square: torch.Tensor) -> torch.Tensor:
    """What a matrix with this square is multiplied by in a round."""
    linear, cubic, quintic = QUINTIC
    polynomial = torch.addmm(square, square, square, beta=cubic, alpha=quintic)
    polynomial.diagonal().add_(linear)
    return polynomial
