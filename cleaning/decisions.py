"""One row per file: kept or left out, why, how sure, on what evidence, by whom.

Reasons in the order in which they are asked: ``unreadable``, ``photo``, ``label_conflict``, ``exact_duplicate``, ``near_duplicate``,
``wrong_label``. Scores are in [0, 1], low = bad. A person's override comes last and wins.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cleaning.duplicates import MAX_DIFFERENCE, RADIUS, TURNS, Proven, leak_groups, stars
from cleaning.folds import TEST
from cleaning.photos import CUT, METHODS
from features.errors import ScratchworkError

REASONS = ("unreadable", "photo", "label_conflict", "exact_duplicate", "near_duplicate", "wrong_label")
CHECKS = ("duplicates", "photos", "labels")
COLUMNS = ["label", "keep", "reason", "score", "evidence", "duplicate_group", "photo_score", "label_score", "decided_by"]
MACHINE, PERSON = "machine", "person"
ENLARGED = 1.25  # true resolutions within this factor are the same: an enlarged copy measures up to 1.35 times its original
RANGES = {"radius": (0, 128), "max_difference": (0, 1), "photo_cut": (0, 1), "label_precision": (0, 1), "group_level": (0, 64)}
MAX_PHOTO_SHARE = 0.5  # above it nothing is left out unless asked: more likely the whole set is photographs


@dataclass(frozen=True)
class CleaningSettings:
    """What is checked and where the cuts are; stored beside the decisions."""

    checks: tuple[str, ...] = CHECKS
    radius: int = RADIUS
    max_difference: float = MAX_DIFFERENCE
    turned: bool = False  # mirrored and turned copies are copies too
    photo_method: str = "gmm"
    photo_cut: float = CUT
    allow_photos: bool = False  # even where they are more than `MAX_PHOTO_SHARE`
    drop_wrong_labels: bool = False
    label_precision: float = 0.7  # of the wrong labels that are left out, at least
    allow_empty: bool = False  # a label may lose all its pictures
    groups: str = ""  # a CSV of path and group, which folds must not split
    group_level: int = 0  # the level of folders (1 = label) whose names are such groups
    seed: int = 0

    def __post_init__(self) -> None:
        for name, (least, most) in RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise ScratchworkError(f"{name} is {getattr(self, name)}; it must lie between {least} and {most}")
        if self.photo_method not in METHODS:
            raise ScratchworkError(f"photo_method {self.photo_method!r} is unknown; choose one of {', '.join(METHODS)}")
        refuse_unknown_checks(self.checks)


def refuse_unknown_checks(names: Iterable[str]) -> None:
    """Raises `ScratchworkError` with the names that there are."""
    for check in set(names) - set(CHECKS):
        raise ScratchworkError(f"there is no check {check!r}; the checks are {', '.join(CHECKS)}")


def duplicate_table(pictures: pd.DataFrame, proven: Proven) -> pd.DataFrame:
    """Who stands for whom. ``pictures``: readable rows with ``sha256``, ``label``, ``true_px`` (length of the content in widths of its edges,
    or in px where there is no copy) and ``quantizer`` (of JPEG, 0 for lossless); the pairs are positions in its distinct digests, in order
    of first appearance.

    Indexed like ``pictures``: ``group`` (leak group, named by its smallest digest), ``star`` (the path that stands for it), ``similarity`` and
    ``turn`` (of `TURNS`) between the two.
    """
    digests = pictures["sha256"].drop_duplicates()
    position = pd.Series(range(len(digests)), index=digests.to_numpy())
    component = leak_groups(len(digests), proven.pairs)
    names = pd.Series(digests.to_numpy()).groupby(component).min()
    order = _best_first(pictures, component[position[pictures["sha256"]].to_numpy()])
    first = order.drop_duplicates("sha256")
    stands = stars(len(digests), proven.pairs, proven.similarity, position[first["sha256"]].to_numpy())
    best_path = pd.Series(first.index, index=first["sha256"].to_numpy())
    figures = dict(zip(map(tuple, proven.pairs.tolist()), zip(proven.similarity.tolist(), proven.turn.tolist(), strict=True), strict=True))
    own = position[pictures["sha256"]].to_numpy()
    similarity, turn = zip(*((1.0, 0) if i == s else figures[min(i, s), max(i, s)] for i, s in zip(own, stands[own], strict=True)), strict=True)
    return pd.DataFrame({
        "group": names[component[own]].to_numpy(), "star": best_path[digests.iloc[stands[own]]].to_numpy(),
        "similarity": similarity, "turn": turn}, index=pictures.index)


def decide(manifest: pd.DataFrame, found: pd.DataFrame, labels: pd.DataFrame | None, overrides: pd.DataFrame,
           settings: CleaningSettings) -> pd.DataFrame:
    """The decisions, indexed like ``manifest`` (columns ``label``, ``sha256``, ``issue`` and perhaps ``fold``).

    ``found``: of the readable rows, `duplicate_table`'s columns with ``equal_pixels`` (bool, with its star), and ``photo_score`` with
    ``photo_evidence``, as far as they were checked; ``labels``: of the rows that were judged, ``score``, ``suggested``, ``proba``,
    ``precision``, ``wrong``. A suspected wrong label in the held-out part is never left out. Raises `ScratchworkError` when a label
    or more than half of the set would be lost and that was not asked for.
    """
    table = pd.DataFrame({"label": manifest["label"], "keep": True, "reason": "", "score": 1.0, "evidence": "", "duplicate_group": "",
                          "photo_score": np.nan, "label_score": np.nan, "decided_by": MACHINE}, index=manifest.index)
    unreadable = manifest["issue"] != ""
    table.loc[unreadable, "evidence"] = manifest.loc[unreadable, "issue"]
    _leave_out(table, unreadable, "unreadable", 0.0)
    if "photos" in settings.checks:
        _decide_photos(table, found, settings)
    if "duplicates" in settings.checks:
        _decide_duplicates(table, found.assign(sha256=manifest["sha256"], label=manifest["label"]))
    if labels is not None:
        _decide_labels(table, manifest, labels, settings)
    _override(table, overrides)
    _check_classes(table, settings)
    return table[COLUMNS]


def _decide_photos(table: pd.DataFrame, found: pd.DataFrame, settings: CleaningSettings) -> None:
    table["photo_score"] = found["photo_score"].reindex(table.index)
    readable = found.index
    photo = readable[found["photo_score"] < settings.photo_cut]
    if len(photo) > MAX_PHOTO_SHARE * len(readable) and not settings.allow_photos:
        raise ScratchworkError(f"{len(photo):,} of {len(readable):,} pictures look like photographs, more than half: a set of photographs rather "
                               "than of drawings with photographs among them; give --skip photos (in an experiment plan: clean.skip = "
                               "[\"photos\"]) to keep them, or --allow-photos to leave them all out")
    table.loc[photo, "evidence"] = found.loc[photo, "photo_evidence"]
    _leave_out(table, table.index.isin(photo), "photo", table["photo_score"])


def _decide_duplicates(table: pd.DataFrame, duplicates: pd.DataFrame) -> None:
    """Within each star: one label by majority or none, then the best picture of it stays."""
    sizes = duplicates["star"].value_counts()
    several = duplicates[duplicates["star"].map(sizes) > 1]
    for star, members in ((str(star), members) for star, members in several.groupby("star", sort=False)):
        table.loc[members.index, "duplicate_group"] = str(members.loc[star, "sha256"])[:16]
        loose = members[members["label"] == ""]  # lies in no label's folder: it has no vote, and is a copy of those that do
        votes = (members.drop(loose.index) if len(loose) < len(members) else members)["label"].value_counts()
        winners = votes[votes == votes.max()].index
        agreed = members[members["label"] == winners[0]] if len(winners) == 1 else members.iloc[:0]
        conflict = members.index.difference(agreed.index).difference(loose.index)
        told = ", ".join(f"{n} x {label}" for label, n in votes.items())
        free = table.loc[conflict, "reason"] == ""
        table.loc[conflict[free], "evidence"] = [f"the same picture as {_another(members, path)}, under labels {told}" for path in conflict[free]]
        _leave_out(table, table.index.isin(conflict), "label_conflict", 0.0)
        alive = agreed[table.loc[agreed.index, "reason"] == ""]
        if alive.empty:
            continue
        keeper = star if star in alive.index else alive.index[0]
        repeats = pd.concat([alive, loose.drop(alive.index, errors="ignore")]).drop(keeper)
        repeats = repeats[table.loc[repeats.index, "reason"] == ""]
        exact = (repeats["sha256"] == alive.loc[keeper, "sha256"]) | (repeats["equal_pixels"] & (keeper == star))
        table.loc[repeats.index, "keep"] = False
        table.loc[repeats.index, "reason"] = np.where(exact, "exact_duplicate", "near_duplicate")
        table.loc[repeats.index, "score"] = np.where(exact, 0.0, 1 - repeats["similarity"])
        turns = repeats["turn"] if keeper == star else [0] * len(repeats)
        table.loc[repeats.index, "evidence"] = [f"repeats {keeper}" + (f", {TURNS[turn]}" if turn else "") for turn in turns]


def _another(members: pd.DataFrame, path: str) -> str:
    others = members.index[members["label"] != members.loc[path, "label"]]
    return str(others[0]) if len(others) else str(members.index[members.index != path][0])


def _decide_labels(table: pd.DataFrame, manifest: pd.DataFrame, labels: pd.DataFrame, settings: CleaningSettings) -> None:
    table["label_score"] = labels["score"].reindex(table.index)
    wrong = labels[labels["wrong"]]
    wrong = wrong[table.loc[wrong.index, "reason"] == ""]
    table.loc[wrong.index, "evidence"] = [f"perhaps {to} (probability {p:.2f})" for to, p in zip(wrong["suggested"], wrong["proba"], strict=True)]
    table.loc[wrong.index, "reason"] = "wrong_label"
    table.loc[wrong.index, "score"] = table.loc[wrong.index, "label_score"]
    if settings.drop_wrong_labels:
        held_out = (manifest["fold"] == TEST).fillna(False) if "fold" in manifest else pd.Series(False, index=manifest.index)
        sure = wrong["precision"] >= settings.label_precision
        table.loc[wrong.index[sure & ~held_out[wrong.index].to_numpy(bool)], "keep"] = False


def _leave_out(table: pd.DataFrame, which: pd.Series | np.ndarray, reason: str, score: float | pd.Series) -> None:
    """Where nothing was decided before."""
    rows = table.index[np.asarray(which) & (table["reason"] == "").to_numpy()]
    table.loc[rows, "keep"] = False
    table.loc[rows, "reason"] = reason
    table.loc[rows, "score"] = score[rows] if isinstance(score, pd.Series) else score


def _override(table: pd.DataFrame, overrides: pd.DataFrame) -> None:
    for path, (keep, label, note, reviewer) in zip(overrides.index, overrides[["keep", "label", "note", "reviewer"]].to_numpy(object), strict=True):
        was, reason = str(table.at[path, "label"]), str(table.at[path, "reason"])
        if reason == "unreadable":
            continue  # nobody can keep a file without pixels
        relabelled = f"relabelled, was {was}" if label and label != was else ""
        said = [text for text in (note, relabelled, f"the machine said {reason}" if reason else "") if text]
        kept = keep is None or bool(keep)
        table.loc[path, "label"] = label or was
        table.loc[path, "keep"] = kept
        table.loc[path, "reason"] = "" if kept else reason
        table.loc[path, "score"] = 1.0 if kept else 0.0
        table.loc[path, "evidence"] = "; ".join(said)
        table.loc[path, "decided_by"] = f"{PERSON} {reviewer}".strip()


def _check_classes(table: pd.DataFrame, settings: CleaningSettings) -> None:
    usable = table[(table["reason"] != "unreadable") & (table["label"] != "")]
    left = usable.groupby("label")["keep"].sum()
    empty = left[left == 0]
    if len(empty) and not settings.allow_empty:
        label, n = empty.index[0], int((usable["label"] == empty.index[0]).sum())
        raise ScratchworkError(f"cleaning would leave nothing of label {label!r} ({n:,} readable pictures, all left out: "
                               f"{', '.join(sorted(set(usable.loc[usable['label'] == label, 'reason'])))}); give --allow-empty if that is right, "
                               "or --skip a check")


def _best_first(pictures: pd.DataFrame, component: np.ndarray) -> pd.DataFrame:
    """Largest true resolution among copies, then least recompression, then the commoner label, then the digest, then the path."""
    agreed = pictures.groupby(["sha256", "label"])["label"].transform("size")
    largest = pictures["true_px"].groupby(component).transform("max")
    keys = pd.DataFrame({"smaller": pictures["true_px"] * ENLARGED < largest, "quantizer": pictures["quantizer"], "px": -pictures["true_px"],
                         "agreed": -agreed, "sha256": pictures["sha256"]}, index=pictures.index)
    keys["place"] = keys.index
    return pictures.loc[keys.sort_values(["smaller", "quantizer", "px", "agreed", "sha256", "place"]).index]
