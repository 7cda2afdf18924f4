"""From pictures to log-probabilities by finished networks, in float32, so that a CPU and a GPU say the same."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from models.networks import Scaled, make_network
from models.pictures import Pictures
from models.recipes import CnnParameters
from models.tensors import chosen_device, sized_tiles
from models.trained import Progress

BATCH = 256  # pictures at once


def log_proba_of_states(states: list[dict[str, np.ndarray]], p: CnnParameters, n_classes: int, pictures: Pictures, device: str = "auto",
                        jobs: int | None = None, progress: Progress | None = None) -> np.ndarray:
    """(n, n_classes): the mean of the networks' log-probabilities."""
    place = chosen_device(device)
    networks = [network_of(state, p, n_classes).to(place) for state in states]
    parts = []
    with threads(jobs):
        for start in range(0, len(pictures.rows), BATCH):
            x = sized_tiles(pictures.take(np.arange(start, min(start + BATCH, len(pictures.rows)))), p.size, p.gray, place)
            parts.append(np.mean([log_proba(network, x, p.both_ways) for network in networks], axis=0))
            if progress:
                progress(start + len(x), len(pictures.rows))
    return np.concatenate(parts) if parts else np.empty((0, n_classes))


def log_proba(network: torch.nn.Module, x: torch.Tensor, both_ways: bool, precision: torch.dtype = torch.float32) -> np.ndarray:
    """(n, C, S, S) uint8 → (n, n_classes) float64; ``both_ways``: the mean over the picture and its mirror image."""
    network.eval()
    parts = []
    with torch.inference_mode(), exact_products(), torch.autocast(x.device.type, precision, enabled=precision != torch.float32):
        for batch in x.split(BATCH):
            batch = as_input(batch)
            views = [batch, batch.flip(3)] if both_ways else [batch]
            parts.append(torch.stack([torch.log_softmax(network(view).float(), 1) for view in views]).mean(0).double().cpu())
    return torch.cat(parts).numpy()


def network_of(state: dict[str, np.ndarray], p: CnnParameters, n_classes: int) -> Scaled:
    """A network with saved weights, ready to predict."""
    with torch.device("meta"):  # no random weights that would be thrown away
        network = make_network(p.arch, n_classes, p.size, p.width, 1 if p.gray else 3)
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
