"""The held-out test part and the cross-validation folds: drawn by group and label, once, and remembered by content.

Groups never straddle parts, so that a copy of a test picture cannot be learned. The draw walks the groups in an order that
depends only on the seed and on what is in the files, gives each to the part that is furthest below its share of the group's
labels, and therefore comes out the same on every file system. With parts given for some groups it fills up from there: new
pictures join, old ones stay.
"""

import hashlib

import numpy as np
import pandas as pd

from cleaning.duplicates import leak_groups
from features.errors import ScratchworkError

TEST = -1  # the value of ``fold`` in the held-out part
LEARNED = -2  # in memory only: not held out, and of no fold of the present number
TEST_SHARE = 0.2
FEWEST_FOLDS = 2


def draw_parts(labels: pd.Series, groups: pd.Series, shares: list[float], seed: int, fixed: pd.Series | None = None) -> pd.Series:
    """The part, 0 … len(shares)-1, of each picture (same index as ``labels``).

    ``fixed``: parts of some of the pictures, which draw their whole group with them. Rare labels are dealt first, so that each
    part gets one of them if there are enough groups.
    """
    codes, names = pd.factorize(labels, sort=True)
    total = np.bincount(codes, minlength=len(names))
    members = {str(group): np.asarray(rows) for group, rows in pd.Series(codes).groupby(groups.to_numpy()).indices.items()}
    have = np.zeros((len(shares), len(names)))
    want = np.outer(shares, total)
    chosen: dict[str, int] = {}
    if fixed is not None:
        chosen = {str(group): int(part) for group, part in fixed.groupby(groups.loc[fixed.index].to_numpy()).min().items()}
        for group, part in chosen.items():
            np.add.at(have[part], codes[members[group]], 1)
    shares_of = np.array(shares)
    for group, digest in _dealing_order(members, codes, total, seed):
        if group in chosen:
            continue
        own = codes[members[group]]
        need = ((want[:, own] - have[:, own]) / np.maximum(want[:, own], 1e-9) / total[own]).sum(axis=1)  # shortage, weighted to rare labels
        tied = np.flatnonzero(need >= need.max() - 1e-9)
        tied = tied[shares_of[tied] == shares_of[tied].max()]
        part = int(tied[int(digest[:8], 16) % len(tied)])
        chosen[group] = part
        np.add.at(have[part], own, 1)
    return groups.map(chosen).astype(int)


def held_out_and_folds(labels: pd.Series, groups: pd.Series, folds: int, seed: int, remembered: pd.Series) -> pd.Series:
    """``fold`` of each picture: `TEST` or 0 … folds-1.

    ``remembered``: earlier values of ``fold`` for some of the pictures; their part (held out or not) is kept, and so are their
    folds where there are as many folds as before.
    A label of one group cannot be both learned and tested: it is learned (`labels_too_small` finds such labels).
    """
    was_test = (remembered == TEST).map({True: 0, False: 1})
    part = draw_parts(labels, groups, [TEST_SHARE, 1 - TEST_SHARE], seed, was_test if len(remembered) else None)
    train = part[part == 1].index
    kept = remembered[(remembered >= 0) & remembered.index.isin(train)]
    if len(kept) and int(kept.max()) + 1 != folds:
        kept = kept.iloc[:0]
    fold = draw_parts(labels.loc[train], groups.loc[train], [1 / folds] * folds, seed + 1, kept if len(kept) else None)
    return fold.reindex(labels.index, fill_value=TEST)


def merged_groups(groups: pd.Series, others: pd.Series) -> pd.Series:
    """``groups`` in which whatever shares a group of ``others`` (same index, empty: none) is one group, named by its smallest name."""
    codes, names = pd.factorize(groups, sort=True)
    also = pd.factorize(others.where(others != "", None), use_na_sentinel=True)[0]
    linked = also >= 0
    n = len(names)
    component = leak_groups(n + also.max(initial=-1) + 1, np.stack([codes[linked], n + also[linked]], axis=1))[:n]
    smallest = pd.Series(names).groupby(component).min()
    return pd.Series(smallest[component[codes]].to_numpy(), index=groups.index)


def labels_too_small(labels: pd.Series, groups: pd.Series, at_least: int) -> dict[str, int]:
    """Labels with fewer distinct groups than ``at_least``, with that number."""
    distinct = groups.groupby(labels.to_numpy()).nunique()
    return {str(label): int(n) for label, n in distinct[distinct < at_least].items()}


def check_no_group_straddles(groups: pd.Series, fold: pd.Series) -> None:
    """Raises `ScratchworkError` naming a group whose members are in more than one part."""
    spread = fold.groupby(groups.to_numpy()).nunique()
    if (spread > 1).any():
        raise ScratchworkError(f"group {spread.index[spread > 1][0]} is in more than one fold; this is a bug, please report it")


def _dealing_order(members: dict[str, np.ndarray], codes: np.ndarray, total: np.ndarray, seed: int) -> list[tuple[str, str]]:
    """(group, digest): groups with the rarest label first, then the largest, then by a digest of seed and name."""
    rank = np.empty(len(total), int)
    rank[np.argsort(total, kind="stable")] = np.arange(len(total))
    rows = [(int(rank[codes[own]].min()), -len(own), hashlib.sha256(f"{seed} {group}".encode()).hexdigest(), group) for group, own in members.items()]
    return [(group, digest) for _, _, digest, group in sorted(rows)]
