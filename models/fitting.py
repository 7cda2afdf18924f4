"""One network, from random or given weights to trained ones: the loop, its moving average, its checkpoints.

An epoch draws its order and its augmentation from (seed, network, epoch) alone, so that a run continued from a checkpoint goes
through the same steps as one that was never interrupted. The state of everything else is in `Training`.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.metrics import f1_score

from features.errors import ScratchworkError
from models.augment import augmented, sent
from models.checkpoints import read_checkpoint, write_checkpoint
from models.harmonic import learn_harmonics, make_plain
from models.inference import as_input, log_proba, state_of, tensors_of
from models.losses import class_priors, label_weights, loss_of, smoothed
from models.muon import Muon
from models.networks import make_network
from models.pictures import Pictures
from models.recipes import CnnParameters
from models.tensors import border_colors, chosen_device, chosen_precision, mean_and_deviation, sized_tiles

LOOK_EVERY = 32  # steps between two looks for a loss that is no number; each makes the device wait
Forward = Callable[[torch.Tensor], torch.Tensor]
FEWEST_STEPS = 16  # per epoch, as long as batches have
SMALLEST_BATCH = 8  # pictures
MIN_PART = 2  # pictures, fewer have no batch statistics


class Task(NamedTuple):
    """What one network learns from and is watched on. ``watch`` may hold no picture; ``number`` tells this network's draws from others'."""

    learn: Pictures
    codes: np.ndarray  # (n,)
    watch: Pictures
    watch_codes: np.ndarray  # (m,)
    n_classes: int
    number: int
    soft: np.ndarray | None = None  # (n, n_classes) label weights instead of ``codes``, which then only say how often a picture is drawn
    start: dict[str, np.ndarray] | None = None  # a finished network's state to go on from, its scaling included; None: random weights


@dataclass(frozen=True)
class Epoch:
    """One line of the history. ``macro_f1``, ``accuracy`` and ``log_loss`` of the watched pictures are NaN where there are none."""

    epoch: int  # from 1
    loss: float
    macro_f1: float
    accuracy: float
    log_loss: float
    rate: float
    size_px: int
    pictures_per_s: float
    seconds: float

    def score(self, watch: str) -> float:
        """What early stopping compares; more is better."""
        return {"macro-f1": self.macro_f1, "accuracy": self.accuracy, "log-loss": -self.log_loss}[watch]


class Checkpoint(NamedTuple):
    """Where a training's state lies; ``key`` says of which training; ``resume``: go on from there."""

    file: Path
    key: str
    resume: bool


@dataclass(frozen=True)
class Fitted:
    """``state``: the weights as arrays; ``history``: one `Epoch` each; ``best``: the epoch, from 1, whose weights these are."""

    state: dict[str, np.ndarray]
    history: list[Epoch]
    best: int


