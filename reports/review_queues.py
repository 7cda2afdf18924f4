"""What there is to review: the machine's decisions, the folds' predictions and the manifest become queues of pictures (pure; rows are positions in
the manifest).

A queue is a list of rows, each with a score in [0, 1] (low: the machine is sure that something is wrong), evidence, the pictures to lay beside it
and the label that is suggested. What people decided does not move a picture from one queue to another: the machine's own reason counts.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from cleaning.decisions import PERSON, REASONS
from cleaning.folds import TEST
from features.scan import natural_order

DOUBTFUL_PHOTO = 0.95  # kept pictures under this photo score are shown too: close to the cut
BESIDE = 4  # copies that are laid beside a picture
EXAMPLES = 7  # pictures that stand for a label; one of them may be the very picture that is looked at
DIGEST_CHARS = 16  # of a content's name in addresses
MACHINE_SAID = re.compile(r"(?:^|; )the machine said (\w+)$")
PERHAPS = re.compile(r"^perhaps (.+) \(probability ([\d.]+)\)$")
DUPLICATES = ("exact_duplicate", "near_duplicate")
QUEUES = ("photos", "duplicates", "conflicts", "labels", "errors", "votes", "all")
CLEAN, TRAIN = "python cli.py clean", "python cli.py train"


@dataclass(frozen=True)
class Queue:
    """``rows`` in the order in which they are shown, and per row the rest; ``command``: what fills a queue that cannot be filled yet."""

    rows: list[int] = field(default_factory=list)
    score: list[float] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)
    beside: list[list[int]] = field(default_factory=list)
    suggested: list[int] = field(default_factory=list)  # positions in the labels, -1: none
    command: str = ""


@dataclass(frozen=True)
class Material:
    """What the artifacts hold. ``decisions`` and ``found`` (with ``star``): of `cleaning.decisions`, None before a cleaning; ``labels_oof`` and
    ``predictions``: tables of out-of-fold probabilities, of the check of labels and of the model that is reviewed; ``gone``: paths without a file."""

    manifest: pd.DataFrame
    decisions: pd.DataFrame | None = None
    found: pd.DataFrame | None = None
    labels_oof: pd.DataFrame | None = None
    predictions: pd.DataFrame | None = None
    gone: frozenset[str] = frozenset()

    @cached_property
    def labels(self) -> list[str]:
        """What a picture may be given, in natural order."""
        return [label for label in natural_order(self.manifest["label"].tolist()) if label]

    @cached_property
    def row_of(self) -> dict[str, int]:
        """path → position in the manifest."""
        return {str(path): row for row, path in enumerate(self.manifest.index)}

    @cached_property
    def reasons(self) -> list[str]:
        """Per row what the machine said, whatever people said since."""
        if self.decisions is None:
            return [""] * len(self.manifest)
        decisions = self.decisions.reindex(self.manifest.index)
        told = decisions["evidence"].fillna("").map(lambda text: found[1] if (found := MACHINE_SAID.search(text)) else "")
        person = decisions["decided_by"].fillna("").str.startswith(PERSON)
        return decisions["reason"].fillna("").where(~person, told).where(lambda reason: reason.isin(REASONS), "").tolist()


def review_index(material: Material) -> dict[str, Any]:
    """Everything that the page needs but for people's decisions, as plain lists; columns have one entry per row of the manifest."""
    manifest, labels = material.manifest, material.labels
    position = {label: i for i, label in enumerate(labels)}
    reasons = material.reasons
    held_out = (manifest["fold"] == TEST).fillna(False) if "fold" in manifest else pd.Series(False, index=manifest.index)
    return {
        "labels": labels, "reasons": ["", *REASONS], "path": [str(path) for path in manifest.index],
        "label": [position.get(label, -1) for label in manifest["label"]], "digest": manifest["sha256"].str[:DIGEST_CHARS].tolist(),
        "width": _whole_numbers(manifest, "width"), "height": _whole_numbers(manifest, "height"),
        "reason": [["", *REASONS].index(reason) for reason in reasons], "kept": _kept(material),
        "held_out": np.flatnonzero(held_out.to_numpy(bool)).tolist(), "gone": [material.row_of[path] for path in sorted(material.gone)],
        "queues": {name: asdict(queue) for name, queue in queues(material).items()}, "examples": label_examples(material)}


