"""Augmentation as batched tensor code on the device: a batch goes in, a changed batch and its mixed labels come out.

All random numbers are drawn by NumPy in one go and travel to the device once, so that one seed gives the same pictures on a CPU
and on a GPU. What a change uncovers is filled with the picture's own border colour. Sources: Zhang et al. 2018 (mixup), Yun et al.
2019 (cutmix), DeVries & Taylor 2017 (cutout), Chen et al. 2020 (grid mask).
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from models.recipes import Augmentation

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
GRID_CELLS = (3, 6)  # cells along a side of the grid mask: fewest, most
DRAWS = 18  # random numbers per picture


def augmented(x: torch.Tensor, fill: torch.Tensor, targets: torch.Tensor, a: Augmentation,
              rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, C, S, S) in [0, 1], border colours (B, C, 1, 1) and label weights (B, n_classes) → both changed, of the same shapes."""
    draws = sent(rng.random((DRAWS, len(x)), np.float32), x.device)
    x = _moved_and_recolored(x, fill, a, draws[0:3], 2 * draws[3:9] - 1, 2 * draws[9:13] - 1)
    x = _painted_over(x, fill, a, draws[13:18])
    return _mixed(x, targets, a, rng)


def sent(values: np.ndarray, device: torch.device) -> torch.Tensor:
    """A small array on the device, without waiting for what the device is still doing."""
    return torch.from_numpy(values).to(device, non_blocking=True)


def _moved_and_recolored(x: torch.Tensor, fill: torch.Tensor, a: Augmentation, coins: torch.Tensor, places: torch.Tensor,
                         colors: torch.Tensor) -> torch.Tensor:
    """``coins`` (3, B) in [0, 1] turn pictures over and take their colour; ``places`` (6, B) and ``colors`` (4, B) in [-1, 1]."""
    *over, grays = [(coin < share) for coin, share in zip(coins, (a.mirror / 2, a.upside_down / 2, a.grayscale), strict=True)]
    recolors = a.brightness or a.contrast or a.saturation or a.hue or a.grayscale
    if not (a.rotation or a.shift or a.shear or a.zoom):
        for axis, turned in zip((3, 2), over, strict=True):
            x = torch.where(turned[:, None, None, None], x.flip(axis), x)
        return _recolored(x, torch.zeros_like(fill), a, grays, colors) if recolors else x
    signs = torch.stack([1 - 2 * turned.float() for turned in over], 1)  # (B, 2)
    apart = _moved_apart(x, fill, affine_maps(a, places) * signs[:, :, None])
    return _recolored(apart, fill, a, grays, colors) if recolors else apart.add_(fill)


