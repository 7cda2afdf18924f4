"""Augmentation: what each change must leave alone, and what mixing does to labels."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.augment import affine_maps, augmented, hue_turns, luma, sampling_grid
from models.losses import class_priors, label_weights, loss_of
from models.recipes import Augmentation, CnnParameters
from models.tensors import border_colors

NOTHING = Augmentation(**{f.name: type(f.default)(0) for f in fields(Augmentation)})  # type: ignore[arg-type]
STRENGTH = {"rotation": 40.0, "shift": 0.3, "shear": 0.4, "zoom": 0.5, "mirror": True, "upside_down": True, "brightness": 0.5, "contrast": 0.5,
            "saturation": 0.9, "hue": 0.5, "grayscale": 0.7, "cutout": 0.4, "grid_mask": 0.5, "mixup": 0.4, "cutmix": 1.0}
PICTURES = torch.rand(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
FILL = torch.rand(6, 3, 1, 1, generator=torch.Generator().manual_seed(1))
TARGETS = label_weights(torch.arange(6) % 4, 4, 0.1)


def change(a: Augmentation, seed: int = 0, x: torch.Tensor = PICTURES) -> tuple[torch.Tensor, torch.Tensor]:
    return augmented(x, FILL, TARGETS, a, np.random.default_rng(seed))


def test_no_strength_no_change() -> None:
    """With everything switched off the very same pixels and labels come out."""
    x, targets = change(NOTHING)
    assert torch.equal(x, PICTURES)
    assert torch.equal(targets, TARGETS)


@pytest.mark.parametrize("name", STRENGTH)
def test_each_change_does_something_and_is_repeatable(name: str) -> None:
    """The same seed gives the same batch, pixels stay in [0, 1], and the labels change with mixing only."""
    a = replace(NOTHING, **{name: STRENGTH[name]})
    x, targets = change(a)
    again, _ = change(a)
    assert torch.equal(x, again)
    assert not torch.equal(x, PICTURES)
    assert x.min() >= 0
    assert x.max() <= 1 + 1e-6
    assert torch.equal(targets, TARGETS) == (name not in ("mixup", "cutmix"))


@pytest.mark.parametrize("name", ["mirror", "upside_down"])
def test_flips_are_involutions(name: str) -> None:
    """Some pictures are flipped, some are not; flipped with the same draw once more they are the old ones."""
    a = replace(NOTHING, **{name: True})
    once, _ = change(a, 3)
    same = [torch.equal(old, new) for old, new in zip(PICTURES, once, strict=True)]
    assert len(set(same)) == 2
    assert torch.equal(change(a, 3, once)[0], PICTURES)


def test_what_is_uncovered_has_the_border_colour() -> None:
    """A picture that is all border colour stays it, wherever it is moved; a far shift shows the border colour."""
    plain = FILL.expand(-1, -1, 16, 16)
    a = replace(NOTHING, rotation=40.0, shift=0.3, shear=0.3, zoom=0.4, cutout=0.5)
    assert torch.allclose(change(a, x=plain)[0], plain, atol=1e-6)
    theta = affine_maps(replace(NOTHING, shift=1.0), torch.tensor([[0.0], [0.0], [0.0], [0.0], [1.0], [0.0]]))
    assert theta[0].tolist() == [[1, 0, 2], [0, 1, 0]]  # a whole picture to the side: nothing of it is left


def test_places_are_torchs() -> None:
    """Where pixels are looked for is what torch's own ``affine_grid`` says."""
    theta = affine_maps(Augmentation(rotation=40.0, shift=0.3, shear=0.4, zoom=0.5), 2 * torch.rand(6, 5) - 1)
    torch.testing.assert_close(sampling_grid(theta, 16), torch.nn.functional.affine_grid(theta, [5, 3, 16, 16], align_corners=False))


@given(seed=st.integers(0, 1000), moves=st.booleans(), gray=st.booleans())
@settings(max_examples=20)
def test_colours_change_after_the_move_one_step_behind_the_other(seed: int, moves: bool, gray: bool) -> None:
    """What one matrix per picture does is saturation, then contrast around the picture's mean, then brightness, of the moved picture."""
    places = replace(NOTHING, rotation=40.0, shift=0.3) if moves else NOTHING
    a = replace(places, brightness=0.5, contrast=0.5, saturation=0.9)
    pictures, fill = (PICTURES[:, :1], FILL[:, :1]) if gray else (PICTURES, FILL)
    x, _ = augmented(pictures, fill, TARGETS, places, np.random.default_rng(seed))
    brightness, contrast, saturation = (1 + strength * (2 * draw - 1)[:, None, None, None] for strength, draw in zip(
        (0.5, 0.5, 0.9), torch.from_numpy(np.random.default_rng(seed).random((18, 6), np.float32)[9:12]), strict=True))
    x = luma(x) + (x - luma(x)) * saturation
    middle = luma(x).mean((2, 3), keepdim=True)
    wanted = ((middle + (x - middle) * contrast) * brightness).clamp(0, 1)
    torch.testing.assert_close(augmented(pictures, fill, TARGETS, a, np.random.default_rng(seed))[0], wanted, atol=1e-5, rtol=0)


