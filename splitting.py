"""The held-out part and the folds: drawn once by group and label, remembered by content, never drawn anew without a word."""

import math

import pandas as pd

from cleaning.folds import FEWEST_FOLDS, LEARNED, TEST, TEST_SHARE, check_no_group_straddles, held_out_and_folds, labels_too_small
from features.errors import ScratchworkError
from features.files import whole_file
from workspace import Workspace, write_manifest

SPLIT_COLUMNS = ["sha256", "label", "fold"]


def draw_split(workspace: Workspace, manifest: pd.DataFrame, decisions: pd.DataFrame, folds: int, redraw: bool = False) -> pd.DataFrame:
    """The manifest with ``fold`` filled in for what is kept, from memory where there is one; written back. Changes are announced."""
    readable, named = manifest[manifest["issue"] == ""], decisions["label"].reindex(manifest.index).fillna("") != ""
    usable = readable[named[readable.index]]  # a person may have given a label to what lies in no label's folder
    if usable.empty:
        raise ScratchworkError(f"no readable picture in {workspace.data.resolve()} has a label; put the pictures in one sub-folder per label")
    loose = int((~named[readable.index]).sum())
    if loose:
        workspace.notice(f"{loose:,} pictures lie directly in {workspace.data}, not in a label's sub-folder: they are left out")
    usable = usable[decisions.loc[usable.index, "keep"]]
    labels, groups = decisions.loc[usable.index, "label"], usable["group"]
    if labels.nunique() < 2:
        raise ScratchworkError(f"all {len(usable):,} pictures have the one label {labels.iloc[0]!r}; a classifier needs at least two sub-folders "
                               f"with pictures in {workspace.data.resolve()}")
    if folds < FEWEST_FOLDS:
        raise ScratchworkError(f"--folds {folds} is too few; at least {FEWEST_FOLDS} are needed to predict pictures that were not learned from")
    if groups.nunique() <= folds:
        raise ScratchworkError(f"there are only {groups.nunique()} different pictures (copies count once) for {folds} folds and a held-out part; "
                               "add pictures or give fewer --folds")
    small = labels_too_small(labels, groups, math.ceil(folds / (1 - TEST_SHARE)))
    for label, n in small.items():
        workspace.notice(f"label {label!r} has only {n} different picture{'s' if n > 1 else ''}, fewer than {folds} folds and a held-out part: "
                         "its figures will be missing or unsteady")
    remembered = pd.Series(dtype=int) if redraw else _remembered_with_copies(workspace, readable, usable.index)
    fold = held_out_and_folds(labels, groups, folds, workspace.seed, remembered)
    check_no_group_straddles(groups, fold)
    _announce_split(workspace, fold, remembered, folds, redraw)
    manifest = manifest.copy()
    manifest["fold"] = fold.reindex(manifest.index).astype("Int64")
    _write_split(workspace, manifest)
    write_manifest(workspace, manifest)
    return manifest


def remembered_fold(workspace: Workspace, usable: pd.DataFrame) -> pd.Series:
    """path → fold of pictures whose content was in the split before."""
    file = workspace.artifacts / "split.csv"
    if not file.exists():
        return pd.Series(dtype=int)
    split = pd.read_csv(file, dtype={"sha256": str, "label": str, "fold": int}, keep_default_na=False)
    if list(split.columns) != SPLIT_COLUMNS:
        raise ScratchworkError(f"{file} has the columns {', '.join(split.columns)}, needed are {', '.join(SPLIT_COLUMNS)}; delete it to draw anew")
    known = split.drop_duplicates("sha256").set_index("sha256")["fold"]
    return usable["sha256"].map(known).dropna().astype(int)


def _remembered_with_copies(workspace: Workspace, readable: pd.DataFrame, kept: pd.Index) -> pd.Series:
    """`remembered_fold` of the pictures in ``kept``; one that is new takes the part of its copies, though they be left out now."""
    known = remembered_fold(workspace, readable)
    if known.empty:
        return known
    of_group = known.groupby(readable.loc[known.index, "group"].to_numpy()).agg(lambda folds: TEST if (folds == TEST).any() else folds.max())
    return known.reindex(kept).fillna(readable.loc[kept, "group"].map(of_group)).dropna().astype(int)


def _write_split(workspace: Workspace, manifest: pd.DataFrame) -> None:
    """Remember this split; contents that are not in the folder now keep their place too."""
    file = workspace.artifacts / "split.csv"
    drawn = manifest.loc[manifest["fold"].notna(), SPLIT_COLUMNS].drop_duplicates("sha256")
    if file.exists():
        before = pd.read_csv(file, dtype={"sha256": str, "label": str}, keep_default_na=False)
        if before["fold"].max() != drawn["fold"].max():  # numbers of other folds mean nothing beside these
            before["fold"] = before["fold"].where(before["fold"] == TEST, LEARNED)
        drawn = pd.concat([drawn, before[~before["sha256"].isin(drawn["sha256"])]])
    with whole_file(file) as fresh:
        drawn.sort_values("sha256").to_csv(fresh, index=False, lineterminator="\n")


def _announce_split(workspace: Workspace, fold: pd.Series, remembered: pd.Series, folds: int, redraw: bool) -> None:
    held, total = int((fold == TEST).sum()), len(fold)
    if remembered.empty:
        how = "drawn anew: scores are not comparable with earlier ones" if redraw else "drawn once and remembered"
        workspace.notice(f"split: {held:,} of {total:,} pictures held out, {folds} folds from the rest ({how}, seed {workspace.seed})")
        return
    new = total - len(remembered)
    if new:
        workspace.notice(f"split: {new:,} new pictures joined it, {int((fold.drop(remembered.index) == TEST).sum()):,} of them held out")
    if int(remembered.max()) + 1 != folds:
        workspace.notice(f"split: {folds} folds drawn instead of {int(remembered.max()) + 1}; the held-out part stays")
