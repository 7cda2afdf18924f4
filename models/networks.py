"""Architectures, all with random weights: our own, the contest team's, VGG16 and ResNet-50. (B, C, S, S) in [0, 1] → (B, n_classes) logits.

``scratch`` is made for a few thousand small pictures and few operations: square patches of pixels become channels at once, so that no
convolution works at full size, and width is spent where the maps are small (research note §8b.5). What each of its stages found is there
for a kernel machine too (`models.kernel_head`). ``camp`` is row A8; ``vgg16`` is
configuration D of Simonyan & Zisserman 2014, ``resnet50`` He et al. 2015 with its stride in the 3 x 3 convolution.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import nn

from models.convolution import Convolution

Network = TypeVar("Network", bound=nn.Module)
CAMP_CHANNELS = (50, 80, 120)
VGG16_CHANNELS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
RESNET50_BLOCKS = ((64, 3), (128, 4), (256, 6), (512, 3))


class Edges(nn.Module):
    """How steep a picture is at each pixel, whatever its colours: 1 where it is flat, 0 where it is a step of two thirds of the range or more. By the
    fourth root of the squared gradient (Sobel & Feldman 1968), a pencil's stroke is nearly as dark as a pen's."""

    full: torch.Tensor  # the gradient that is black, of 4 for a step from 0 to 1

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("full", torch.tensor(8 / 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, S, S) in [0, 1] → (B, 1, S, S) in [0, 1]."""
        x = F.pad(x, (1, 1, 1, 1), "replicate")
        down = x[:, :, :-2] + 2 * x[:, :, 1:-1] + x[:, :, 2:]
        across = x[..., :-2] + 2 * x[..., 1:-1] + x[..., 2:]
        squares = (down[..., 2:] - down[..., :-2]).square() + (across[:, :, 2:] - across[:, :, :-2]).square()
        return 1 - (squares.mean(1, keepdim=True).sqrt() / self.full).sqrt().clamp(max=1)


class Scaled(nn.Module):
    """A network behind the training pictures' mean and deviation, which are saved with it; before them `front_of` it."""

    mean: torch.Tensor  # (1, C, 1, 1)
    deviation: torch.Tensor  # (1, C, 1, 1)

    def __init__(self, body: nn.Module, channels: int, front: nn.Module) -> None:
        super().__init__()
        self.front = front
        self.body = body
        self.register_buffer("mean", torch.full((1, channels, 1, 1), 0.5))
        self.register_buffer("deviation", torch.full((1, channels, 1, 1), 0.25))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, S, S) in [0, 1] → (B, n_classes) logits."""
        return self.body(self.scaled(x))

    def scaled(self, x: torch.Tensor) -> torch.Tensor:
        """What the body sees, in one pass over the pictures."""
        return torch.addcmul(-self.mean / self.deviation, self.front(x), 1 / self.deviation)

    def pooled(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(B, C, S, S) in [0, 1] → what each stage of ``scratch`` found."""
        return self.body.pooled(self.scaled(x))  # type: ignore[operator]


class Patches(nn.Module):
    """``nn.PixelUnshuffle`` into the layout and the precision that the convolution behind it wants: a third of its time on a CPU."""

    def __init__(self, patch_px: int) -> None:
        super().__init__()
        self.patch_px = patch_px

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, S, S) → (B, C * patch * patch, S / patch, S / patch), channels last."""
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))  # before it is copied about, not after
        b, c, side, patch = *x.shape[:3], self.patch_px
        x = x.view(b, c, side // patch, patch, side // patch, patch).permute(0, 1, 3, 5, 2, 4)
        return x.reshape(b, c * patch**2, side // patch, side // patch).contiguous(memory_format=torch.channels_last)


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside the identity; the second norm starts at 0, so that a fresh block does nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels, 3)
        self.second = _convolution(channels, channels, 3)
        nn.init.zeros_(self.second.get_parameter("1.weight"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) → the same shape."""
        return torch.relu(x + self.second(torch.relu(self.first(x))))


class Bottleneck(nn.Module):
    """ResNet-50's block: 1 x 1 down, 3 x 3 with the stride, 1 x 1 up to four times ``channels``."""

    def __init__(self, inputs: int, channels: int, stride: int) -> None:
        super().__init__()
        self.path = nn.Sequential(_convolution(inputs, channels, 1), nn.ReLU(), _convolution(channels, channels, 3, stride), nn.ReLU(),
                                  _convolution(channels, 4 * channels, 1))
        same = stride == 1 and inputs == 4 * channels
        self.shortcut = nn.Identity() if same else _convolution(inputs, 4 * channels, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs, H, W) → (B, 4 * channels, H / stride, W / stride)."""
        return torch.relu(self.path(x) + self.shortcut(x))


class MeanAndMaximum(nn.Module):
    """(B, C, H, W) → (B, 2 C): how much of a thing there is, and whether it is there at all."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Over all places."""
        return torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1)


