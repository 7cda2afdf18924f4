"""The held-out test part and the cross-validation folds: drawn by group and label, once, and remembered by content.

Groups never straddle parts, so that a copy of a test picture cannot be learned. The draw walks the groups in an order that
depends only on the seed and on what is in the files, gives each to the part that is furthest below its share of the group's
labels, and therefore comes out the same on every file system. With parts given for some groups it fills up from there: new
pictures join, old ones stay.
"""

import hashlib

import numpy as np
import pandas as pd

from features.errors import ScratchworkError

TEST = -1  # the value of ``fold`` in the held-out part
TEST_SHARE = 0.2


def draw_parts(labels: pd.Series, groups: pd.Series, shares: list[float], seed: int, fixed: pd.Series | None = None) -> pd.Series:
    """The part, 0 … len(shares)-1, of each picture (same index as ``labels``).

    ``fixed``: parts of some of the pictures, which draw their whole group with them. Rare labels are dealt first, so that each
    part gets one of them if there are enough groups.
    """
    codes, names = pd.factorize(labels, sort=True)
    table = pd.DataFrame({"group": groups.to_numpy(), "code": codes})
    counts = table.groupby(["group", "code"]).size().unstack(fill_value=0)  # (groups, labels)
    placed = pd.Series(dtype=int) if fixed is None else fixed.groupby(groups.loc[fixed.index].to_numpy()).min().astype(int)
    have = np.zeros((len(shares), len(names)))
    for part in range(len(shares)):
        have[part] = counts.loc[placed.index[placed == part]].sum()
    total = counts.sum().to_numpy()
    want = np.outer(shares, total)
    chosen = placed.to_dict()
    for group in _dealing_order(counts.drop(index=placed.index), total, seed):
        row = counts.loc[group].to_numpy()
        need = ((want - have) / np.maximum(want, 1e-9)) @ (row / total)  # relative shortage, weighted to rare labels
        part = int(np.lexsort((_tie_order(group, seed, len(shares)), -np.array(shares), -need.round(9)))[0])
        chosen[group] = part
        have[part] += row
    return groups.map(chosen).astype(int)


def held_out_and_folds(labels: pd.Series, groups: pd.Series, folds: int, seed: int, remembered: pd.Series) -> pd.Series:
    """``fold`` of each picture: `TEST` or 0 … folds-1.

    ``remembered``: earlier values of ``fold`` for some of the pictures; their part (held out or not) is kept, and so are their
    folds where there are as many folds as before.
    Raises `ScratchworkError` where a label has fewer than two groups: it cannot be both learned and tested.
    """
    was_test = (remembered == TEST).map({True: 0, False: 1})
    part = draw_parts(labels, groups, [TEST_SHARE, 1 - TEST_SHARE], seed, was_test if len(remembered) else None)
    train = part[part == 1].index
    kept = remembered[(remembered != TEST) & remembered.index.isin(train)]
    if len(kept) and int(kept.max()) + 1 != folds:
        kept = kept.iloc[:0]
    fold = draw_parts(labels.loc[train], groups.loc[train], [1 / folds] * folds, seed + 1, kept if len(kept) else None)
    return fold.reindex(labels.index, fill_value=TEST)


def labels_too_small(labels: pd.Series, groups: pd.Series, at_least: int) -> dict[str, int]:
    """Labels with fewer distinct groups than ``at_least``, with that number."""
    distinct = groups.groupby(labels.to_numpy()).nunique()
    return {str(label): int(n) for label, n in distinct[distinct < at_least].items()}


def check_no_group_straddles(groups: pd.Series, fold: pd.Series) -> None:
    """Raises `ScratchworkError` naming a group whose members are in more than one part."""
    spread = fold.groupby(groups.to_numpy()).nunique()
    if (spread > 1).any():
        raise ScratchworkError(f"group {spread.index[spread > 1][0]} is in more than one fold; this is a bug, please report it")


def _dealing_order(counts: pd.DataFrame, total: np.ndarray, seed: int) -> list:
    """Groups, those of the rarest label first, then the largest, then by digest."""
    if counts.empty:
        return []
    present = np.where(counts.to_numpy() > 0, total, np.inf)
    order = pd.DataFrame({"rarest": present.min(axis=1), "size": -counts.sum(axis=1).to_numpy(),
                          "label": present.argmin(axis=1), "digest": [_digest(g, seed) for g in counts.index]}, index=counts.index)
    return order.sort_values(["rarest", "label", "size", "digest"]).index.tolist()


def _tie_order(group: str, seed: int, parts: int) -> np.ndarray:
    """A permutation of the parts that differs from group to group, so that ties do not all fall on part 0."""
    return np.random.default_rng(int(_digest(group, seed)[:8], 16)).permutation(parts)


def _digest(group: str, seed: int) -> str:
    return hashlib.sha256(f"{seed} {group}".encode()).hexdigest()
