"""How far figures of merit may be off by chance: bootstrap over groups of duplicates, paired where two models are compared.

Groups are drawn with replacement, as often as there are groups (copies of one picture are not new evidence), and every figure is
computed again; the 2.5th and 97.5th percentile are told (Efron 1979). McNemar's exact test looks at the pictures on which two models differ.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binomtest

DRAWS = 1000
LEVEL = 0.95


class Judged(NamedTuple):
    """n pictures as a model judged them: true ``codes`` and ``chosen`` codes (n,), ``loss`` (n,) -log p of the true class, ``groups`` (n,)."""

    codes: np.ndarray
    chosen: np.ndarray
    loss: np.ndarray
    groups: np.ndarray


class Resampled(NamedTuple):
    """One row per draw: ``macro_f1``, ``micro_f1``, ``log_loss`` (draws,), ``f1`` (draws, n_classes), NaN for a class not met."""

    macro_f1: np.ndarray
    micro_f1: np.ndarray
    log_loss: np.ndarray
    f1: np.ndarray


def resampled(judged: Judged, n_classes: int, seed: int = 0, draws: int = DRAWS) -> Resampled:
    """The figures over ``draws`` resamples; the same seed and groups draw the same pictures, whatever the model."""
    found = []
    for weight in group_weights(judged.groups, seed, draws):
        found.append((*f1_of_counts(_counts(judged, n_classes, weight)), weight @ judged.loss / weight.sum()))
    f1, macro, micro, loss = zip(*found, strict=True)
    return Resampled(np.array(macro), np.array(micro), np.array(loss), np.array(f1))


def group_weights(groups: np.ndarray, seed: int, draws: int = DRAWS) -> Iterator[np.ndarray]:
    """(n,) float, draw by draw: how often each picture is in it."""
    number = np.unique(groups, return_inverse=True)[1]
    count = int(number.max()) + 1
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        yield np.bincount(rng.integers(count, size=count), minlength=count).astype(float)[number]


def figures(judged: Judged, n_classes: int, seed: int = 0) -> dict[str, Any]:
    """Macro-F1, micro-F1 and log loss, and under each name with ``_interval`` its lowest and highest."""
    draws, found = resampled(judged, n_classes, seed), point(judged, n_classes)
    return {key: value for name in found for key, value in ((name, found[name]), (f"{name}_interval", interval(getattr(draws, name))))}


def point(judged: Judged, n_classes: int) -> dict[str, float]:
    """Macro-F1, micro-F1 and log loss, as `models.evaluation.metrics` has them."""
    _, macro, micro = f1_of_counts(_counts(judged, n_classes))
    return {"macro_f1": macro, "micro_f1": micro, "log_loss": float(judged.loss.mean())}


def difference(first: Judged, second: Judged, n_classes: int, seed: int = 0) -> dict[str, Any]:
    """First less second on the same pictures, drawn in pairs; and McNemar's p-value."""
    one, two = (resampled(judged, n_classes, seed) for judged in (first, second))
    found: dict[str, Any] = {}
    other = point(second, n_classes)
    for name, value in point(first, n_classes).items():
        found |= {name: value - other[name], f"{name}_interval": interval(getattr(one, name) - getattr(two, name))}
    return {**found, "mcnemar": mcnemar(first.chosen == first.codes, second.chosen == second.codes)}


def macro_f1(judged: Judged, n_classes: int) -> float:
    """As `models.evaluation.metrics` has it."""
    return f1_of_counts(_counts(judged, n_classes))[1]


def _counts(judged: Judged, n_classes: int, weight: np.ndarray | None = None) -> np.ndarray:
    """(n_classes, n_classes); rows are the truth."""
    return np.bincount(judged.codes * n_classes + judged.chosen, weight, n_classes * n_classes).reshape(n_classes, n_classes)


def f1_of_counts(counts: np.ndarray) -> tuple[np.ndarray, float, float]:
    """(n_classes, n_classes) counts, rows the truth → F1 per class (NaN where neither truth nor prediction has it), macro-F1, micro-F1."""
    met = counts.sum(0) + counts.sum(1)
    f1 = np.divide(2 * counts.diagonal(), met, out=np.full(len(counts), np.nan), where=met > 0)
    return f1, float(np.nanmean(f1)), float(counts.trace() / counts.sum())


def interval(values: np.ndarray) -> tuple[float, float]:
    """Lowest and highest of the middle 95 %; NaN draws are left out."""
    kept = values[~np.isnan(values)]
    if not len(kept):
        return np.nan, np.nan
    low, high = np.quantile(kept, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def mcnemar(first_right: np.ndarray, second_right: np.ndarray) -> float:
    """(n,) bool each → exact two-sided p-value of "both are right equally often" (McNemar 1947)."""
    only_first, only_second = int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())
    if only_first + only_second == 0:
        return 1.0
    return float(binomtest(only_first, only_first + only_second).pvalue)
