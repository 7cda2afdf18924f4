"""Networks on folds: honest probabilities, and one model to save.

By default one network is trained, on all folds but the first, which it is watched on; with ``every_fold`` one per fold, whose mean
predicts. The held-out part is never watched: no epoch, no weight and no decision is chosen on it. A fold's decision is fitted
on the other folds (with one watched fold: on the other half of it), as for the boosted model.

With ``edge_networks`` every network has a second one beside it that sees edges (`models.recipes.kinds_of`); their mean counts.

With ``fold_epochs`` the networks of two folds begin as one, which learns from what both may see, and go on apart: a fold is never learned from by
what is said of it, and most of the steps are made once for two.

A refit learns from no label that these probabilities make doubtful (`models.doubt`), and of the others from what was said of the picture
beside the label itself (self-distillation: Furlanello et al. 2018).
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
from joblib.externals.loky import get_reusable_executor

from cleaning.balance import undersampled_rows
from features.errors import ScratchworkError
from features.extract import ExtractionSettings
from features.processes import in_processes, one_thread
from models.cnn import CnnClassifier
from models.decision import Decision, decided_by_others
from models.doubt import doubted_labels
from models.evaluation import calibration_figures
from models.fitting import Checkpoint, Epoch, Fitted, Task, fit_network
from models.inference import log_proba_of_members, stages_of_state, threads
from models.kernel_head import KernelHead, Member
from models.pictures import Examples
from models.recipes import CnnParameters, kinds_of
from models.tensors import chosen_device, chosen_precision
from models.trained import Trained

MOST_BYTES = 2**32  # of pictures that networks trained beside each other hold together
KINDS = ("", "edge ")  # `models.recipes.kinds_of`, in the names of their networks
APART = 10_000  # between the numbers of one kind's networks and those of the next
FEWEST_FOLDS_TO_SHARE = 4  # what is left for the start of a pair is half of the pictures or more


@dataclass(frozen=True)
class Conduct:
    """How a training runs, beside what it learns: ``every_fold`` a network per fold; ``refit`` as many once more on everything;
    checkpoints in ``folder``; ``digest`` of the data; ``jobs``: networks at once on a CPU; ``tell`` hears lines for people."""

    folder: Path
    digest: str
    every_fold: bool = False
    refit: bool = False
    resume: bool = False
    jobs: int | None = None
    tell: Callable[[str], None] = print


def train_cnn(examples: Examples, classes: list[str], p: CnnParameters, settings: ExtractionSettings, conduct: Conduct) -> Trained:
    """A network, or one per fold, and what they say of the pictures that they had not seen."""
    device = chosen_device(p.device)
    pictures, codes, fold = examples.pictures, examples.codes, examples.fold
    told = sorted(set(fold[fold >= 0].tolist()))
    watched_folds = told if conduct.every_fold else told[:1]
    conduct = replace(conduct, digest=f"{conduct.digest} {settings.fingerprint()} {device.type} {chosen_precision(p.precision, device)}")
    kinds = kinds_of(p)
    with _own_processes():
        fitted = _of_folds(examples, len(classes), watched_folds, kinds, conduct, device.type)
    members = [[one.member for one in row] for row in fitted]
    together = [member for row in members for member in row]
    raw = np.full((len(codes), len(classes)), np.nan)
    for k, own in zip(watched_folds, members, strict=True):
        raw[fold == k] = log_proba_of_members(own, p, len(classes), pictures.take(fold == k), device.type, conduct.jobs)
    raw[fold < 0] = log_proba_of_members(together, p, len(classes), pictures.take(fold < 0), device.type, conduct.jobs)
    part = fold if conduct.every_fold else pd.factorize(examples.groups)[0] % 2
    decision, proba, chosen = decided_by_others(raw, codes, fold, part)
    judged = np.isin(fold, watched_folds)
    calibrated = calibration_figures(raw[judged], proba[judged], codes[judged])
    doubted = np.zeros(len(codes), bool)
    said = _said_of_unlabelled(examples, members, p, len(classes), decision, device.type, conduct.jobs)
    model = CnnClassifier(replace(p, device="auto"), settings)
    if conduct.refit and not p.trust_labels:
        doubted = doubted_labels(examples, proba, np.ones(len(codes), bool))
    last = _refitted(examples, proba, ~doubted, kinds, fitted, conduct) if conduct.refit else [one for row in fitted for one in row]
    predicted = np.array([*classes, ""], dtype=object)[chosen]
    return Trained(model.adopt(classes, [one.member for one in last], decision), proba, predicted,
                   {"trained_on": len(np.unique(np.concatenate([one.learned for one in last]))),
                    "doubted": int(doubted.sum()), "calibration": calibrated, **_told(fitted, watched_folds, device.type)}, said)


class Finished(NamedTuple):
    """A network that is done: what predicts, every epoch, the epoch (from 1) whose weights these are, and the positions that it learned from."""

    member: Member
    history: list[Epoch]
    best: int
    learned: np.ndarray


def _said_of_unlabelled(examples: Examples, members: list[list[Member]], p: CnnParameters, n_classes: int, decision: Decision, device: str,
                        jobs: int | None) -> np.ndarray | None:
    """(folds + 1, u, n_classes): each fold's networks alone, then all together; None where there is nothing to judge."""
    if examples.unlabelled is None or examples.unlabelled.proba is not None:
        return None
    each = [log_proba_of_members(own, p, n_classes, examples.unlabelled.pictures, device, jobs) for own in members]
    return np.stack([decision.proba(raw) for raw in (*each, np.mean(each, axis=0))])


