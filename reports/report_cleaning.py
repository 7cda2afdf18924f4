"""Part 2 of the report: what was left out and why, with the evidence beside it: originals, features, suggested labels, scores and cuts."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from cleaning.decisions import REASONS
from reports.charts import Row, bar, histogram, rows
from reports.report_texts import Texts
from reports.thumbnails import Album

SHOWN = {"photo": 48, "exact_duplicate": 24, "near_duplicate": 48, "label_conflict": 24, "wrong_label": 60, "unreadable": 200}
FIRST = {"photo": 14, "wrong_label": 14}  # cards that are open, the others unfold
GALLERIES = ("photo", "near_duplicate", "exact_duplicate", "label_conflict", "wrong_label")
BINS = 50
LOOK = {"photo": "c2", "exact_duplicate": "c3", "near_duplicate": "c4", "label_conflict": "c5", "wrong_label": "c6", "unreadable": "c7"}
EVIDENCE = ("zero", "top", "entropy", "flat")  # of `photo_facts`, in the order of cleaning.photos.EVIDENCE_COLUMNS


def cleaning_part(manifest: pd.DataFrame, decisions: pd.DataFrame, photo_facts: pd.DataFrame, cut: float, methods: list[dict[str, Any]],
                  album: Album, t: Texts) -> dict[str, Any]:
    """What the template needs for part 2. ``photo_facts``: features that betray a photograph, by path; ``methods``: figures of the ways to find
    them."""
    decisions = decisions.assign(sha256=manifest["sha256"].reindex(decisions.index).fillna(""))
    galleries = [_gallery(reason, decisions, photo_facts, album, t) for reason in GALLERIES if (decisions["reason"] == reason).any()]
    return {"summary": _summary(decisions, t), "people": _people(decisions, t), "galleries": galleries, "unreadable": _unreadable(decisions, t),
            "histogram": _histogram(decisions, cut, t), "methods": _method_table(methods, t), "sampled": any(m["sampled"] for m in methods)}


def _summary(decisions: pd.DataFrame, t: Texts) -> dict[str, Any]:
    """One bar of all files, and its legend with numbers."""
    left = decisions[~decisions["keep"]]
    counts = [("word.kept", "c1", int(decisions["keep"].sum()))] + [
        (f"reason.{reason}", LOOK[reason], int((left["reason"] == reason).sum())) for reason in REASONS]
    other = len(left) - sum(n for _, _, n in counts[1:])
    counts += [("word.by_person", "c8", other)] if other else []
    told = t("cleaning.summary", kept=int(decisions["keep"].sum()), files=len(decisions), share=float(decisions["keep"].mean()))
    chart = rows([Row("", bar([(n, look) for _, look, n in counts], len(decisions)), "")], told)
    return {"told": told, "svg": chart, "legend": [(look, t(key), f"{n:,}") for key, look, n in counts if n]}


def _gallery(reason: str, decisions: pd.DataFrame, photo_facts: pd.DataFrame, album: Album, t: Texts) -> dict[str, Any]:
    """The surest of one reason first; how many are shown of how many."""
    own = decisions[decisions["reason"] == reason].sort_values("score", kind="stable")
    shown = own.iloc[:SHOWN[reason]]
    grouped = decisions[decisions["duplicate_group"] != ""].groupby("duplicate_group").groups
    members = {str(group): list(map(str, paths)) for group, paths in grouped.items()}
    cards = [_card(path, row, reason, decisions, members.get(row["duplicate_group"], []), photo_facts, album, t)
             for path, row in zip(map(str, shown.index), shown.to_dict("records"), strict=True)]
    kept, first = int(own["keep"].sum()), FIRST.get(reason, 8)
    return {"reason": reason, "title": t(f"reason.{reason}"), "about": t(f"about.{reason}"), "cards": cards[:first], "more": cards[first:],
            "total": f"{len(own):,}",
            "shown": t("word.shown_all" if len(shown) == len(own) else "word.shown", shown=len(shown), total=len(own))
            + (" " + t("cleaning.flagged", n=kept) if reason == "wrong_label" and kept else "")}


def _card(path: str, row: Mapping[Any, Any], reason: str, decisions: pd.DataFrame, members: list[str], photo_facts: pd.DataFrame, album: Album,
          t: Texts) -> dict[str, Any]:
    """A picture, what stands beside it, and its evidence in the page's language."""
    pictures = [{"id": album.add(row["sha256"]), "path": path, "label": row["label"] or t("word.no_label"), "role": ""}]
    told = [t("card.score", score=row["score"])]
    if reason in ("exact_duplicate", "near_duplicate", "label_conflict"):
        other = _named(str(row["evidence"]), [m for m in members if m != path])
        if other:
            pictures.append({"id": album.add(str(decisions.at[other, "sha256"])), "path": other, "label": str(decisions.at[other, "label"]),
                             "role": t("card.other_label" if reason == "label_conflict" else "card.original")})
        told = [t("card.alike", share=1 - row["score"])] if reason == "near_duplicate" else [t(f"card.{reason}")]
    elif reason == "photo" and path in photo_facts.index:
        told.append(t("card.photo", **dict(zip(EVIDENCE, photo_facts.loc[[path]].to_numpy(float)[0].tolist(), strict=True))))
    elif reason == "wrong_label":
        suggested = re.fullmatch(r"perhaps (.*) \(probability ([\d.]+)\)", str(row["evidence"]), re.DOTALL)
        if suggested:
            told.append(t("card.suggested", label=suggested[1], p=float(suggested[2])))
        told.append(t("word.kept_flagged" if row["keep"] else "word.left_out"))
    return {"pictures": pictures, "told": told, "score": f"{row['score']:.2f}"}