def queues(material: Material) -> dict[str, Queue]:
    """By the names of `QUEUES`; ``votes`` is filled by the page from the journal."""
    rows = _rows_by_reason(material)
    readable = np.flatnonzero((material.manifest["issue"] == "").to_numpy()).tolist()
    return {"photos": _photos(material), "duplicates": _copies(material, rows, DUPLICATES), "conflicts": _copies(material, rows, ("label_conflict",)),
            "labels": _wrong_labels(material, rows), "errors": model_errors(material), "votes": Queue(), "all": Queue(rows=readable)}


def model_errors(material: Material) -> Queue:
    """Out-of-fold predictions that differ from the label, surest first. The held-out part stays unseen: to correct only what a model doubts would
    flatter its score."""
    table = material.predictions
    if table is None:
        return Queue(command=TRAIN)
    names = [column for column in table if str(column).startswith("p__")]
    wrong = table[(table["fold"] != TEST) & (table["predicted"] != table["label"]) & table[names].notna().all(axis=1)]
    wrong = wrong[wrong["sha256"] == material.manifest["sha256"].reindex(wrong.index)]
    proba = wrong[names].to_numpy()
    sure, true = (proba[np.arange(len(wrong)), [names.index(f"p__{label}") for label in wrong[column]]] for column in ("predicted", "label"))
    order = np.argsort(-sure, kind="stable")
    row_of, position = material.row_of, {label: i for i, label in enumerate(material.labels)}
    return Queue([row_of[str(wrong.index[i])] for i in order], [round(float(1 - sure[i]), 4) for i in order],
                 [f"{sure[i]:.2f} {true[i]:.2f}" for i in order], [[] for _ in order], [position.get(wrong["predicted"].iloc[i], -1) for i in order])


def label_examples(material: Material) -> list[list[int]]:
    """Per label the rows of pictures that stand for it: kept, not suspected, those that the folds are surest of, one of each group."""
    manifest = material.manifest
    table = pd.DataFrame({"label": manifest["label"], "row": np.arange(len(manifest)), "group": manifest["sha256"], "sure": 0.0})
    if "group" in manifest:
        table["group"] = manifest["group"].where(manifest["group"].fillna("") != "", manifest["sha256"])
    good = (manifest["issue"] == "").to_numpy()
    if material.decisions is not None:
        decisions = material.decisions.reindex(manifest.index)
        table["label"] = decisions["label"].fillna(manifest["label"])
        table["sure"] = decisions["label_score"].fillna(0.0)
        good = good & (decisions["keep"].fillna(True).astype(bool) & (decisions["reason"].fillna("") == "")).to_numpy()
    best = table[good].sort_values("sure", ascending=False, kind="stable").drop_duplicates("group")
    return [best.loc[best["label"] == label, "row"].head(EXAMPLES).tolist() for label in material.labels]


def _photos(material: Material) -> Queue:
    """What looks like a photograph, and kept pictures close to it; surest first."""
    if material.decisions is None:
        return Queue(command=CLEAN)
    decisions = material.decisions
    reasons = pd.Series(material.reasons, index=material.manifest.index)
    photo = reasons.index[reasons == "photo"]
    near = decisions.index[(decisions["photo_score"] < DOUBTFUL_PHOTO) & (reasons.reindex(decisions.index) == "").to_numpy()]
    score = decisions["photo_score"].reindex([*photo, *near]).fillna(0.0).sort_values(kind="stable")
    row_of = material.row_of
    found = material.found if material.found is not None and "photo_evidence" in material.found else None
    told = decisions["evidence"] if found is None else found["photo_evidence"]
    return Queue([row_of[str(path)] for path in score.index], _rounded(score), told.reindex(score.index).fillna("").tolist(),
                 [[] for _ in score], [-1] * len(score))


