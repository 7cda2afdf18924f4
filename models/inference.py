"""From pictures to log-probabilities by finished networks, in float32, so that a CPU and a GPU say the same."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from models.augment import affine_maps, moved
from models.kernel_head import Member
from models.networks import Scaled, make_network
from models.pictures import Pictures
from models.recipes import CnnParameters
from models.tensors import border_colors, chosen_device, sized_tiles
from models.trained import Progress

BATCH = 256  # pictures at once


def log_proba_of_members(members: list[Member], p: CnnParameters, n_classes: int, pictures: Pictures, device: str = "auto",
                         jobs: int | None = None, progress: Progress | None = None) -> np.ndarray:
    """(n, n_classes): the mean of the members' log-probabilities; of a member with a kernel head, the mean of both its ways."""
    place = chosen_device(device)
    networks = [network_of(member.state, p, n_classes).to(place) for member in members]
    parts = []
    with threads(jobs):
        for start in range(0, len(pictures.rows), BATCH):
            x = sized_tiles(pictures.take(np.arange(start, min(start + BATCH, len(pictures.rows)))), p.size, p.gray, place)
            said = []
            for member, network in zip(members, networks, strict=True):
                z, stages = seen(network, x, p, wants_stages=member.head is not None)
                said.append(z if member.head is None else (z + member.head.log_proba(stages)) / 2)
            parts.append(np.mean(said, axis=0))
            if progress:
                progress(start + len(x), len(pictures.rows))
    return np.concatenate(parts) if parts else np.empty((0, n_classes))


def stages_of_state(state: dict[str, np.ndarray], p: CnnParameters, n_classes: int, pictures: Pictures, device: str = "auto") -> list[np.ndarray]:
    """What a network's stages find in n pictures, each (n, width of the stage) float32: the kernel head learns from it."""
    place = chosen_device(device)
    network = network_of(state, p, n_classes).to(place)
    parts = []
    for start in range(0, len(pictures.rows), BATCH):
        x = sized_tiles(pictures.take(np.arange(start, min(start + BATCH, len(pictures.rows)))), p.size, p.gray, place)
        parts.append(seen(network, x, p, wants_stages=True)[1])
    return [np.concatenate(stage) for stage in zip(*parts, strict=True)]


def seen(network: Scaled, x: torch.Tensor, p: CnnParameters, wants_stages: bool) -> tuple[np.ndarray, list[np.ndarray]]:
    """(n, C, S, S) uint8 → (n, n_classes) float64 log-probabilities, and what each stage found, both means over `views_of`."""
    network.eval()
    z: list[torch.Tensor] = []
    stages: list[list[torch.Tensor]] = []
    with torch.inference_mode(), exact_products():
        for view in views_of(x, p):
            if wants_stages:
                found = network.pooled(view)
                z.append(torch.log_softmax(network.body.head(found[-1]), 1))  # type: ignore[operator]
                stages.append(found)
            else:
                z.append(torch.log_softmax(network(view), 1))
        means = [torch.stack(stage).mean(0).cpu().numpy() for stage in zip(*stages, strict=True)]
        return torch.stack(z).mean(0).double().cpu().numpy(), means


def views_of(x: torch.Tensor, p: CnnParameters) -> Iterator[torch.Tensor]:
    """(n, C, S, S) uint8 → float pictures in [0, 1]: as they are, then ``p.views`` - 1 times moved, always in the same ways; each mirrored too
    where training mirrors."""
    plain = as_input(x)
    draws = torch.from_numpy(2 * np.random.default_rng(0).random((max(p.views - 1, 1), 6), np.float32) - 1)
    for number in range(p.views):
        view = plain
        if number:
            theta = affine_maps(p.augmentation, draws[number - 1, :, None]).expand(len(x), 2, 3).to(x.device)
            view = moved(plain, border_colors(x).float() / 255, theta)
        yield view
        if p.both_ways:
            yield view.flip(3)


def log_proba(network: torch.nn.Module, x: torch.Tensor, precision: torch.dtype = torch.float32) -> np.ndarray:
    """(n, C, S, S) uint8 → (n, n_classes) float64, of the pictures as they are: for a look during training."""
    network.eval()
    parts = []
    with torch.inference_mode(), exact_products(), torch.autocast(x.device.type, precision, enabled=precision != torch.float32):
        for batch in x.split(BATCH):
            parts.append(torch.log_softmax(network(as_input(batch)).float(), 1).double().cpu())
    return torch.cat(parts).numpy()


def network_of(state: dict[str, np.ndarray], p: CnnParameters, n_classes: int) -> Scaled:
    """A network with saved weights, ready to predict."""
    with torch.device("meta"):  # no random weights that would be thrown away
        network = make_network(p.arch, n_classes, p.size, p.width, 1 if p.gray else 3, p.patch)
    network.load_state_dict({name: torch.tensor(value) for name, value in state.items()}, assign=True)
    return network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def state_of(network: torch.nn.Module) -> dict[str, np.ndarray]:
    """The weights as plain arrays, whatever device they are on."""
    return {name: value.detach().cpu().contiguous().numpy().copy() for name, value in network.state_dict().items()}


def as_input(x: torch.Tensor) -> torch.Tensor:
    """uint8 → float32 in [0, 1], channels last: the layout that convolutions like best."""
    return x.to(torch.float32, memory_format=torch.channels_last) / 255


@contextmanager
def exact_products() -> Iterator[None]:
    """No TF32 on a GPU: its 10 bits of mantissa would move probabilities by more than 1e-3."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@contextmanager
def threads(jobs: int | None) -> Iterator[None]:
    """torch held to so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(jobs or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
