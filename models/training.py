"""Cross-validated training of the boosted model: honest probabilities for every picture, and one final model.

Folds: each picture is predicted by a machine that never saw its group. How many rounds of boosting a fold's predictions use is
read off the OTHER folds' learning curves, and the decision likewise, so that no figure is chosen on the pictures it is told of.
The held-out part is predicted by the final machine, fitted on all folds together.

The final machine does not learn from labels that those out-of-fold probabilities make doubtful (`models.doubt`).

Cross-validation takes four fifths of a training. `clean` needs it to judge labels, and a training of the same pictures afterwards the very same
one, so that it is remembered (`write_folds`).
"""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from features.extract import ExtractionSettings
from features.files import whole_file
from models.decision import Decision, decided_by_others
from models.doubt import doubted_labels
from models.evaluation import calibration_figures
from models.lgbm import BoostedKernel, LgbmClassifier, LgbmParameters, Samples, draw_samples
from models.pictures import Examples, Pictures, Unlabelled
from models.trained import Progress, Stage, Trained


class CrossValidation(NamedTuple):
    """What machines said that had not seen the picture: ``raw`` log-probabilities and calibrated ``proba`` (n, n_classes), ``chosen`` (n,) codes,
    all without meaning for the held-out part; ``decision`` and ``rounds`` for a machine on all folds, and what was drawn for it; ``unlabelled``
    (folds, u, n_classes) raw log-probabilities of pictures without labels."""

    raw: np.ndarray
    proba: np.ndarray
    chosen: np.ndarray
    decision: Decision
    rounds: int
    samples: Samples
    unlabelled: np.ndarray | None = None


class Folds(NamedTuple):
    """What is costly of a `CrossValidation`, from which the rest follows: its ``raw`` (n, n_classes) and ``rounds``."""

    raw: np.ndarray
    rounds: int


def train_lgbm(examples: Examples, classes: list[str], parameters: LgbmParameters, settings: ExtractionSettings, refit: bool, jobs: int,
               stage: Stage, found: CrossValidation | None = None) -> Trained:
    """``refit``: the returned model is fitted once more on everything, the held-out part included; the probabilities are not touched. ``found``: of
    these very examples and parameters, made now if not given."""
    fold, n_classes = examples.fold, len(classes)
    found = found or cross_validated(examples, n_classes, parameters, jobs, stage)
    proba, chosen, decision = found.proba.copy(), found.chosen.copy(), found.decision
    nobody = np.zeros(len(fold), bool)
    doubted = nobody if parameters.trust_labels else doubted_labels(examples, proba, fold >= 0)
    machine = fitted_on(examples, (fold >= 0) & ~doubted, n_classes, found.samples, found.rounds, parameters, jobs, stage("final model"))
    model = LgbmClassifier(parameters, settings).adopt(classes, machine, decision)
    held_out = np.flatnonzero(fold < 0)
    if len(held_out):
        proba[held_out] = model.proba_of(examples.pictures.take(held_out), jobs, stage("held-out part"))
        chosen[held_out] = decision.codes(proba[held_out])
    if refit:
        doubted = nobody if parameters.trust_labels else doubted_labels(examples, proba, ~nobody)
        samples = draw_samples(examples.pictures, parameters, jobs)
        machine = fitted_on(examples, ~doubted, n_classes, samples, found.rounds, parameters, jobs, stage("refit on everything"))
        model = LgbmClassifier(parameters, settings).adopt(classes, machine, decision)
    said = None
    if examples.unlabelled and found.unlabelled is not None:
        last = model.proba_of(examples.unlabelled.pictures, jobs, stage("unlabelled pictures"))
        said = np.stack([*(decision.proba(raw) for raw in found.unlabelled), last])
    told = {"rounds": found.rounds, "doubted": int(doubted.sum()), "trained_on": int(machine.counts_before_.sum()),
            "learned_from": dict(zip(classes, machine.counts_before_.tolist(), strict=True)),
            "balanced_to": dict(zip(classes, machine.counts_after_.round(1).tolist(), strict=True)),
            "not_mirrored": [label for label, mirrored in zip(classes, machine.mirrored_, strict=True) if parameters.mirror and not mirrored],
            "importance": machine.importance(),
            "calibration": calibration_figures(found.raw[fold >= 0], found.proba[fold >= 0], examples.codes[fold >= 0])}
    return Trained(model, proba, np.array(classes, dtype=object)[chosen], told, said)


