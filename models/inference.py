"""From pictures to log-probabilities by finished networks, in float32, so that a CPU and a GPU say the same."""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import joblib
import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from features.errors import ScratchworkError
from features.processes import one_thread
from models.augment import affine_maps, moved
from models.kernel_head import Member
from models.networks import Scaled, make_network, sees_edges
from models.pictures import Pictures
from models.recipes import CnnParameters
from models.tensors import border_colors, chosen_device, sized_tiles
from models.trained import Progress

BATCH = {"cpu": 64, "cuda": 256}  # pictures at once; a processor's caches hold the maps of no more (docs/lab-notes.md)
R = TypeVar("R")
FEW = 8  # pictures that are through at once, so that nobody minds the other cores


def log_proba_of_members(members: list[Member], p: CnnParameters, n_classes: int, pictures: Pictures, device: str = "auto",
                         jobs: int | None = None, progress: Progress | None = None, networks: list[Scaled] | None = None) -> np.ndarray:
    """(n, n_classes): the mean of the members' log-probabilities; of a member with a kernel head, the mean of both its ways. ``networks``: the
    members', where somebody has kept them (`networks_of`).

    On a CPU members and batches are looked at beside each other, each by one of ``jobs`` threads (of few pictures, by as many as there are cores):
    threads that share one network's products wait for each other, for seconds where something else is computing.
    """
    place = chosen_device(device)
    networks = networks or networks_of(members, p, n_classes, device)

    def said_by(x: torch.Tensor, member: Member, network: Scaled) -> np.ndarray:
        z, stages = seen(network, x, p, wants_stages=member.head is not None)
        return z if member.head is None else (z + member.head.log_proba(stages)) / 2

    on_cpu, few = place.type == "cpu", len(pictures.rows) < FEW
    workers = 1 if not on_cpu else jobs if jobs and not few else joblib.cpu_count(only_physical_cores=True)
    found, done = [], 0
    with threads(1 if on_cpu else None), one_thread(), _pool(workers) as pool:
        for part in _parts(pictures, workers * BATCH[place.type]):
            batches = sized_tiles(part, p.size, p.gray, place).split(BATCH[place.type])
            tasks = [(x, member, network) for x in batches for member, network in zip(members, networks, strict=True)]
            said = pool.map(said_by, *zip(*tasks, strict=True))
            for x in batches:
                found.append(np.mean([next(said) for _ in members], axis=0))
                done += len(x)
                if progress:
                    progress(done, len(pictures.rows))
    return np.concatenate(found) if found else np.empty((0, n_classes))


def networks_of(members: list[Member], p: CnnParameters, n_classes: int, device: str = "auto") -> list[Scaled]:
    """A network for each member, on the device and ready to predict."""
    place = chosen_device(device)
    return [network_of(member.state, p, n_classes).to(place) for member in members]


def stages_of_state(state: dict[str, np.ndarray], p: CnnParameters, n_classes: int, pictures: Pictures, device: str = "auto") -> list[np.ndarray]:
    """What a network's stages find in n pictures, each (n, width of the stage) float32: the kernel head learns from it."""
    place = chosen_device(device)
    network = network_of(state, p, n_classes).to(place)
    parts = []
    for part in _parts(pictures, BATCH[place.type]):
        parts.append(seen(network, sized_tiles(part, p.size, p.gray, place), p, wants_stages=True)[1])
    return [np.concatenate(stage) for stage in zip(*parts, strict=True)]


def seen(network: Scaled, x: torch.Tensor, p: CnnParameters, wants_stages: bool) -> tuple[np.ndarray, list[np.ndarray]]:
    """(n, C, S, S) uint8 → (n, n_classes) float64 log-probabilities, and what each stage found, both means over `views_of`."""
    found = _in_halves(lambda part: _seen(network, part, p, wants_stages), x)
    return np.concatenate([z for z, _ in found]), [np.concatenate(stage) for stage in zip(*(stages for _, stages in found), strict=True)]


