"""Architectures: shapes, published numbers of parameters, and nothing but the seed decides the weights."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from models.networks import AdaptiveMean, Edges, Patches, Residual, camp, make_network, parameter_count, resnet50, scratch, sees_edges, vgg16
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


@given(x=hnp.arrays(np.float64, st.tuples(st.just(2), st.sampled_from([1, 3]), st.integers(2, 7), st.integers(2, 7)), elements=st.floats(0, 1)))
def test_edges_are_scipys_sobel_of_every_channel(x: np.ndarray) -> None:
    """Of either axis, as one length; the same in the negative, in swapped channels, and mirrored where the picture is."""
    across, down = (np.array([[ndimage.sobel(plane, axis, mode="nearest") for plane in picture] for picture in x]) for axis in (1, 0))
    wanted = 1 - np.minimum(1, np.sqrt(np.sqrt((across**2 + down**2).mean(1, keepdims=True)) * 3 / 8))
    found = edges_of(x)
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    for same, of in ((edges_of(1 - x), found), (edges_of(x[:, ::-1]), found), (edges_of(x[..., ::-1]), found[..., ::-1]),
                     (edges_of(x.swapaxes(2, 3)), found.swapaxes(2, 3))):
        np.testing.assert_allclose(same, of, atol=1e-6)


def edges_of(x: np.ndarray) -> np.ndarray:
    return Edges()(torch.from_numpy(x.copy())).numpy()


def test_a_step_of_two_thirds_is_black_and_a_flat_picture_white() -> None:
    """A fainter step is lighter, by the root of its height; color that changes where the mean does not is an edge, too."""
    x = np.zeros((4, 3, 6, 6))
    x[0, :, :, 3:], x[1, :, :, 3:], x[2] = 2 / 3, 1 / 6, 0.7
    x[3, 0, :, 3:], x[3, 1, :, :3] = 0.5, 0.5
    found = edges_of(x)
    assert found[0, 0, 2].tolist() == pytest.approx([1, 1, 0, 0, 1, 1], abs=1e-6)
    assert found[1, 0, 2].tolist() == pytest.approx([1, 1, 0.5, 0.5, 1, 1], abs=1e-6)
    assert (found[2] == 1).all()
    assert found[3, 0, 2, 2] < 0.5


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_of_edges_does_not_tell_a_picture_from_its_negative(channels: int) -> None:
    """Whereas one of colours does; the weights say which of the two it is."""
    x = torch.rand(2, channels, 32, 32)
    edges, colors = (make_network("scratch", 5, 32, 8, channels, edges=edges).eval() for edges in (True, False))
    assert (sees_edges(edges.state_dict()), sees_edges(colors.state_dict())) == (True, False)
    assert edges.mean.shape == (1, 1, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(edges(x), edges(1 - x), atol=1e-4, rtol=1e-4)
        assert not torch.allclose(colors(x), colors(1 - x), atol=1e-2)


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
