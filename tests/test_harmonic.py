"""Convolutions learned as cosine coefficients: the transform is SciPy's, and only what an optimiser takes for a coordinate changes."""

import numpy as np
import torch
from scipy.fft import dctn

from models.harmonic import CosineBasis, learn_harmonics, make_plain
from models.inference import state_of
from models.networks import make_network


def steps(harmonic: bool, adam: bool) -> dict[str, np.ndarray]:
    """The plain weights after five steps on one batch."""
    network = make_network("scratch", 3, 32, 8, 3)
    if harmonic:
        learn_harmonics(network)
    optimizer = (torch.optim.AdamW if adam else torch.optim.SGD)(network.parameters(), lr=0.01)
    x = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for _ in range(5):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), torch.arange(8) % 3).backward()
        optimizer.step()
    make_plain(network)
    return state_of(network)


def test_coefficients_are_those_of_scipy() -> None:
    """Type II, orthonormal, over both axes of each filter; and back."""
    filters = torch.rand(4, 5, 3, 3)
    coefficients = CosineBasis().right_inverse(filters)
    assert np.allclose(coefficients, dctn(filters.numpy(), axes=(2, 3), norm="ortho"), atol=1e-6)
    assert torch.allclose(CosineBasis()(coefficients), filters, atol=1e-6)


def test_the_network_says_the_same() -> None:
    """With harmonics, without, and with them taken away again, when the names of its weights are the old ones."""
    network = make_network("scratch", 3, 32, 8, 3).eval()
    x = torch.rand(2, 3, 32, 32)
    before, names = network(x), list(network.state_dict())
    learn_harmonics(network)
    assert torch.allclose(network(x), before, atol=1e-5)
    make_plain(network)
    assert torch.allclose(network(x), before, atol=1e-5)
    assert list(network.state_dict()) == names or set(network.state_dict()) == set(names)


def test_only_an_optimiser_with_coordinates_tells_the_difference() -> None:
    """Plain gradient descent makes the same steps in any orthonormal basis, AdamW does not."""
    apart = {adam: max(np.abs(a - b).max() for a, b in zip(steps(False, adam).values(), _sorted_like(steps(True, adam), steps(False, adam)),
                                                            strict=True)) for adam in (False, True)}
    assert apart[False] < 1e-4
    assert apart[True] > 1e-3


def _sorted_like(state: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> list[np.ndarray]:
    return [state[name] for name in other]
