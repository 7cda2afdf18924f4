"""What the settings of an experiment are worth: means over runs, what chance may do to them, differences on the pictures that both judged.

Of several runs the interval is Student's over the runs; of one it is the bootstrap's over groups of duplicates (`models.intervals`), which does not
know what another seed would have done.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import t

from features.scan import label_codes
from models.intervals import LEVEL, Judged, difference, interval, point, resampled

METRICS = ("macro_f1", "micro_f1", "log_loss")
PARTS = ("out_of_fold", "held_out", "test")
JUDGED_COLUMNS = ["sha256", "label", "predicted", "group", "loss"]


class Run(NamedTuple):
    """One run of a ``setting``; ``repetition``: its data and seed; ``metrics``: part → figures; ``judged``: `JUDGED_COLUMNS` and ``part`` of every
    picture that it judged without having seen it; ``versions``: of what it was made with, by name."""

    setting: str
    repetition: str
    metrics: dict[str, dict[str, Any]]
    judged: pd.DataFrame
    seconds: float
    versions: Mapping[str, str] = MappingProxyType({})

    def part(self, name: str) -> pd.DataFrame:
        """By content, each once."""
        return self.judged[self.judged["part"] == name].drop_duplicates("sha256").set_index("sha256").sort_index()


def of_all_settings(runs: Sequence[Run]) -> list[Run]:
    """The runs of those data and seeds that every setting has been run with, so that no setting is better by having had the easier ones."""
    settings = {run.setting for run in runs}
    repetitions: dict[str, set[str]] = {}
    for run in runs:
        repetitions.setdefault(run.repetition, set()).add(run.setting)
    return [run for run in runs if repetitions[run.repetition] == settings]


def mixed_versions(runs: Sequence[Run]) -> list[str]:
    """The names of what the runs were not all made with the same version of."""
    names = dict.fromkeys(name for run in runs for name in run.versions)
    return [name for name in names if len({run.versions.get(name) for run in runs}) > 1]


def result_table(runs: Sequence[Run], metric: str, judged_on: str, seed: int = 0) -> pd.DataFrame:
    """A row per setting, best first: means over its runs of every part's figures; ``low`` and ``high`` of the metric (95 %).

    ``difference`` with ``difference_low`` and ``difference_high``: of the metric, from the first setting, in runs of the same data and seed on the
    pictures that both judged; 0 and NaN for the first setting, all NaN where no run can be compared. ``common``: the metric on those pictures that
    every setting judged.
    """
    own_runs = {name: [run for run in runs if run.setting == name] for name in dict.fromkeys(run.setting for run in runs)}
    first = {run.repetition: run for run in own_runs[runs[0].setting]}
    common = _on_common_pictures(runs, metric, judged_on)
    rows = {}
    for name, own in own_runs.items():
        values = [run.metrics[judged_on][metric] for run in own]
        low, high = _over_runs(values) if len(own) > 1 else _of_one_run(own[0].part(judged_on), metric, seed)
        apart, apart_low, apart_high = _difference(own, first, metric, judged_on, seed)
        row: dict[str, Any] = {"runs": len(own), metric: np.mean(values), "low": low, "high": high, "difference": apart, "difference_low": apart_low,
                               "difference_high": apart_high, "common": np.mean([common[run.setting, run.repetition] for run in own])}
        for part in PARTS:
            told = [run.metrics[part] for run in own if run.metrics.get(part)]
            row |= {f"{part}_{figure}": np.mean([one[figure] for one in told]) for figure in METRICS if told}
        rows[name] = {**row, "pictures": np.mean([run.metrics["out_of_fold"]["n"] for run in own]), "seconds": np.mean([run.seconds for run in own])}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("setting")
    return table.sort_values(metric, ascending=metric == "log_loss", kind="stable")


def _difference(own: Sequence[Run], first: dict[str, Run], metric: str, judged_on: str, seed: int) -> tuple[float, float, float]:
    """Mean and interval over the repetitions that both have."""
    if any(run is first.get(run.repetition) for run in own):
        return 0.0, math.nan, math.nan
    pairs = [(run.part(judged_on), first[run.repetition].part(judged_on)) for run in own if run.repetition in first]
    shared = [(one.loc[both], two.loc[both]) for one, two in pairs if len(both := one.index.intersection(two.index))]
    if len(shared) == 1:
        (one, two), n_classes = _as_judged(*shared[0])
        told = difference(one, two, n_classes, seed)
        return told[metric], *told[f"{metric}_interval"]
    apart = []
    for pair in shared:
        (one, two), n_classes = _as_judged(*pair)
        apart.append(point(one, n_classes)[metric] - point(two, n_classes)[metric])
    return (float(np.mean(apart)), *_over_runs(apart)) if apart else (math.nan, math.nan, math.nan)


def _on_common_pictures(runs: Sequence[Run], metric: str, judged_on: str) -> dict[tuple[str, str], float]:
    """(setting, repetition) → the metric on the pictures that all settings judged in that repetition; NaN where there are none."""
    found = {}
    for _, alike in itertools.groupby(sorted(runs, key=lambda run: run.repetition), key=lambda run: run.repetition):
        same = list(alike)
        tables = [run.part(judged_on) for run in same]
        shared = sorted(set.intersection(*(set(table.index) for table in tables)))
        for run, table in zip(same, tables, strict=True):
            (judged,), n_classes = _as_judged(table.loc[shared])
            found[run.setting, run.repetition] = point(judged, n_classes)[metric] if shared else math.nan
    return found


def _of_one_run(table: pd.DataFrame, metric: str, seed: int) -> tuple[float, float]:
    if table.empty:
        return math.nan, math.nan
    (judged,), n_classes = _as_judged(table)
    return interval(getattr(resampled(judged, n_classes, seed), metric))


def _over_runs(values: Sequence[float]) -> tuple[float, float]:
    half = t.ppf((1 + LEVEL) / 2, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def _as_judged(*tables: pd.DataFrame) -> tuple[list[Judged], int]:
    """Models on the same pictures, in the groups of the first, and how many classes there are."""
    classes = sorted(set().union(*(table[column] for table in tables for column in ("label", "predicted"))))
    groups = tables[0]["group"].to_numpy(str)
    return [Judged(label_codes(table["label"], classes), label_codes(table["predicted"], classes), table["loss"].to_numpy(float), groups)
            for table in tables], len(classes)