def test_a_turn_of_the_hue_leaves_grays_and_sums_alone() -> None:
    """A third of a turn takes red to green, green to blue, blue to red; none and a whole one change nothing; grays stay, as does R + G + B."""
    third, whole, some = hue_turns(torch.tensor([1 / 3, 1.0, 0.17]))
    torch.testing.assert_close(third @ torch.eye(3), torch.eye(3).roll(1, 0), atol=1e-6, rtol=0)
    torch.testing.assert_close(whole, torch.eye(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(some @ torch.ones(3), torch.ones(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(torch.ones(3) @ some, torch.ones(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(some @ some.T, torch.eye(3), atol=1e-6, rtol=0)


def test_pictures_that_lose_their_colour_keep_their_luma() -> None:
    """About the wanted share do, others stay as they are; no hue is left to turn; a gray network's pictures have nothing to lose."""
    x = PICTURES.repeat(100, 1, 1, 1)
    fill, targets = FILL.repeat(100, 1, 1, 1), TARGETS.repeat(100, 1)
    found, _ = augmented(x, fill, targets, replace(NOTHING, grayscale=0.3), np.random.default_rng(0))
    lost = (found.std(1) < 1e-6).all((1, 2))
    assert 0.2 < lost.float().mean() < 0.4
    torch.testing.assert_close(found[lost], luma(x[lost]).expand(-1, 3, -1, -1), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[~lost], x[~lost], atol=1e-5, rtol=0)
    both, _ = augmented(x, fill, targets, replace(NOTHING, grayscale=0.3, hue=0.5), np.random.default_rng(0))
    torch.testing.assert_close(both[lost], found[lost], atol=1e-5, rtol=0)
    gray, _ = augmented(x[:, :1], fill[:, :1], targets, replace(NOTHING, grayscale=0.3, hue=0.5), np.random.default_rng(0))
    torch.testing.assert_close(gray, x[:, :1], atol=1e-5, rtol=0)


@given(seed=st.integers(0, 1000), alpha=st.floats(0.05, 3), way=st.sampled_from(["mixup", "cutmix"]))
@settings(max_examples=20)
def test_mixed_labels_sum_to_one(seed: int, alpha: float, way: str) -> None:
    """Label weights stay a distribution, and a mixed picture lies between the two that it is made of."""
    x, targets = change(replace(NOTHING, **{way: alpha}), seed)
    assert torch.allclose(targets.sum(1), torch.ones(6), atol=1e-5)
    assert (targets >= 0).all()
    low, high = torch.minimum(PICTURES, PICTURES.roll(1, 0)), torch.maximum(PICTURES, PICTURES.roll(1, 0))
    assert ((x >= low - 1e-6) & (x <= high + 1e-6)).all()


def test_cutmix_labels_count_pixels() -> None:
    """The weight of the other label is the share of the pixels that come from the other picture."""
    white, black = torch.ones(2, 1, 16, 16), torch.zeros(2, 1, 16, 16)
    x = torch.stack([white[0], black[0]])
    mixed, targets = augmented(x, FILL[:2, :1], torch.eye(2), replace(NOTHING, cutmix=1.0), np.random.default_rng(4))
    assert torch.allclose(targets[0, 0], mixed[0].mean())
    assert torch.allclose(targets[1, 0], mixed[1].mean())


def test_luma_of_gray_is_gray() -> None:
    """Equal channels keep their value; weights sum to 1."""
    gray = torch.rand(2, 1, 4, 4)
    assert torch.allclose(luma(gray.expand(-1, 3, -1, -1)), gray)


def test_losses_agree_where_they_must() -> None:
    """Focal loss with gamma 0 and weighted loss with equal classes are the cross-entropy; no adjustment, no difference."""
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(2))
    even = torch.full((4,), 0.25)
    plain = loss_of(logits, TARGETS, CnnParameters(), even)
    assert torch.isclose(plain, torch.nn.functional.cross_entropy(logits, TARGETS))
    assert torch.isclose(loss_of(logits, TARGETS, CnnParameters(loss="focal", focal_gamma=0.0), even), plain)
    assert torch.isclose(loss_of(logits, TARGETS, CnnParameters(loss="weighted"), even), plain)
    assert torch.isclose(loss_of(logits, TARGETS, CnnParameters(logit_adjustment=1.0), even), plain)


def test_priors_follow_what_is_drawn() -> None:
    """Sampling 0: the shares of the pictures; sampling 1: equal; a class without pictures is never 0."""
    codes = np.repeat([0, 1], [30, 10])
    assert class_priors(codes, 2, 0.0).tolist() == [0.75, 0.25]
    assert class_priors(codes, 2, 1.0).tolist() == [0.5, 0.5]
    assert (class_priors(codes, 3, 0.0) > 0).all()


@given(pixels=arrays(np.uint8, st.tuples(st.integers(1, 3), st.sampled_from([1, 3]), st.shared(st.integers(2, 9), key="side"),
                                                    st.shared(st.integers(2, 9), key="side"))))
def test_the_border_colour_is_the_median(pixels: np.ndarray) -> None:
    """torch's own, corners counted twice."""
    x = torch.from_numpy(pixels)
    edge = torch.cat([x[:, :, 0, :], x[:, :, -1, :], x[:, :, :, 0], x[:, :, :, -1]], dim=2)
    assert torch.equal(border_colors(x)[:, :, 0, 0], edge.median(dim=2).values)