def moved(x: torch.Tensor, fill: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
    """(B, C, S, S) resampled at the places of ``theta`` (B, 2, 3); ``fill`` (B, C, 1, 1) where it leaves the picture."""
    return _moved_apart(x, fill, theta).add_(fill)


def _moved_apart(x: torch.Tensor, fill: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
    """`moved`, less ``fill``."""
    return F.grid_sample(x - fill, sampling_grid(theta, x.shape[2]), mode="bilinear", padding_mode="zeros", align_corners=False)


def sampling_grid(theta: torch.Tensor, side_px: int) -> torch.Tensor:
    """(B, 2, 3) → (B, S, S, 2): torch's ``affine_grid`` as one matrix product, which takes a third of its time on a CPU."""
    place = (torch.arange(side_px, device=theta.device) + 0.5) * (2 / side_px) - 1
    right, down = place.expand(side_px, side_px), place[:, None].expand(side_px, side_px)
    places = torch.stack([right, down, torch.ones_like(right)], 2).flatten(0, 1)  # (S * S, 3)
    return (places @ theta.transpose(1, 2)).view(len(theta), side_px, side_px, 2)


def affine_maps(a: Augmentation, draws: torch.Tensor) -> torch.Tensor:
    """``draws`` (6, B) in [-1, 1] → (B, 2, 3): where each pixel of the new picture is found in the old one, both from -1 to 1."""
    angle = torch.deg2rad(a.rotation * draws[0])
    cos, sin = torch.cos(angle), torch.sin(angle)
    shear = a.shear * draws[1]
    wide, high = (1 + a.zoom) ** draws[2], (1 + a.zoom) ** (draws[2] + 0.25 * draws[3])  # the aspect changes a quarter as much
    right, down = 2 * a.shift * draws[4], 2 * a.shift * draws[5]
    return torch.stack([torch.stack([cos / wide, (shear * cos - sin) / wide, right], 1),
                        torch.stack([sin / high, (shear * sin + cos) / high, down], 1)], 1)


def _recolored(apart: torch.Tensor, fill: torch.Tensor, a: Augmentation, grays: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Brightness, contrast, saturation and hue of ``apart`` + ``fill``. Each is linear in the channels of a pixel, given the picture's mean: one
    small matrix per picture does all of it in one pass. ``grays`` (B,) bool lose their colour; ``draws`` (4, B) in [-1, 1]."""
    channels = apart.shape[1]
    brightness, contrast, saturation = (1 + strength * draw[:, None, None]
                                        for strength, draw in zip((a.brightness, a.contrast, a.saturation), draws[:3], strict=True))
    saturation = torch.where(grays[:, None, None], 0, saturation)
    fill = fill.flatten(2)  # (B, C, 1)
    light = torch.tensor([LUMA if channels == len(LUMA) else [1.0] * channels], device=apart.device)  # (1, C)
    middle = light @ (apart.mean((2, 3))[:, :, None] + fill)  # (B, 1, 1)
    # (middle + (gray + (x - gray) * saturation - middle) * contrast) * brightness, its terms gathered
    both = brightness * contrast
    matrix = both * (saturation * torch.eye(channels, device=apart.device) + (1 - saturation) * light)  # (B, C, C)
    if a.hue and channels == len(LUMA):
        matrix = hue_turns(a.hue * draws[3]) @ matrix
    offset = matrix @ fill + middle * (brightness - both)
    return torch.baddbmm(offset, matrix, apart.flatten(2)).clamp_(0, 1).view_as(apart)


def hue_turns(turns: torch.Tensor) -> torch.Tensor:
    """(B,) whole turns around the axis of grays → (B, 3, 3) for RGB columns; a third of a turn makes red green, green blue and blue red."""
    cos, sin = torch.cos(2 * math.pi * turns), math.sqrt(3) * torch.sin(2 * math.pi * turns)
    same, following, previous = (1 + 2 * cos) / 3, (1 - cos - sin) / 3, (1 - cos + sin) / 3
    return torch.stack([same, following, previous, previous, same, following, following, previous, same], 1).view(-1, 3, 3)


def luma(x: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) → (B, 1, H, W); one channel stays as it is."""
    if x.shape[1] == 1:
        return x
    red, green, blue = x.split(1, dim=1)
    return red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]


def _painted_over(x: torch.Tensor, fill: torch.Tensor, a: Augmentation, draws: torch.Tensor) -> torch.Tensor:
    """Every other picture gets a square, every other one a grid, where they are wanted. ``draws`` (5, B) in [0, 1]."""
    if a.cutout:
        hole = _box(x.shape[2], draws[0], draws[1], torch.full_like(draws[0], a.cutout)) & (draws[2] < 0.5)[:, None, None, None]
        x = torch.where(hole, fill, x)
    if a.grid_mask:
        holes = _grid(x.shape[2], draws[3], draws[4], a.grid_mask) & (draws[2] >= 0.5)[:, None, None, None]
        x = torch.where(holes, fill, x)
    return x


def _box(side_px: int, down: torch.Tensor, right: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """(B, 1, S, S) bool: a square of ``share`` of the side around the centre (down, right), cut at the borders; all (B,) in [0, 1]."""
    place = (torch.arange(side_px, device=down.device) + 0.5) / side_px
    rows = (place - down[:, None]).abs() < share[:, None] / 2
    columns = (place - right[:, None]).abs() < share[:, None] / 2
    return (rows[:, :, None] & columns[:, None, :])[:, None]


def _grid(side_px: int, phase: torch.Tensor, density: torch.Tensor, share: float) -> torch.Tensor:
    """(B, 1, S, S) bool: squares in a regular grid; ``phase`` and ``density`` (B,) in [0, 1] place it and choose its cells."""
    cells = GRID_CELLS[0] + (GRID_CELLS[1] - GRID_CELLS[0]) * density[:, None]
    place = (torch.arange(side_px, device=phase.device) + 0.5) / side_px
    inside = (place * cells + phase[:, None]) % 1 < share
    return (inside[:, :, None] & inside[:, None, :])[:, None]


def _mixed(x: torch.Tensor, targets: torch.Tensor, a: Augmentation, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Each picture with its neighbour in the batch, by mixup or by cutmix; where both are on, a coin decides for the batch."""
    ways = [way for way in ("mixup", "cutmix") if getattr(a, way)]
    if not ways:
        return x, targets
    way = ways[int(rng.integers(len(ways)))]
    alpha = getattr(a, way)
    own = sent(rng.beta(alpha, alpha, len(x)).astype(np.float32), x.device)
    if way == "cutmix":
        centre = sent(rng.random((2, len(x)), np.float32), x.device)
        box = _box(x.shape[2], centre[0], centre[1], (1 - own).sqrt())
        x = torch.where(box, x.roll(1, 0), x)
        own = 1 - box.float().mean((1, 2, 3))
    else:
        x = own[:, None, None, None] * x + (1 - own[:, None, None, None]) * x.roll(1, 0)
    return x, own[:, None] * targets + (1 - own[:, None]) * targets.roll(1, 0)
