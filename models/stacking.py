"""The stack's training: blends of base models' honest probabilities, each compared with every base, and one model to save.

The base models' out-of-fold probabilities teach the blend; whatever is said of a fold comes from a blend and a decision that learned
from the other folds. The held-out part is said by base models, blend and decision of all folds, as it would be of new pictures.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from features.extract import ExtractionSettings
from models.blending import BLENDS, Blend, Said, blended_out_of_fold, nested_out_of_fold
from models.classifier import PictureClassifier
from models.decision import Decision, decided_by_others
from models.evaluation import calibration_figures
from models.intervals import Judged, difference, figures, macro_f1
from models.pictures import Examples, Pictures
from models.stack import StackClassifier, StackParameters, scalars_of
from models.trained import Trained

FEWEST_FOLDS_TO_NEST = 3


class Base(NamedTuple):
    """A trained base model and its honest probabilities (n, n_classes) of the same pictures: out-of-fold, and of the held-out part.

    ``calibration``: `models.evaluation.calibration_figures` of its own training, None where its sidecar says nothing of it.
    """

    name: str
    model: PictureClassifier
    proba: np.ndarray
    calibration: dict[str, float] | None = None


class Candidate(NamedTuple):
    """A base or a blend of them: ``raw`` log-probabilities and calibrated probabilities (n, n_classes), codes (n,), the decision for what comes."""

    raw: np.ndarray
    proba: np.ndarray
    chosen: np.ndarray
    decision: Decision


def train_stack(bases: Sequence[Base], examples: Examples, classes: list[str], parameters: StackParameters, settings: ExtractionSettings) -> Trained:
    """The blend of ``parameters``, and in ``told["leaderboard"]`` what every base and every blend reaches."""
    codes, fold = examples.codes, examples.fold
    said = Said(np.stack([np.log(base.proba) for base in bases]), scalars_of(examples.pictures))
    inside = fold >= 0
    blends = {kind: Blend(kind).fit(said.take(inside), codes[inside], fold[inside]) for kind in BLENDS}
    found = {base.name: _candidate(said.log_proba[i], codes, fold) for i, base in enumerate(bases)}
    for kind, blend in blends.items():
        raw = blend.log_proba(said)
        raw[inside] = blended_out_of_fold(kind, said.take(inside), codes[inside], fold[inside])
        found[kind] = _candidate(raw, codes, fold, _nested(kind, said, codes, fold))
    own = found[parameters.blend]
    best = max((base.name for base in bases), key=lambda name: macro_f1(_judged(found[name], examples, inside), len(classes)))
    calibrations = {base.name: base.calibration for base in bases}  # what comes in is calibrated already
    for kind in blends:
        calibrations[kind] = calibration_figures(found[kind].raw[inside], found[kind].proba[inside], codes[inside])
    leaderboard = [{**_row(name, candidate, found[best], examples, len(classes), parameters.seed), "calibration": calibrations[name]}
                   for name, candidate in found.items()]
    blend = blends[parameters.blend]
    model = StackClassifier(parameters, settings).adopt(classes, {base.name: base.model for base in bases}, blend, own.decision)
    told = {"bases": [base.name for base in bases], "best_base": best, "weights": blend.common_.tolist(), "ridge": blend.ridge_,
            "calibration": calibrations[parameters.blend], "leaderboard": leaderboard}
    return Trained(model, own.proba, np.array(classes, dtype=object)[own.chosen], told)


def taught_by_stack(bases: Sequence[Base], said: Sequence[np.ndarray], pictures: Pictures, examples: Examples, blend: str) -> np.ndarray:
    """What blends of the bases say of u unlabelled ``pictures`` (folds + 1, u, n_classes), a fold's row by those that had not seen the fold.

    ``said``: each base's own such array.
    """
    inside, scalars = examples.fold >= 0, scalars_of(pictures)
    known = Said(np.stack([np.log(base.proba) for base in bases]), scalars_of(examples.pictures)).take(inside)
    codes, fold = examples.codes[inside], examples.fold[inside]
    rows = []
    for part, k in enumerate([*np.unique(fold).tolist(), None]):
        others = np.ones(len(fold), bool) if k is None else fold != k
        learned = Blend(blend).fit(known.take(others), codes[others], fold[others])
        rows.append(np.exp(learned.log_proba(Said(np.log(np.stack([own[part] for own in said])), scalars))))
    return np.stack(rows)


def _candidate(raw: np.ndarray, codes: np.ndarray, fold: np.ndarray, nested: dict[int, np.ndarray] | None = None) -> Candidate:
    decision, proba, chosen = decided_by_others(raw, codes, fold, fold, nested)
    return Candidate(raw, proba, chosen, decision)


def _nested(kind: str, said: Said, codes: np.ndarray, fold: np.ndarray) -> dict[int, np.ndarray] | None:
    """`nested_out_of_fold` in rows of all pictures; of two folds nothing would be left to learn from."""
    inside = fold >= 0
    if len(np.unique(fold[inside])) < FEWEST_FOLDS_TO_NEST:
        return None
    rows = np.cumsum(inside) - 1  # of those inside; what it says of the held-out part is not looked at
    return {k: raw[rows] for k, raw in nested_out_of_fold(kind, said.take(inside), codes[inside], fold[inside]).items()}


def _judged(candidate: Candidate, examples: Examples, which: np.ndarray) -> Judged:
    codes = examples.codes[which]
    return Judged(codes, candidate.chosen[which], -np.log(candidate.proba[which, codes]), examples.groups[which])


def _row(name: str, candidate: Candidate, best: Candidate, examples: Examples, n_classes: int, seed: int) -> dict[str, Any]:
    """What it reaches out of fold and in the held-out part, and how much more than the best base."""
    row: dict[str, Any] = {"name": name}
    for part, which in (("out_of_fold", examples.fold >= 0), ("held_out", examples.fold < 0)):
        if which.any():
            own, other = _judged(candidate, examples, which), _judged(best, examples, which)
            row[part] = {**figures(own, n_classes, seed), "gain": difference(own, other, n_classes, seed)}
    return row