class AdaptiveMean(nn.Module):
    """(B, C, H, W) → (B, C, side, side): torch's adaptive average pool as matrix products, since its own has no repeatable gradient on CUDA."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Each place is the mean of the places that it covers, in part or whole."""
        rows, columns = (self._shares(length, x) for length in x.shape[2:])
        return rows @ x @ columns.T

    def _shares(self, length: int, x: torch.Tensor) -> torch.Tensor:
        """(side, length): rows sum to 1."""
        place, new = torch.arange(length, device=x.device), torch.arange(self.side, device=x.device)[:, None]
        covered = ((place >= new * length // self.side) & (place < ((new + 1) * length + self.side - 1) // self.side)).to(x.dtype)
        return covered / covered.sum(1, keepdim=True)


class Staged(nn.Module):
    """Stages one behind the other, and a dense layer on the mean and maximum of the last."""

    def __init__(self, stages: list[nn.Module], last_channels: int, n_classes: int) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.pool = MeanAndMaximum()
        self.head = nn.Linear(2 * last_channels, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, S, S) → (B, n_classes) logits."""
        for stage in self.stages:
            x = stage(x)
        return self.head(self.pool(x))

    def pooled(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(B, C, S, S) → per stage (B, 2 x its channels): mean and maximum over all places."""
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(self.pool(x))
        return found


def make_network(arch: str, n_classes: int, size_px: int, width: int, channels: int, patch_px: int = 2, seed: int = 0,
                 edges: bool = False) -> Scaled:
    """A fresh network whose weights depend on nothing but the arguments. ``channels`` of the pictures; with ``edges`` it sees `Edges` of them."""
    channels = 1 if edges else channels
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        body = {"scratch": lambda: scratch(n_classes, width, channels, patch_px), "camp": lambda: camp(n_classes, size_px, channels),
                "vgg16": lambda: vgg16(n_classes, channels), "resnet50": lambda: resnet50(n_classes, channels)}[arch]()
        return Scaled(body, channels, front_of(edges))


def front_of(edges: bool) -> nn.Module:
    """What a network sees of a picture: `Edges`, or all of it."""
    return Edges() if edges else nn.Identity()


def sees_edges(state: Mapping[str, Any]) -> bool:
    """Whether these are the weights of a network behind `Edges`."""
    return "front.full" in state


def scratch(n_classes: int, width: int, channels: int = 3, patch_px: int = 2) -> Staged:
    """Stem of ``width`` / 2 channels on patches of ``patch_px`` pixels a side, then three stages, each at half the side of the one before."""
    wide = (width, int(2.5 * width), 5 * width)
    stages: list[nn.Module] = [nn.Sequential(Patches(patch_px), _convolution(patch_px**2 * channels, width // 2, 3), nn.ReLU())]
    for inputs, outputs in zip((width // 2, *wide), wide, strict=False):
        stages.append(nn.Sequential(nn.MaxPool2d(2), _convolution(inputs, outputs, 3), nn.ReLU(), Residual(outputs)))
    return _he(Staged(stages, wide[-1], n_classes))


def camp(n_classes: int, size_px: int, channels: int = 3) -> nn.Sequential:
    """Row A8: three blocks of 1 x 1, 3 x 3, 3 x 3 convolutions with norm and ReLU and 2 x 2 max-pool; dense 50; dense."""
    layers: list[nn.Module] = []
    inputs = channels
    for outputs in CAMP_CHANNELS:
        for kernel in (1, 3, 3):
            layers += [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2), nn.BatchNorm2d(outputs), nn.ReLU()]
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    flat = inputs * (size_px // 8) ** 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(flat, 50), nn.ReLU(), nn.Linear(50, n_classes))


def vgg16(n_classes: int, channels: int = 3) -> nn.Sequential:
    """138,357,544 parameters with 1,000 classes; smaller pictures than 224 px are pooled to the 7 x 7 that its dense layers want."""
    layers: list[nn.Module] = []
    inputs = channels
    for block in VGG16_CHANNELS:
        for outputs in block:
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    return _he(nn.Sequential(*layers, AdaptiveMean(7), nn.Flatten(), nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Dropout(),
                             nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, n_classes)))


def resnet50(n_classes: int, channels: int = 3) -> nn.Sequential:
    """25,557,032 parameters with 1,000 classes."""
    layers: list[nn.Module] = [_convolution(channels, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    inputs = 64
    for stage, (width, blocks) in enumerate(RESNET50_BLOCKS):
        for number in range(blocks):
            layers.append(Bottleneck(inputs, width, 2 if stage and number == 0 else 1))
            inputs = 4 * width
    return _he(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, n_classes)))


def parameter_count(network: nn.Module) -> int:
    """Numbers that are learned."""
    return sum(p.numel() for p in network.parameters())


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(Convolution(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs))


def _he(network: Network) -> Network:
    """Convolutions start as He et al. 2015 have it."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network