class Place(NamedTuple):
    """Of a network among those of the folds: which of the kinds, which of the folds."""

    kind: int
    i: int


def _of_folds(examples: Examples, n_classes: int, folds: list[int], kinds: list[CnnParameters], conduct: Conduct,
              device: str) -> list[list[Finished]]:
    """Per fold a network of each kind, watched on it; in pairs that begin together where `shares_starts`, else each as long as both parts of that."""
    fold, count, p = examples.fold, len(folds), kinds[0]

    def alone(place: Place, epochs: int, start: Finished | None = None) -> tuple:
        kind, i = place
        return (examples, n_classes, (fold >= 0) & (fold != folds[i]), fold == folds[i], replace(kinds[kind], epochs=epochs), folds[i] + APART * kind,
                conduct, i, f"{KINDS[kind]}network {i + 1} of {count}", None, start.member.state if start else None)

    def together(kind: int, i: int, j: int) -> tuple:
        learn = (fold >= 0) & (fold != folds[i]) & (fold != folds[j])
        return (examples, n_classes, learn, fold == folds[i], replace(kinds[kind], patience=0, keep_best=False, kernel_head=False),
                2000 + i + APART * kind, conduct, None, f"{KINDS[kind]}start of {i + 1} and {j + 1}")

    def by_fold(done: dict[Place, Finished]) -> list[list[Finished]]:
        return [[done[Place(kind, i)] for kind in range(len(kinds))] for i in range(count)]

    places = [Place(kind, i) for i in range(count) for kind in range(len(kinds))]
    if not shares_starts(p, count):
        ended = _several([[alone(place, p.epochs + p.fold_epochs)] for place in places], device, by_itself=len(places) == 1)
        return by_fold({place: one for place, (one,) in zip(places, ended, strict=True)})
    pairs = [(kind, *pair) for pair in pairs_of(count) for kind in range(len(kinds))]
    done, ready = dict[Place, Finished](), list[tuple[Place, Finished]]()
    at_once = _at_once(examples, p, conduct, len(places))
    while pairs or ready:  # whoever may go on does so beside the next starts
        now, pairs = pairs[:at_once], pairs[at_once:]
        # a start of one network only, begun beside others that go on, is gone on from at once: they would all wait for it
        rows = [[together(kind, i, j), *([alone(Place(kind, i), p.fold_epochs)] if ready and i > j else [])] for kind, i, j in now]
        ended = _several(rows + [[alone(place, p.fold_epochs, start)] for place, start in ready], device)
        done |= {place: _with_start(start, one) for (place, start), (one,) in zip(ready, ended[len(now):], strict=True)}
        done |= {Place(kind, i): _with_start(*row) for (kind, i, _), row in zip(now, ended, strict=False) if len(row) == 2}
        ready = [(place, row[0]) for (kind, i, j), row in zip(now, ended, strict=False) for place in (Place(kind, i), Place(kind, j))
                 if place.i >= i and place not in done]
    return by_fold(done)


def shares_starts(p: CnnParameters, folds: int) -> bool:
    """Whether networks of ``folds`` folds begin in pairs."""
    return bool(p.fold_epochs) and folds >= FEWEST_FOLDS_TO_SHARE


