"""Minimal filtering beside torch's own convolution: the same numbers, the same gradients, and torch's own wherever it does not apply."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from numba.core.caching import CacheImpl
from torch.nn.functional import conv2d

from models import squares, winograd
from models.convolution import Convolution
from models.networks import make_network
from models.winograd import MinimalFiltering

ROOT = Path(__file__).resolve().parents[1]


def doubled(x: int) -> int:
    return 2 * x


def of_both(convolve: Callable, x: torch.Tensor, weight: torch.Tensor) -> list[torch.Tensor]:
    """Results and both gradients."""
    given_x, given_weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    y = convolve(given_x, given_weight)
    y.backward(numbers(*y.shape, seed=2).to(y.dtype))
    assert given_x.grad is not None
    assert given_weight.grad is not None
    return [y.detach(), given_x.grad, given_weight.grad]


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    """Normal, double precision."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=25)
@given(st.integers(1, 5), st.sampled_from((8, 16, 24)), st.sampled_from((8, 24)), st.integers(1, 4), st.integers(1, 4), st.booleans(),
       st.sampled_from((1, 5000, 10**6)), st.integers(1, 3))
def test_it_is_the_convolution(pictures: int, inputs: int, outputs: int, rows: int, columns: int, channels_last: bool, at_a_time: int,
                               threads: int) -> None:
    """Results and both gradients, whatever the layout in memory, however many pictures and threads at a time."""
    x, weight = numbers(pictures, inputs, 4 * rows, 4 * columns), numbers(outputs, inputs, 3, 3, seed=1)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    with mock.patch.object(winograd, "AT_A_TIME", at_a_time), mock.patch("torch.get_num_threads", return_value=threads):
        found = [of_both(MinimalFiltering.apply, x, weight), of_both(partial(conv2d, padding=1), x, weight)]
    for own, expected in zip(*found, strict=True):
        assert own.shape == expected.shape
        assert torch.allclose(own, expected, rtol=1e-10, atol=1e-10)


def test_threads_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """In float32, the transforms of nine pictures by one and by four threads."""
    x, weight = numbers(9, 48, 8, 8).float(), numbers(48, 48, 3, 3, seed=1).float()
    found = []
    for threads in (1, 4):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        found.append(of_both(MinimalFiltering.apply, x, weight))
    for one, four in zip(*found, strict=True):
        assert torch.equal(one, four)


def test_only_what_is_wanted_is_worked_out() -> None:
    """Frozen weights, or pictures that nobody asks the gradient of."""
    x, weight = numbers(4, 8, 8, 8), numbers(8, 8, 3, 3, seed=1)
    for frozen in (x, weight):
        asked = weight if frozen is x else x
        asked.requires_grad_()
        MinimalFiltering.apply(x, weight).sum().backward()
        assert frozen.grad is None
        alone, asked.grad = asked.grad, None
        conv2d(x, weight, padding=1).sum().backward()
        assert torch.allclose(alone, asked.grad, rtol=1e-10, atol=1e-10)
        asked.requires_grad_(False)
        asked.grad = None


def test_without_a_place_for_compiled_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a read-only file system it is compiled anew, not refused."""
    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="cannot cache"):
        njit(cache=True)(doubled)
    assert squares._compiled(doubled)(4) == 8


def test_single_precision_is_enough() -> None:
    """With 240 channels the largest error is some hundred-thousandths of the largest number."""
    x, weight = numbers(16, 240, 8, 8), numbers(240, 240, 3, 3, seed=1)
    expected = conv2d(x, weight, padding=1)
    own = MinimalFiltering.apply(x.float(), weight.float()).double()
    assert (own - expected).abs().max() < 5e-5 * expected.abs().max()


@pytest.mark.parametrize(("change", "size"), [
    ({}, (16, 8, 10)), ({"stride": 2}, (16, 8, 8)), ({"padding": 0}, (16, 8, 8)), ({"groups": 2}, (16, 8, 8)),
    ({"dilation": 2, "padding": 2}, (16, 8, 8)), ({}, (4, 8, 8)), ({"out_channels": 8}, (16, 8, 8)),
    ({"padding_mode": "reflect"}, (16, 8, 8)), ({"out_channels": 52}, (16, 8, 8)), ({}, (2, 32, 32)),
], ids=["sides", "stride", "padding", "groups", "dilation", "few squares", "few channels", "other borders", "odd channels", "two pictures"])
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


def test_a_lone_picture_does_not_wait_for_a_compiler() -> None:
    """numba is imported for the first batch, not with the network and not for a picture and its mirror image."""
    script = ("import sys, torch\n"
              "from models.networks import make_network\n"
              "network = make_network('scratch', 3, 128, 48, 3).eval()\n"
              "for pictures in (2, 16):\n"
              "    with torch.inference_mode():\n"
              "        network(torch.rand(pictures, 3, 128, 128))\n"
              "    print('numba' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["False", "True"], done.stderr
