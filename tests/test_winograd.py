"""Minimal filtering beside torch's own convolution: the same numbers, the same gradients, and torch's own wherever it does not apply."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv2d

from models import winograd
from models.networks import make_network
from models.winograd import Convolution, MinimalFiltering


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    """Normal, double precision."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=25)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.booleans())
def test_it_is_the_convolution(pictures: int, inputs: int, outputs: int, rows: int, columns: int, channels_last: bool) -> None:
    """Results and both gradients, whatever the layout in memory."""
    x, weight = numbers(pictures, inputs, 4 * rows, 4 * columns), numbers(outputs, inputs, 3, 3, seed=1)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    found = []
    for convolve in (MinimalFiltering.apply, lambda x, w: conv2d(x, w, padding=1)):
        given_x, given_weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
        y = convolve(given_x, given_weight)
        y.backward(numbers(*y.shape, seed=2))
        found.append((y.detach(), given_x.grad, given_weight.grad))
    for own, expected in zip(*found, strict=True):
        assert own.shape == expected.shape
        assert torch.allclose(own, expected, rtol=1e-10, atol=1e-10)


def test_single_precision_is_enough() -> None:
    """With 240 channels the largest error is some hundred-thousandths of the largest number."""
    x, weight = numbers(16, 240, 8, 8), numbers(240, 240, 3, 3, seed=1)
    expected = conv2d(x, weight, padding=1)
    own = MinimalFiltering.apply(x.float(), weight.float()).double()
    assert (own - expected).abs().max() < 5e-5 * expected.abs().max()


@pytest.mark.parametrize(("change", "size"), [
    ({}, (16, 8, 10)), ({"stride": 2}, (16, 8, 8)), ({"padding": 0}, (16, 8, 8)), ({"groups": 2}, (16, 8, 8)),
    ({"dilation": 2, "padding": 2}, (16, 8, 8)), ({}, (1, 8, 8)), ({"out_channels": 40}, (16, 8, 8)),
    ({"padding_mode": "reflect"}, (16, 8, 8)),
], ids=["sides", "stride", "padding", "groups", "dilation", "few squares", "few channels", "other borders"])
def test_everything_else_is_left_to_torch(change: dict, size: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """No shape for which it was not made, or does not pay, ever reaches it."""
    monkeypatch.setattr(winograd, "MinimalFiltering", None)
    convolution = Convolution(**{"in_channels": 48, "out_channels": 48, "kernel_size": 3, "padding": 1, **change})
    x = torch.rand(size[0], 48, *size[1:])
    assert torch.equal(convolution(x), torch.nn.Conv2d._conv_forward(convolution, x, convolution.weight, convolution.bias))


def test_layers_learn_the_same_by_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """In float32, with biases: what two of them say and every gradient. Smooth between them: at a kink either way may fall to the other side."""
    torch.manual_seed(0)
    layers = torch.nn.Sequential(Convolution(48, 64, 3, padding=1), torch.nn.Tanh(), Convolution(64, 48, 3, padding=1))
    x = numbers(16, 48, 8, 8).float().requires_grad_()
    found = []
    for fewest in (winograd.FEWEST_CHANNELS, 10**9):
        monkeypatch.setattr(winograd, "FEWEST_CHANNELS", fewest)
        x.grad = None
        layers.zero_grad()
        y = layers(x)
        y.backward(numbers(*y.shape, seed=1).float())
        assert x.grad is not None
        found.append([y.detach(), x.grad, *(w.grad.clone() for w in layers.parameters() if w.grad is not None)])
    assert len(found[0]) == 6
    assert not torch.equal(found[0][0], found[1][0]), "both went the same way"
    for own, expected in zip(*found, strict=True):
        assert (own - expected).abs().max() <= 1e-4 * expected.abs().max()


def test_a_network_says_the_same_by_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it predicts; and in bfloat16 it goes torch's way."""
    network, x = make_network("scratch", 3, 64, 48, 3).eval(), numbers(16, 3, 64, 64).float()
    with torch.inference_mode():
        said = network(x)
        monkeypatch.setattr(winograd, "MinimalFiltering", None)
        with torch.autocast("cpu", torch.bfloat16):
            assert network(x).isfinite().all()
        monkeypatch.setattr(winograd, "FEWEST_CHANNELS", 10**9)
        assert torch.allclose(network(x), said, rtol=1e-4, atol=1e-4)