def _copies(material: Material, rows: dict[str, list[int]], reasons: Sequence[str]) -> Queue:
    """Duplicates beside what they repeat, or conflicts beside the same picture under other labels; surest first."""
    if material.decisions is None:
        return Queue(command=CLEAN)
    own = [row for reason in reasons for row in rows.get(reason, [])]
    decisions = material.decisions.reindex(material.manifest.index)
    groups: dict[str, list[int]] = {}
    for row, group in enumerate(decisions["duplicate_group"].fillna("").tolist()):
        if group:
            groups.setdefault(group, []).append(row)
    stars, row_of, labels = _stars(material), material.row_of, material.manifest["label"].tolist()
    beside, group_of = [], decisions["duplicate_group"].fillna("").tolist()
    for row in own:
        others = [other for other in groups.get(group_of[row], []) if other != row]
        first = row_of.get(stars.get(row, ""), -1)
        others.sort(key=lambda other, row=row, first=first: (other != first, labels[other] == labels[row], other))  # type: ignore[misc]
        beside.append(others[:BESIDE])
    score = decisions["score"].iloc[own].where(~decisions["decided_by"].iloc[own].str.startswith(PERSON), 0.0).fillna(0.0)
    order, rounded = np.argsort(score.to_numpy(), kind="stable"), _rounded(score)
    suggested = [_other_label(labels, own[i], beside[i], material.labels) if "label_conflict" in reasons else -1 for i in order]
    return Queue([own[i] for i in order], [rounded[i] for i in order], [""] * len(own), [beside[i] for i in order], suggested)


def _other_label(labels: list[str], row: int, beside: list[int], known: list[str]) -> int:
    others = [labels[other] for other in beside if labels[other] != labels[row]]
    return known.index(others[0]) if others and others[0] in known else -1


def _stars(material: Material) -> dict[int, str]:
    """row → the path that stands for the picture."""
    if material.found is not None and "star" in material.found:
        return dict(enumerate(material.found["star"].reindex(material.manifest.index).fillna("")))
    assert material.decisions is not None
    evidence = material.decisions["evidence"].reindex(material.manifest.index).fillna("")
    return {row: text.removeprefix("repeats ") for row, text in enumerate(evidence) if text.startswith("repeats ")}


def _wrong_labels(material: Material, rows: dict[str, list[int]]) -> Queue:
    """Suspected labels with the suggested one, surest first."""
    if material.decisions is None:
        return Queue(command=CLEAN)
    if not rows.get("wrong_label") and material.decisions["label_score"].isna().all():
        return Queue(command=CLEAN)  # its check of labels did not run
    own = rows.get("wrong_label", [])
    decisions, position = material.decisions.reindex(material.manifest.index), {label: i for i, label in enumerate(material.labels)}
    score = decisions["label_score"].iloc[own].fillna(0.0)
    suggested, told = [], []
    for row in own:
        label, proba = _suggestion(material, decisions["evidence"].iloc[row], row)
        suggested.append(position.get(label, -1))
        told.append(proba)
    order, rounded = np.argsort(score.to_numpy(), kind="stable"), _rounded(score)
    return Queue([own[i] for i in order], [rounded[i] for i in order], [told[i] for i in order], [[] for _ in order],
                 [suggested[i] for i in order])


def _suggestion(material: Material, evidence: str, row: int) -> tuple[str, str]:
    """The other label and its probability, from the evidence or, where a person's word took its place, from the probabilities."""
    told = PERHAPS.match(str(evidence))
    if told:
        return told[1], told[2]
    path, label = material.manifest.index[row], material.manifest["label"].iloc[row]
    if material.labels_oof is None or path not in material.labels_oof.index:
        return "", ""
    proba = material.labels_oof.loc[path].filter(like="p__").drop(f"p__{label}", errors="ignore").astype(float)
    return str(proba.idxmax()).removeprefix("p__"), f"{proba.max():.2f}"


def _rows_by_reason(material: Material) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, reason in enumerate(material.reasons):
        rows.setdefault(reason, []).append(row)
    return rows


def _kept(material: Material) -> str:
    """A character per row: 1 where the machine keeps the picture."""
    if material.decisions is None:
        return "".join("1" if issue == "" else "0" for issue in material.manifest["issue"])
    kept = material.decisions["keep"].reindex(material.manifest.index).fillna(True).astype(bool)
    person = material.decisions["decided_by"].reindex(material.manifest.index).fillna("").str.startswith(PERSON)
    by_reason = pd.Series(material.reasons, index=kept.index).isin(["", "wrong_label"])
    return "".join("1" if one else "0" for one in kept.where(~person, by_reason))


def _whole_numbers(manifest: pd.DataFrame, column: str) -> list[int]:
    if column not in manifest:
        return [0] * len(manifest)
    return manifest[column].fillna(0).astype(int).tolist()


def _rounded(score: pd.Series) -> list[float]:
    return [round(float(value), 4) for value in score]
