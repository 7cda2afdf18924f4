"""Architectures: shapes, published numbers of parameters, and nothing but the seed decides the weights."""

import pytest
import torch

from models.networks import AdaptiveMean, Patches, Residual, camp, make_network, parameter_count, resnet50, scratch, vgg16
from models.recipes import ARCHITECTURES


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_batch_of_pictures_becomes_a_batch_of_logits(arch: str, channels: int) -> None:
    """(2, C, 32, 32) → (2, 5), finite."""
    network = make_network(arch, 5, 32, 8, channels).eval()
    with torch.no_grad():
        logits = network(torch.rand(2, channels, 32, 32))
    assert logits.shape == (2, 5)
    assert torch.isfinite(logits).all()


def test_published_numbers_of_parameters() -> None:
    """VGG16 (configuration D) and ResNet-50 with 1,000 classes have the numbers that their papers' implementations have."""
    with torch.device("meta"):
        assert parameter_count(vgg16(1000)) == 138_357_544
        assert parameter_count(resnet50(1000)) == 25_557_032


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (7, 7), (8, 20), (14, 9)])
def test_an_adaptive_mean_is_torchs(shape: tuple[int, int]) -> None:
    """Values and gradients, for maps that are smaller, as large and larger than what comes out."""
    x = torch.rand(2, 3, *shape, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(2, 3, 7, 7, dtype=torch.float64)
    ours, oracle = AdaptiveMean(7)(x), torch.nn.functional.adaptive_avg_pool2d(x, 7)
    torch.testing.assert_close(ours, oracle)
    torch.testing.assert_close(*(torch.autograd.grad((y * weights).sum(), x)[0] for y in (ours, oracle)))


@pytest.mark.parametrize("patch", [1, 2, 4])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_patches_are_torchs_pixel_unshuffle(patch: int, layout: torch.memory_format) -> None:
    """The same numbers, in the layout that convolutions like; where products are in bfloat16, in it."""
    x = torch.rand(2, 3, 8, 8).contiguous(memory_format=layout)
    ours = Patches(patch)(x)
    assert torch.equal(ours, torch.nn.PixelUnshuffle(patch)(x))
    assert ours.is_contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(Patches(patch)(x), ours.to(torch.bfloat16))


def test_a_network_sees_pictures_less_their_mean_in_deviations() -> None:
    """(x - mean) / deviation, per channel."""
    network = make_network("scratch", 2, 16, 8, 3)
    network.mean, network.deviation = torch.tensor([0.2, 0.5, 0.7]).view(1, 3, 1, 1), torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1)
    x = torch.rand(4, 3, 16, 16)
    torch.testing.assert_close(network.scaled(x), (x - network.mean) / network.deviation)


def test_camp_is_row_a8() -> None:
    """Nine convolutions of 1, 3, 3 px with 50, 80, 120 channels, each with a norm; dense 50; dense 20, at 224 px."""
    with torch.device("meta"):
        network = camp(20, 224)
    convolutions = [m for m in network if isinstance(m, torch.nn.Conv2d)]
    assert [(m.out_channels, m.kernel_size[0]) for m in convolutions] == [(c, k) for c in (50, 80, 120) for k in (1, 3, 3)]
    inner = sum(i * o * k * k + 3 * o for i, o, k in [(3, 50, 1), (50, 50, 3), (50, 50, 3), (50, 80, 1), (80, 80, 3), (80, 80, 3), (80, 120, 1),
                                                      (120, 120, 3), (120, 120, 3)])
    assert parameter_count(network) == inner + (120 * 28 * 28 + 1) * 50 + 51 * 20


def test_our_own_takes_any_size() -> None:
    """Progressive sizes go through one and the same network."""
    network = scratch(3, 8).eval()
    with torch.no_grad():
        assert [network(torch.rand(1, 3, side, side)).shape[1] for side in (16, 32, 48, 96)] == [3, 3, 3, 3]


def test_a_fresh_block_does_nothing() -> None:
    """The second norm starts at 0: only the ReLU behind the identity is seen."""
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(Residual(8)(x), torch.relu(x))


def test_the_seed_decides_the_weights_and_nothing_else_does() -> None:
    """Equal seeds, equal weights, whatever was drawn before; the global generator is left as it was."""
    before = torch.random.get_rng_state()
    one = make_network("scratch", 4, 32, 8, 3, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    two, three = make_network("scratch", 4, 32, 8, 3, seed=1), make_network("scratch", 4, 32, 8, 3, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    assert not torch.equal(next(one.parameters()), next(three.parameters()))