def pairs_of(folds: int) -> list[tuple[int, int]]:
    """Every fold with the next one; a last one that is left over with the first, which has its own start already."""
    return [(i, (i + 1) % folds) for i in range(0, folds, 2)]


def _with_start(start: Finished, own: Finished) -> Finished:
    """Its epochs counted on from its start's, which were watched on the first fold of the pair."""
    before = len(start.history)
    return own._replace(history=[*start.history, *(replace(e, epoch=before + e.epoch) for e in own.history)], best=before + own.best)


def _fitted(examples: Examples, n_classes: int, learn: np.ndarray, watch: np.ndarray, p: CnnParameters, number: int, conduct: Conduct,
            part: int | None, name: str, soft: np.ndarray | None = None, start: dict[str, np.ndarray] | None = None) -> Finished:
    """One network; ``learn`` and ``watch`` are masks (n,); ``part``: the position of the fold that is left out, -1 for none, None for more than
    one: no unlabelled picture joins then, since whoever judged it has seen one of them; ``soft`` (n, n_classes): label weights instead of the
    labels; ``start``: the weights to go on from."""
    pictures, codes = examples.pictures, examples.codes
    labels = len(set(codes[learn].tolist()))
    if labels < 2:
        raise ScratchworkError(f"{name} would learn from {learn.sum()} pictures of {labels} label; at least two labels are needed: add pictures or "
                               "give other --folds")
    rows = np.flatnonzero(learn)
    if p.undersample:
        rows = rows[undersampled_rows(codes[rows], p.seed)]
    task = Task(pictures.take(rows), codes[rows], pictures.take(watch), codes[watch], n_classes, number, None if soft is None else soft[rows], start)
    if examples.unlabelled and part is not None:
        more, proba = examples.unlabelled.joining(part, len(rows))
        if len(proba):
            task = task._replace(learn=task.learn.joined(more), codes=np.concatenate([task.codes, proba.argmax(1)]),
                                 soft=np.concatenate([np.eye(n_classes)[task.codes] if task.soft is None else task.soft, proba]))
    # what these change is in the labels, in how many, in the start and in who learns
    own = replace(p, distillation=0.0, refits=0, refit_epochs=0, fold_epochs=0, trust_labels=False)
    given = [*([] if task.soft is None else [task.soft]), *(start or {}).values()]
    mark = f"{conduct.digest} {number} {_fingerprint(learn)} {' '.join(map(_digest, given))} {asdict(own)}"
    checkpoint = Checkpoint(conduct.folder / f"cnn.{number}.checkpoint", hashlib.sha256(mark.encode()).hexdigest(), conduct.resume)
    fitted = fit_network(task, p, checkpoint, lambda epoch: conduct.tell(epoch_line(name, epoch, p.epochs)), conduct.tell)
    return Finished(member_of(fitted, task, p), fitted.history, fitted.best, rows)


def member_of(fitted: Fitted, task: Task, p: CnnParameters) -> Member:
    """The network with its kernel head, if the recipe has one, fitted on the pictures that the network learned from."""
    if not p.has_kernel_head:
        return Member(fitted.state, None)
    stages = stages_of_state(fitted.state, p, task.n_classes, task.learn, p.device)
    with one_thread():  # the same sums wherever the network was trained
        return Member(fitted.state, KernelHead().fit(stages, task.codes, task.n_classes, p.seed))


def _refitted(examples: Examples, proba: np.ndarray, learn: np.ndarray, kinds: list[CnnParameters], fitted: list[list[Finished]],
              conduct: Conduct) -> list[Finished]:
    """``refits`` networks, kind by kind in turn, or as many as before, on everything in ``learn`` (n,); taught by the labels and by ``proba``
    (n, n_classes), what networks said that had not seen the picture. With ``refit_epochs`` each goes on from one of the ``fitted`` (per fold,
    per kind), of as many starts as there are."""
    nothing, n_classes, p = np.zeros(len(learn), bool), proba.shape[1], kinds[0]
    own = [replace(kind, patience=0, keep_best=False, epochs=p.refit_epochs or p.epochs + p.fold_epochs) for kind in kinds]
    if shares_starts(p, len(fitted)):
        fitted = [*fitted[::2], *fitted[1::2]]
    before = [one for row in fitted for one in row]
    soft = None
    if p.distillation:
        labels = np.eye(n_classes)[examples.codes]
        soft = np.where(np.isnan(proba), labels, (1 - p.distillation) * labels + p.distillation * proba)
    count = p.refits or len(before)
    rows: list[list[tuple]] = [[(examples, n_classes, learn, nothing, own[i % len(own)], 1000 + i, conduct, -1,
                                 f"{KINDS[i % len(own)]}refit {i + 1} of {count}", soft,
                                 before[i % len(before)].member.state if p.refit_epochs else None)] for i in range(count)]
    with _own_processes():
        return [one for (one,) in _several(rows, chosen_device(p.device).type, by_itself=count == 1)]


