"""Cross-validated training of the boosted model: honest probabilities for every picture, and one final model.

Folds: each picture is predicted by a machine that never saw its group. How many rounds of boosting a fold's predictions use is
read off the OTHER folds' learning curves, and the decision likewise, so that no figure is chosen on the pictures it is told of.
The held-out part is predicted by the final machine, fitted on all folds together.
"""

import numpy as np

from features.extract import ExtractionSettings
from models.decision import Decision
from models.lgbm import BoostedKernel, LgbmClassifier, LgbmParameters, Samples, draw_samples
from models.pictures import Pictures
from models.trained import Stage, Trained


def train_lgbm(pictures: Pictures, labels: np.ndarray, classes: list[str], groups: np.ndarray, fold: np.ndarray, parameters: LgbmParameters,
               settings: ExtractionSettings, refit: bool, jobs: int, stage: Stage) -> Trained:
    """Fit on n pictures with labels (n,), groups (n,) and fold (n,): -1 held out, else 0 … k-1.

    ``refit``: the returned model is fitted once more on everything, the held-out part included; the probabilities are not touched.
    """
    position = {label: code for code, label in enumerate(classes)}
    codes = np.array([position[label] for label in labels.tolist()])
    learn = np.flatnonzero(fold >= 0)
    samples = draw_samples(pictures.take(learn), parameters, jobs)
    raw, chosen = np.zeros((len(codes), len(classes))), np.zeros(len(codes), int)
    proba = np.zeros_like(raw)
    raw[learn], rounds = cross_validate(pictures.take(learn), codes[learn], len(classes), groups[learn], fold[learn], parameters, samples,
                                        jobs, stage)
    for k in np.unique(fold[learn]):
        others, own = learn[fold[learn] != k], learn[fold[learn] == k]
        decision = Decision().fit(raw[others], codes[others])
        proba[own] = decision.proba(raw[own])
        chosen[own] = decision.codes(proba[own])
    decision = Decision().fit(raw[learn], codes[learn])
    machine = BoostedKernel(parameters).fit(pictures.take(learn), codes[learn], len(classes), groups[learn], samples, rounds, jobs,
                                            progress=stage("final model"))
    model = LgbmClassifier(parameters, settings).adopt(classes, machine, decision)
    held_out = np.flatnonzero(fold < 0)
    if len(held_out):
        proba[held_out] = model.proba_of(pictures.take(held_out), jobs, stage("held-out part"))
        chosen[held_out] = decision.codes(proba[held_out])
    if refit:
        samples = draw_samples(pictures, parameters, jobs)
        machine = BoostedKernel(parameters).fit(pictures, codes, len(classes), groups, samples, rounds, jobs, progress=stage("refit on everything"))
        model = LgbmClassifier(parameters, settings).adopt(classes, machine, decision)
    return Trained(model, proba, np.array(classes, dtype=object)[chosen], {"rounds": rounds})


def cross_validate(pictures: Pictures, codes: np.ndarray, n_classes: int, groups: np.ndarray, fold: np.ndarray, parameters: LgbmParameters,
                   samples: Samples, jobs: int, stage: Stage) -> tuple[np.ndarray, int]:
    """Out-of-fold log-probabilities (n, n_classes), not calibrated, and the number of rounds for a model on all of them."""
    machines: dict[int, BoostedKernel] = {}
    folds = np.unique(fold).tolist()
    for k in folds:
        learn, watch = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        machine = BoostedKernel(parameters).fit(
            pictures.take(learn), codes[learn], n_classes, groups[learn], samples, parameters.rounds, jobs,
            watch=(pictures.take(watch), codes[watch]), progress=stage(f"fold {folds.index(k) + 1} of {len(folds)}"))
        del machine.kernel_, machine.projection_, machine.encoders_  # 100 MB a fold; the watched scores are all that is needed
        machines[k] = machine
    log_proba = np.zeros((len(codes), n_classes))
    for k, machine in machines.items():
        watch = np.flatnonzero(fold == k)
        rounds = best_rounds([m.curve_ for j, m in machines.items() if j != k])
        log_proba[watch] = machine.watched_log_proba(pictures.take(watch), min(rounds, len(machine.curve_)))
    return log_proba, best_rounds([m.curve_ for m in machines.values()])


def best_rounds(curves: list[np.ndarray]) -> int:
    """The round, counted from 1, at which the mean of the curves is lowest, as far as all of them go."""
    shortest = min(len(curve) for curve in curves)
    return int(np.mean([curve[:shortest] for curve in curves], axis=0).argmin()) + 1