class Training:
    """A network on its way: everything that changes from step to step, and therefore everything that a checkpoint holds."""

    def __init__(self, task: Task, p: CnnParameters, device: torch.device, precision: torch.dtype) -> None:
        self.task, self.p, self.device, self.precision = task, p, device, precision
        self.network = make_network(p.arch, task.n_classes, p.size, p.width, 1 if p.gray else 3, p.patch, _seed_of(p.seed, task.number), p.edges)
        if task.start is None:
            small = sized_tiles(task.learn, p.size if p.edges else min(p.size, 64), p.gray, torch.device("cpu"))  # small ones have other edges
            self.network.mean, self.network.deviation = mean_and_deviation(small, self.network.front)
        else:
            self.network.load_state_dict(tensors_of(task.start))
        if p.harmonic:
            learn_harmonics(self.network)
        self.network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.optimizer = _optimizer(self.network, p)
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == torch.float16)
        self.prior = torch.from_numpy(class_priors(task.codes, task.n_classes, p.sampling)).float().to(device)
        self.codes = torch.from_numpy(task.codes).to(device)
        self.soft = None if task.soft is None else torch.from_numpy(task.soft).float().to(device)
        self.history: list[Epoch] = []
        self.best: dict[str, torch.Tensor] = {}
        self.best_epoch = 0
        self.steps = 0
        self.parts = 1  # into which a batch is cut, because the device's memory holds no more
        self.sized: tuple[int, torch.Tensor, torch.Tensor] = (0, torch.empty(0), torch.empty(0))

    def content(self, key: str) -> dict[str, Any]:
        """For a checkpoint."""
        return {"key": key, "network": self.network.state_dict(), "average": self.average, "optimizer": self.optimizer.state_dict(),
                "scaler": self.scaler.state_dict(), "best": self.best, "best_epoch": self.best_epoch, "steps": self.steps,
                "parts": self.parts, "history": [epoch.__dict__ for epoch in self.history]}

    def restore(self, content: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.network.load_state_dict(content["network"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.scaler.load_state_dict(content["scaler"])
        self.average = {name: value.to(self.device) for name, value in content["average"].items()}
        self.best, self.best_epoch, self.steps, self.parts = content["best"], content["best_epoch"], content["steps"], content["parts"]
        self.history = [Epoch(**epoch) for epoch in content["history"]]

    def pictures_of(self, size_px: int) -> tuple[torch.Tensor, torch.Tensor]:
        """All training pictures (n, C, S, S) and their border colours (n, C, 1, 1), uint8 on the device; made once per size."""
        if self.sized[0] != size_px:
            self.sized = (0, torch.empty(0), torch.empty(0))  # the old ones go first: two sizes need not fit
            x = sized_tiles(self.task.learn, size_px, self.p.gray, self.device)
            self.sized = (size_px, x, border_colors(x))
        return self.sized[1:]

    def weights(self) -> dict[str, torch.Tensor]:
        """What is watched and kept: the moving average where there is one."""
        return self.average if self.p.average_epochs else self.network.state_dict()


def fit_network(task: Task, p: CnnParameters, checkpoint: Checkpoint | None = None, on_epoch: Callable[[Epoch], None] | None = None,
                notice: Callable[[str], None] | None = None) -> Fitted:
    """Train one network. ``on_epoch`` hears of every epoch, ``notice`` of anything out of the ordinary."""
    device = chosen_device(p.device)
    training = Training(task, p, device, chosen_precision(p.precision, device))
    tell = notice or _silent
    stored = _stored(checkpoint, tell)
    if stored:
        training.restore(stored)
    forward: Forward = torch.compile(training.network) if p.compiled else training.network
    watched = sized_tiles(task.watch, p.size, p.gray, device)
    with _repeatable(p.deterministic):
        while len(training.history) < p.epochs and not _out_of_patience(training):
            _one_epoch(training, forward, watched, tell)
            if checkpoint:
                write_checkpoint(training.content(checkpoint.key), checkpoint.file)
            if on_epoch:
                on_epoch(training.history[-1])
    training.network.load_state_dict(training.best or training.weights())
    make_plain(training.network)
    return Fitted(state_of(training.network), training.history, training.best_epoch or len(training.history))


def _stored(checkpoint: Checkpoint | None, tell: Callable[[str], None]) -> dict[str, Any] | None:
    """What to go on from, and a word where that is not what one might expect."""
    if not checkpoint or not (checkpoint.resume or checkpoint.file.exists()):
        return None
    if not checkpoint.resume:
        tell(f"{checkpoint.file} of an interrupted training will be replaced; --resume would have gone on from it")
        return None
    found = read_checkpoint(checkpoint.file, checkpoint.key)
    if found:
        tell(f"going on after epoch {len(found['history'])}, from {checkpoint.file}")
    elif checkpoint.file.exists():
        tell(f"{checkpoint.file} is of other pictures or other options; starting anew")
    return found


def _silent(message: str) -> None:
    """Where notices go when nobody listens."""


def rate_at(done: float, step: int, p: CnnParameters) -> float:
    """The learning rate when the share ``done`` of all pictures has been seen."""
    if p.schedule == "constant":
        return p.learning_rate / (1 + p.decay * step)
    if done < p.warm_up:
        return p.learning_rate * (0.01 + 0.99 * done / p.warm_up)
    return p.learning_rate * 0.5 * (1 + math.cos(math.pi * (done - p.warm_up) / (1 - p.warm_up)))


def drawn_order(codes: np.ndarray, sampling: float, rng: np.random.Generator) -> np.ndarray:
    """(n,) positions of one epoch. Without ``sampling`` each once; with it a class of c pictures is drawn about c ** (1 - sampling) often.

    Nobody is drawn twice before everybody of the class was drawn once.
    """
    if not sampling:
        return rng.permutation(len(codes))
    counts = np.bincount(codes)
    share = np.where(counts > 0, np.maximum(counts, 1.0) ** (1 - sampling), 0)
    wanted = rng.multinomial(len(codes), share / share.sum())
    members = [np.flatnonzero(codes == c) for c in range(len(counts))]
    rounds = [np.concatenate([rng.permutation(m) for _ in range(-(-k // len(m)))])[:k] for m, k in zip(members, wanted, strict=True) if k]
    return rng.permutation(np.concatenate(rounds))


def _one_epoch(t: Training, forward: Forward, watched: torch.Tensor, notice: Callable[[str], None]) -> None:
    """Learn, watch, write it into the history, remember the best."""
    started = time.perf_counter()
    number, size_px = len(t.history), t.p.size_in(len(t.history))
    t.pictures_of(size_px)  # made before the clock of pictures/s starts
    learning = time.perf_counter()
    loss, rate = _learn(t, forward, notice)
    pictures_per_s = len(t.task.codes) / (time.perf_counter() - learning)
    figures = _watch(t, watched)
    before = max((e.score(t.p.watch) for e in t.history), default=-math.inf)
    t.history.append(Epoch(number + 1, loss, *figures, rate, size_px, pictures_per_s, time.perf_counter() - started))
    if (t.p.patience or t.p.keep_best) and len(watched) and t.history[-1].score(t.p.watch) > before:
        t.best = {name: value.detach().cpu().clone() for name, value in t.weights().items()}
        t.best_epoch = number + 1


def _learn(t: Training, forward: Forward, notice: Callable[[str], None]) -> tuple[float, float]:
    """One pass over the pictures; the mean loss and the last learning rate."""
    number, p = len(t.history), t.p
    rng = np.random.default_rng([p.seed, t.task.number, number])
    torch.manual_seed(int(rng.integers(2**31)))  # dropout
    batches = _batches(drawn_order(t.task.codes, p.sampling, rng), p.batch)
    losses = torch.zeros(len(batches), device=t.device)
    rate = 0.0
    t.network.train()
    for i, batch in enumerate(batches):
        rate = rate_at((number + i / len(batches)) / p.epochs, t.steps, p)
        for group in t.optimizer.param_groups:
            group["lr"] = rate
        losses[i] = _step(t, forward, batch, rng, notice)
        _average(t, len(batches))
        if i % LOOK_EVERY == LOOK_EVERY - 1 or i == len(batches) - 1:
            _stop_at_nan(losses[:i + 1], t.steps - i, number, p)
    return float(losses.mean()), rate  # waits for the device


def _batches(order: np.ndarray, size: int) -> list[np.ndarray]:
    """As even as possible, so that no picture is left to a batch of its own; smaller where there are few pictures, since steps are what counts."""
    size = min(size, max(SMALLEST_BATCH, len(order) // FEWEST_STEPS))
    return np.array_split(order, max(1, len(order) // size))


def _step(t: Training, forward: Forward, batch: np.ndarray, rng: np.random.Generator, notice: Callable[[str], None]) -> torch.Tensor:
    """One step on the pictures at these positions; the loss. Where memory is short, the batch goes through in parts."""
    x, fill = t.pictures_of(t.p.size_in(len(t.history)))
    rows = sent(batch, t.device)
    targets = label_weights(t.codes[rows], t.task.n_classes, t.p.smoothing) if t.soft is None else smoothed(t.soft[rows], t.p.smoothing)
    x, targets = augmented(as_input(x[rows]), fill[rows].float() / 255, targets, t.p.augmentation, rng)
    while True:
        try:
            loss = _gradients(t, forward, x, targets)
            break
        except torch.OutOfMemoryError as error:
            if len(batch) < 2 * MIN_PART * t.parts:
                raise ScratchworkError(f"the GPU's memory does not hold {len(batch) // t.parts} pictures of {t.p.size} px; give a smaller --size or "
                                       "--width, or --device cpu") from error
            t.parts *= 2
            torch.cuda.empty_cache()  # does nothing where there is no GPU
            notice(f"the GPU's memory is full: batches of {t.p.batch} go through it in {t.parts} parts from here on")
    t.scaler.step(t.optimizer)
    t.scaler.update()
    t.steps += 1
    return loss


def _gradients(t: Training, forward: Forward, x: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    t.optimizer.zero_grad(set_to_none=True)
    total = torch.zeros((), device=t.device)
    for part, wanted in zip(x.chunk(t.parts), targets.chunk(t.parts), strict=True):
        with torch.autocast(t.device.type, t.precision, enabled=t.precision != torch.float32):
            logits = forward(part)
        loss = loss_of(logits, wanted, t.p, t.prior) * (len(part) / len(x))
        t.scaler.scale(loss).backward()
        total += loss.detach()
    return total


def _average(t: Training, steps_per_epoch: int) -> None:
    """Moves the average towards the weights; over the first steps it is their plain mean."""
    if not t.p.average_epochs:
        return
    share = max(1 - math.exp(-1 / (t.p.average_epochs * steps_per_epoch)), 1 / t.steps)
    with torch.no_grad():
        for name, value in t.network.state_dict().items():
            if value.is_floating_point():
                t.average[name].lerp_(value, share)
            else:
                t.average[name].copy_(value)


def _watch(t: Training, watched: torch.Tensor) -> tuple[float, float, float]:
    """Macro-F1, accuracy and log loss of the watched pictures, one view each."""
    if not len(watched):
        return math.nan, math.nan, math.nan
    own = {name: value.clone() for name, value in t.network.state_dict().items()}
    t.network.load_state_dict(t.weights())
    z = log_proba(t.network, watched, t.precision)
    t.network.load_state_dict(own)
    codes = t.task.watch_codes
    return (float(f1_score(codes, z.argmax(1), average="macro", zero_division=0.0)), float((z.argmax(1) == codes).mean()),
            float(-z[np.arange(len(codes)), codes].mean()))


def _stop_at_nan(losses: torch.Tensor, first_step: int, epoch: int, p: CnnParameters) -> None:
    bad = torch.nonzero(~torch.isfinite(losses))
    if len(bad):
        step = first_step + int(bad[0])
        raise ScratchworkError(f"the loss is {float(losses[bad[0]])} at step {step} (epoch {epoch + 1}, learning rate up to {p.learning_rate:g}): "
                               f"the training diverged; try --learning-rate {p.learning_rate / 4:g}, a longer --warm-up, or --precision float32")


def _out_of_patience(t: Training) -> bool:
    """Counted from the first epoch at full size, since smaller pictures are not what is watched."""
    small = sum(t.p.size_in(epoch) != t.p.size for epoch in range(t.p.epochs))
    return bool(t.p.patience) and len(t.history) - max(t.best_epoch, small) >= t.p.patience


def _optimizer(network: torch.nn.Module, p: CnnParameters) -> torch.optim.Optimizer:
    matrices = [w for w in network.parameters() if w.ndim > 1]
    vectors = [w for w in network.parameters() if w.ndim <= 1]  # norms and biases: no weight decay
    groups = [{"params": matrices, "weight_decay": p.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    if p.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=p.learning_rate, momentum=0.9, nesterov=True)
    if p.optimizer == "muon":
        return Muon(_with_orthogonal(groups), lr=p.learning_rate)
    kind = torch.optim.AdamW if p.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=p.learning_rate)


def _with_orthogonal(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first of two groups taken apart: convolutions behind the first one are matrices between spaces of features, it and dense layers are not."""
    first, rest = groups
    stem, *inner = [w for w in first["params"] if w.ndim > 2]
    outer = [stem, *(w for w in first["params"] if w.ndim == 2)]
    return [{**first, "params": inner, "orthogonal": True}, {**first, "params": outer}, rest]


def _seed_of(seed: int, number: int) -> int:
    return int(np.random.default_rng([seed, number, 2**20]).integers(2**31))


@contextmanager
def _repeatable(wanted: bool) -> Iterator[None]:
    """Deterministic algorithms only, or whatever is fastest."""
    before = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(wanted)
    torch.backends.cudnn.benchmark = not wanted
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.backends.cudnn.benchmark = before[1]