def _in_halves(look: Callable[[torch.Tensor], R], x: torch.Tensor) -> list[R]:
    """What ``look`` makes of the pictures, of half of them at a time where the GPU's memory holds no more, and so on."""
    try:
        return [look(x)]
    except torch.OutOfMemoryError as error:
        if len(x) < 2:
            raise ScratchworkError(f"the GPU's memory does not hold a picture of {x.shape[-1]} px; give a smaller --size or --width, or --device "
                                   "cpu") from error
    torch.cuda.empty_cache()  # outside of the handler, which keeps what was computed so far alive
    return [part for half in x.chunk(2) for part in _in_halves(look, half)]


def _seen(network: Scaled, x: torch.Tensor, p: CnnParameters, wants_stages: bool) -> tuple[np.ndarray, list[np.ndarray]]:
    network.eval()
    z: list[torch.Tensor] = []
    stages: list[tuple[torch.Tensor, ...]] = []
    views = views_of(x, p)
    with torch.inference_mode(), exact_products(x.device):
        while some := list(itertools.islice(views, max(1, BATCH[x.device.type] // len(x)))):  # a lone picture's go through together
            if wants_stages:
                found = network.pooled(torch.cat(some))
                z += torch.log_softmax(network.body.head(found[-1]), 1).chunk(len(some))  # type: ignore[operator]
                stages += zip(*(stage.chunk(len(some)) for stage in found), strict=True)
            else:
                z += torch.log_softmax(network(torch.cat(some)), 1).chunk(len(some))
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
    with torch.inference_mode(), exact_products(x.device), torch.autocast(x.device.type, precision, enabled=precision != torch.float32):
        parts = [part for batch in x.split(BATCH[x.device.type])
                 for part in _in_halves(lambda few: torch.log_softmax(network(as_input(few)).float(), 1).double().cpu(), batch)]
    return torch.cat(parts).numpy()


def network_of(state: dict[str, np.ndarray], p: CnnParameters, n_classes: int) -> Scaled:
    """A network with saved weights, ready to predict; whether it sees colours or edges the weights tell, since a model may have either kind."""
    with torch.device("meta"):  # no random weights that would be thrown away
        network = make_network(p.arch, n_classes, p.size, p.width, 1 if p.gray else 3, p.patch, edges=sees_edges(state))
    network.load_state_dict(tensors_of(state), assign=True)
    _fuse(network.eval())
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@contextmanager
def _pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """So many threads; what they have not begun is dropped where something goes wrong."""
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _parts(pictures: Pictures, step: int) -> Iterator[Pictures]:
    """``step`` pictures at a time."""
    for start in range(0, len(pictures.rows), step):
        yield pictures.take(np.arange(start, min(start + step, len(pictures.rows))))


def _fuse(network: nn.Module) -> None:
    """Every norm that follows a convolution goes into its weights: a third fewer passes over the maps."""
    for sequence in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for number, (layer, following) in enumerate(itertools.pairwise(list(sequence))):
            if isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
                sequence[number], sequence[number + 1] = fuse_conv_bn_eval(layer, following), nn.Identity()


def state_of(network: torch.nn.Module) -> dict[str, np.ndarray]:
    """The weights as plain arrays, whatever device they are on."""
    return {name: value.detach().cpu().contiguous().numpy().copy() for name, value in network.state_dict().items()}


def tensors_of(state: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """`state_of` turned round: copies, which a network may keep as its own."""
    return {name: torch.tensor(value) for name, value in state.items()}


def as_input(x: torch.Tensor) -> torch.Tensor:
    """uint8 → float32 in [0, 1]. A channel lies in one piece: passes over three channels by turns take several times as long on a CPU."""
    return x.to(torch.float32, memory_format=torch.contiguous_format).div_(255)


@contextmanager
def exact_products(device: torch.device) -> Iterator[None]:
    """No TF32 on a GPU: its 10 bits of mantissa would move probabilities by more than 1e-3."""
    if device.type != "cuda":
        yield
        return
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