def _named(evidence: str, members: list[str]) -> str:
    """Which of a group's ``members`` the evidence is about; the longest where one's name begins as another's."""
    named = [path for path in members if evidence.startswith((f"repeats {path}", f"the same picture as {path},"))]
    return max(named, key=len, default=members[0] if members else "")


def _unreadable(decisions: pd.DataFrame, t: Texts) -> dict[str, Any] | None:
    bad = decisions[decisions["reason"] == "unreadable"]
    if bad.empty:
        return None
    shown = bad.iloc[:SHOWN["unreadable"]]
    body = [[str(path), t.issue(evidence), evidence] for path, evidence in shown["evidence"].items()]
    return {"title": t("reason.unreadable"), "total": f"{len(bad):,}", **t.table(("path", "why", "evidence"), body),
            "shown": t("word.shown_files" if len(shown) < len(bad) else "word.shown_all", shown=len(shown), total=len(bad))}


def _histogram(decisions: pd.DataFrame, cut: float, t: Texts) -> dict[str, Any] | None:
    scores = decisions["photo_score"].dropna().to_numpy(float)
    if not len(scores):
        return None
    counts, edges = np.histogram(scores, BINS, (0, 1))
    told = t("cleaning.histogram", below=int((scores < cut).sum()), total=len(scores), cut=cut)
    return {"told": told, "svg": histogram(counts.tolist(), edges.tolist(), cut, told, (t("cleaning.score_axis"), t("cleaning.pictures_axis"))),
            "legend": [("c2", t("cleaning.photographs")), ("c1", t("cleaning.drawings"))]}


def _method_table(methods: list[dict[str, Any]], t: Texts) -> dict[str, Any] | None:
    if not methods:
        return None
    body = [[t(f"method.{m['method'].replace('-', '_')}") + (" *" if m["sampled"] else ""), f"{m['photos']:,} / {m['n']:,}", _figure(m["silhouette"]),
             _figure(m["davies_bouldin"])] for m in methods]
    return t.table(("method", "photographs", "silhouette", "davies_bouldin"), body)


def _figure(value: float) -> str:
    return "–" if value is None or np.isnan(value) else f"{value:.3f}"


def _people(decisions: pd.DataFrame, t: Texts) -> str:
    n = int(decisions["decided_by"].str.startswith("person").sum())
    return t("cleaning.people", n=n) if n else ""
