"""3 x 3 convolutions that learn the coefficients of their discrete cosine transform instead of their pixels.

Harmonic networks (Ulicny, Krylov & Dahyot 2022), of eleven methods for few pictures the one that beat a tuned baseline everywhere
(Brigato et al. 2022; research note §1.1). The basis is orthonormal, so that nothing changes but what the optimiser takes for one coordinate:
AdamW then scales smooth and rough parts of a filter apart. It costs a 9 x 9 product per filter and step, nothing at prediction: finished
networks have plain weights.
"""

import math

import torch
from torch import nn
from torch.nn.utils import parametrize

SIDE = 3


class CosineBasis(nn.Module):
    """Coefficients (O, I, 3, 3) ↔ filters of the same shape."""

    basis: torch.Tensor  # (9, 9), rows are the basis' filters

    def __init__(self) -> None:
        super().__init__()
        place, frequency = torch.arange(SIDE) + 0.5, torch.arange(SIDE)
        rows = torch.cos(math.pi / SIDE * frequency[:, None] * place) * math.sqrt(2 / SIDE)
        rows[0] /= math.sqrt(2)
        self.register_buffer("basis", torch.einsum("ai,bj->abij", rows, rows).reshape(SIDE**2, SIDE**2), persistent=False)

    def forward(self, coefficients: torch.Tensor) -> torch.Tensor:
        """To filters."""
        return (coefficients.flatten(2) @ self.basis).view_as(coefficients)

    def right_inverse(self, filters: torch.Tensor) -> torch.Tensor:
        """To coefficients."""
        return (filters.flatten(2) @ self.basis.T).view_as(filters)


def learn_harmonics(network: nn.Module) -> None:
    """From here on the network's 3 x 3 convolutions are learned as coefficients; what it says does not change."""
    for convolution in _convolutions(network):
        parametrize.register_parametrization(convolution, "weight", CosineBasis())


def make_plain(network: nn.Module) -> None:
    """Back to weights that are filters, whatever they were learned as."""
    for convolution in _convolutions(network):
        if parametrize.is_parametrized(convolution, "weight"):
            parametrize.remove_parametrizations(convolution, "weight", leave_parametrized=True)


def _convolutions(network: nn.Module) -> list[nn.Conv2d]:
    return [module for module in network.modules() if isinstance(module, nn.Conv2d) and module.kernel_size == (SIDE, SIDE)]