def _several(rows: list[list[tuple]], device: str, by_itself: bool = False) -> list[list[Finished]]:
    """`_fitted_in_a_row` of each row of tasks. On a CPU networks are trained by one thread each, as many at once as there are jobs and memory for:
    that is half as fast again as one network by all threads. One ``by_itself`` is trained by as many threads as torch takes. The weights do not
    depend on the number of jobs."""
    examples, p, conduct = rows[0][0][0], rows[0][0][4], rows[0][0][6]
    if by_itself or device != "cpu":
        return [_fitted_in_a_row(row) for row in rows]
    at_once = _at_once(examples, p, conduct, len(rows))
    if at_once == 1:
        with threads(1):
            return [_fitted_in_a_row(row) for row in rows]
    return list(in_processes(_fitted_beside, [(os.getpid(), row) for row in rows], at_once))


@contextmanager
def _own_processes() -> Iterator[None]:
    """The same ones for all networks that are trained meanwhile, since each takes seconds to begin. Others did smaller work before and would count as
    leaking memory once they have loaded torch; these end here, since they hold what whoever comes next may need. Where something went wrong joblib
    has ended them already."""
    get_reusable_executor().shutdown()
    yield
    get_reusable_executor().shutdown()


def _fitted_in_a_row(tasks: list[tuple]) -> list[Finished]:
    """`_fitted` of each task; the second goes on from where the first ended."""
    done: list[Finished] = []
    for task in tasks:
        done.append(_fitted(*(*task[:-1], done[-1].member.state) if done else task))
    return done


def _at_once(examples: Examples, p: CnnParameters, conduct: Conduct, networks: int) -> int:
    network_bytes = len(examples.codes) * p.size**2 * (1 if p.gray else 3)
    return max(1, min(conduct.jobs or joblib.cpu_count(only_physical_cores=True), networks, MOST_BYTES // network_bytes))


def _fitted_beside(parent: int, tasks: list[tuple]) -> list[Finished]:
    """`_fitted_in_a_row` in a process of its own, which ends with its parent: nobody else may write its checkpoints."""
    conduct: Conduct = tasks[0][6]

    def tell(line: str) -> None:
        if os.getppid() != parent:
            os._exit(1)  # an exception would end this network, and the next one would be begun
        conduct.tell(line)

    heard = replace(conduct, tell=tell)
    with threads(1):
        return _fitted_in_a_row([tuple(heard if argument is conduct else argument for argument in task) for task in tasks])


def forget_checkpoints(folder: Path) -> None:
    """Once the model is saved nothing is left to resume."""
    for file in folder.glob("cnn.*.checkpoint"):
        file.unlink()


def epoch_line(name: str, e: Epoch, epochs: int) -> str:
    """What a person wants to know after every epoch."""
    figures = "" if np.isnan(e.macro_f1) else f"  validation macro-F1 {e.macro_f1:.3f}  accuracy {e.accuracy:.3f}  log loss {e.log_loss:.3f}"
    left_s = (epochs - e.epoch) * e.seconds
    return (f"{name}  epoch {e.epoch}/{epochs}  {e.size_px} px  loss {e.loss:.3f}{figures}  {e.pictures_per_s:,.0f} pictures/s  "
            f"about {left_s / 60:.0f} min left")


def _told(fitted: list[list[Finished]], folds: list[int], device: str) -> dict[str, Any]:
    named = [(f"{KINDS[kind]}{k}", one) for kind, row in enumerate(zip(*fitted, strict=True)) for k, one in zip(folds, row, strict=True)]
    history = pd.DataFrame([{"network": name, **epoch.__dict__} for name, one in named for epoch in one.history])
    return {"epochs": [one.best for _, one in named], "networks": len(named), "judged_folds": len(folds), "device": device, "history": history}


def _fingerprint(mask: np.ndarray) -> str:
    return _digest(np.packbits(mask))


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()