def cross_validated(examples: Examples, n_classes: int, parameters: LgbmParameters, jobs: int, stage: Stage,
                    folds: Folds | None = None) -> CrossValidation:
    """Out-of-fold predictions of the folds, decided by the other folds. ``folds``: what was found of these very examples and parameters before."""
    codes, fold, learn = examples.codes, examples.fold, np.flatnonzero(examples.fold >= 0)
    pictures = examples.pictures.take(learn)
    samples, said = draw_samples(pictures, parameters, jobs), None
    if folds is None:
        raw = np.zeros((len(codes), n_classes))
        raw[learn], rounds, said = boosted_folds(pictures, codes[learn], n_classes, examples.groups[learn], fold[learn], parameters, samples, jobs,
                                                 stage, examples.unlabelled)
        folds = Folds(raw, rounds)
    decision, proba, chosen = decided_by_others(folds.raw, codes, fold, fold)
    return CrossValidation(folds.raw, proba, chosen, decision, folds.rounds, samples, said)


def write_folds(found: CrossValidation, file: Path, key: str) -> None:
    """``key`` says of which rows, in which order, and which parameters."""
    with whole_file(file) as fresh, fresh.open("wb") as stream:
        np.savez(stream, raw=found.raw, rounds=found.rounds, key=key)


def read_folds(file: Path, key: str) -> Folds | None:
    """What `write_folds` wrote, None where there is nothing of that ``key``; a file that is not whole counts as nothing."""
    try:
        with file.open("rb") as stream, np.load(stream) as content:
            return Folds(content["raw"], int(content["rounds"])) if content["key"] == key else None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def fitted_on(examples: Examples, which: np.ndarray, n_classes: int, samples: Samples, rounds: int, parameters: LgbmParameters, jobs: int,
              progress: Progress | None) -> BoostedKernel:
    """A machine that learned from ``which`` (n,) bool."""
    pictures, codes, groups = _with_unlabelled(examples.pictures.take(which), examples.codes[which], examples.groups[which], examples.unlabelled, -1)
    return BoostedKernel(parameters).fit(pictures, codes, n_classes, groups, samples, rounds, jobs, progress=progress)


def _with_unlabelled(pictures: Pictures, codes: np.ndarray, groups: np.ndarray, unlabelled: Unlabelled | None,
                     part: int) -> tuple[Pictures, np.ndarray, np.ndarray]:
    """With the unlabelled pictures that join where ``part`` is left out: their most probable class, each a group of its own."""
    if unlabelled is None:
        return pictures, codes, groups
    more, proba = unlabelled.joining(part, len(codes))
    own = [f"unlabelled {i}" for i in range(len(proba))]
    return (pictures.joined(more), np.concatenate([codes, proba.argmax(1) if len(proba) else codes[:0]]),
            np.unique(np.concatenate([groups.astype(str), np.array(own, dtype=str)]), return_inverse=True)[1])


def boosted_folds(pictures: Pictures, codes: np.ndarray, n_classes: int, groups: np.ndarray, fold: np.ndarray, parameters: LgbmParameters,
                  samples: Samples, jobs: int, stage: Stage, unlabelled: Unlabelled | None = None) -> tuple[np.ndarray, int, np.ndarray | None]:
    """Out-of-fold log-probabilities (n, n_classes), not calibrated, the number of rounds for a model on all of them, and what the folds' machines
    say of unlabelled pictures that nobody has judged yet (folds, u, n_classes)."""
    machines: dict[int, BoostedKernel] = {}
    folds = np.unique(fold).tolist()
    for k in folds:
        learn, watch = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        learned = _with_unlabelled(pictures.take(learn), codes[learn], groups[learn], unlabelled, folds.index(k))
        machine = BoostedKernel(parameters).fit(
            learned[0], learned[1], n_classes, learned[2], samples, parameters.rounds, jobs,
            watch=(pictures.take(watch), codes[watch]), progress=stage(f"fold {folds.index(k) + 1} of {len(folds)}"))
        if unlabelled and unlabelled.proba is None:
            machine.see(unlabelled.pictures, jobs)
        del machine.kernel_, machine.projection_, machine.encoders_  # 100 MB a fold; the watched scores are all that is needed
        machines[k] = machine
    log_proba, said = np.zeros((len(codes), n_classes)), []
    for k, machine in machines.items():
        watch = np.flatnonzero(fold == k)
        rounds = best_rounds([m.curve_ for j, m in machines.items() if j != k])
        machine.boost_on(rounds)  # which were chosen by the other folds
        log_proba[watch] = machine.watched_log_proba(pictures.take(watch), rounds)
        if unlabelled and unlabelled.proba is None:
            said.append(machine.seen_log_proba(unlabelled.pictures, rounds))
    return log_proba, best_rounds([m.curve_ for m in machines.values()]), np.stack(said) if said else None


def best_rounds(curves: list[np.ndarray]) -> int:
    """The round, counted from 1, at which the mean of the curves is lowest, as far as all of them go."""
    shortest = min(len(curve) for curve in curves)
    return int(np.mean([curve[:shortest] for curve in curves], axis=0).argmin()) + 1
