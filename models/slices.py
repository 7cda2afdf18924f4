"""Where a model is worse than elsewhere: every slice of the pictures against the rest, worst first (row E6).

A slice is a value of an attribute: a format, a size class, a band of a number, anything in a column of the user's. Differences have
bootstrap intervals over groups of duplicates; with many slices some are bad by chance, which the intervals are for.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from models.intervals import Judged, group_weights, interval, macro_f1

FEWEST = 10  # pictures in a slice and in the rest
BANDS = ("low", "middle", "high")


def bands(values: pd.Series) -> pd.Series:
    """Thirds of a number by rank of its value, as text with their limits; all one band where a number hardly varies; empty where it is missing."""
    told = values.dropna()
    if told.nunique() < len(BANDS):
        return values.map(lambda v: "" if pd.isna(v) else f"{v:.3g}")
    cut = pd.qcut(told, len(BANDS), duplicates="drop")
    limits = cut.cat.categories
    names = {limit: f"{BANDS[i] if len(limits) == len(BANDS) else i + 1} ({limit.left:.3g} … {limit.right:.3g})" for i, limit in enumerate(limits)}
    return cut.map(names).astype(object).reindex(values.index).fillna("")


def slice_table(attributes: pd.DataFrame, judged: Judged, n_classes: int, seed: int = 0) -> pd.DataFrame:
    """One row per value of each column of ``attributes`` (n rows, text, empty for unknown), worst first.

    ``share_right`` inside, ``rest`` outside, their ``difference`` with ``low`` and ``high``, both macro-F1, and ``n``. Slices of fewer than
    `FEWEST` pictures, or that leave fewer, are left out.
    """
    right = judged.codes == judged.chosen
    found = {key: inside for key, inside in _slices(attributes) if min(inside.sum(), (~inside).sum()) >= FEWEST}
    drawn = _differences(csr_array(np.array([*found.values()]), dtype=float), right, judged.groups, seed) if found else np.empty((0, 0))
    rows = []
    for (attribute, value), inside, differences in zip(found, found.values(), drawn.T, strict=True):
        low, high = interval(differences)
        rows.append({"attribute": attribute, "value": value, "n": int(inside.sum()), "share_right": right[inside].mean(),
                     "rest": right[~inside].mean(), "difference": right[inside].mean() - right[~inside].mean(), "low": low, "high": high,
                     "macro_f1": macro_f1(_part(judged, inside), n_classes), "rest_macro_f1": macro_f1(_part(judged, ~inside), n_classes)})
    columns = ["attribute", "value", "n", "share_right", "rest", "difference", "low", "high", "macro_f1", "rest_macro_f1"]
    return pd.DataFrame(rows, columns=columns).sort_values("difference", kind="stable", ignore_index=True)


def _slices(attributes: pd.DataFrame) -> Iterator[tuple[tuple[str, str], np.ndarray]]:
    """(attribute, value) and (n,) bool."""
    for attribute in attributes:
        values = attributes[attribute].to_numpy(object)
        for value in sorted(set(values) - {""}, key=str):
            yield (str(attribute), value), values == value


def _differences(inside: csr_array, right: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """(slices, n) 0 or 1 → (draws, slices): share of right pictures inside less outside; NaN in a draw where one of them is empty."""
    drawn = []
    for weight in group_weights(groups, seed):
        all_and_good = np.column_stack([weight, weight * right])
        total, good = (inside @ all_and_good).T
        rest, good_rest = all_and_good.sum(0)[:, None] - [total, good]
        with np.errstate(invalid="ignore"):  # 0 of 0 is NaN
            drawn.append(good / total - good_rest / rest)
    return np.array(drawn)


def _part(judged: Judged, inside: np.ndarray) -> Judged:
    return Judged(*(values[inside] for values in judged))
