"""Part 1 of the report: what the folder holds, and the questions of the contest's mission 1 answered in sentences that are computed from it."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from features.scan import natural_order
from reports.charts import Row, bar, linear_axis, log_axis, rows, strip, tenths
from reports.eda import suspiciously_dark
from reports.report_texts import Texts
from reports.thumbnails import Album

MAJORITY = 2.0  # a label with more than so many times the pictures of the label in the middle
SAMPLES = 7  # pictures shown of each label
MOST_SAMPLED = 60  # labels of which pictures are shown
DUPLICATES = ("exact_duplicate", "near_duplicate")


def dataset_part(manifest: pd.DataFrame, decisions: pd.DataFrame | None, album: Album, t: Texts) -> dict[str, Any]:
    """What the template needs for part 1. ``manifest``: one row per file; ``decisions``: what cleaning said of them, None before."""
    labels = natural_order([label for label in manifest["label"].tolist() if label]) + [""] * bool((manifest["label"] == "").any())
    return {"answers": answers(manifest, decisions, t), "charts": _charts(manifest, decisions, labels, t),
            "samples": _samples(manifest, labels, album), "table": _label_table(manifest, decisions, labels, t)}


def answers(manifest: pd.DataFrame, decisions: pd.DataFrame | None, t: Texts) -> list[tuple[str, str]]:
    """(question, answer) in the order of the contest's mission."""
    usable = manifest[manifest["issue"] == ""]
    told = [("spread", _spread(manifest, t)), ("imbalance", _imbalance(manifest, t)), ("sizes", _sizes(usable, t)),
            ("brightness", _brightness(manifest, decisions, t)), ("duplicates", _duplicates(decisions, t)), ("photos", _photos(decisions, t)),
            ("broken", _broken(manifest, t))]
    return [(t(f"question.{name}"), text) for name, text in told if text]


def majority_labels(counts: pd.Series) -> list[str]:
    """Labels that are far larger than the one in the middle, largest first; among those, the ones before the steepest fall."""
    ordered = counts.sort_values(ascending=False, kind="stable")
    large = int((ordered > MAJORITY * counts.median()).sum())
    if not large or large >= len(ordered):
        return []
    falls = ordered.to_numpy(float)[:large] / ordered.to_numpy(float)[1:large + 1]
    return [str(label) for label in ordered.index[:int(falls.argmax()) + 1]]


def _counts(manifest: pd.DataFrame) -> pd.Series:
    return manifest.loc[manifest["label"] != "", "label"].value_counts()


def _spread(manifest: pd.DataFrame, t: Texts) -> str:
    counts = _counts(manifest)
    said = [t("dataset.files", files=len(manifest), labels=len(counts))]
    if counts.empty:
        return said[0]
    large = majority_labels(counts)
    if large:
        said.append(t("dataset.majority", labels=t.listed(large), n=len(large), share=counts[large].sum() / len(manifest)))
    smallest = natural_order(counts.index[counts == counts.min()].tolist())[0]
    said.append(t("dataset.smallest", label=smallest, n=int(counts.min()), ratio=counts.max() / counts.min(), largest=str(counts.idxmax())))
    return " ".join(said)


def _imbalance(manifest: pd.DataFrame, t: Texts) -> str:
    counts = _counts(manifest)
    if len(counts) < 2:
        return ""
    share = counts / counts.sum()
    even = float(np.exp(-(share * np.log(share)).sum()))
    said = [t("dataset.even", labels=len(counts), even=even)]
    large = majority_labels(counts)
    if large:
        rest = counts.drop(large)
        said.append(t("dataset.undersampled", labels=t.listed(large), mean=float(rest.mean()),
                      left=int(rest.sum() + len(large) * round(rest.mean()))))
    return " ".join(said)


def _sizes(usable: pd.DataFrame, t: Texts) -> str:
    if usable.empty:
        return ""
    sizes = (usable["width"].astype(str) + "×" + usable["height"].astype(str)).value_counts()
    formats = usable["format"].value_counts(normalize=True)
    listed = t.listed([f"{size} ({n / len(usable):.0%})" for size, n in sizes.head(3).items()])
    return " ".join([t("dataset.sizes", sizes=listed, n=len(sizes), small=int(usable[["width", "height"]].min().min()),
                       large=int(usable[["width", "height"]].max().max())),
                     t("dataset.formats", formats=t.listed([f"{name} {share:.0%}" for name, share in formats.items()]))])


def _brightness(manifest: pd.DataFrame, decisions: pd.DataFrame | None, t: Texts) -> str:
    usable = manifest[manifest["issue"] == ""]
    if usable.empty:
        return ""
    said = [t("dataset.brightness", mean=float(usable["mean_pixel"].mean()))]
    dark = suspiciously_dark(manifest)
    if not dark:
        return " ".join([*said, t("dataset.no_dark")])
    listed = t.listed([f"{label} ({mean:.0f})" for label, (mean, _) in dark.items()])
    said.append(t("dataset.dark", labels=listed, n=len(dark), middle=next(iter(dark.values()))[1]))
    if decisions is not None and (decisions["reason"] == "photo").any():
        photo, inside = decisions["reason"] == "photo", manifest["label"].isin(list(dark)).reindex(decisions.index, fill_value=False)
        said.append(t("dataset.dark_photos", inside=float(photo[inside].mean()), outside=float(photo[~inside].mean())))
    return " ".join(said)


def _duplicates(decisions: pd.DataFrame | None, t: Texts) -> str:
    if decisions is None:
        return ""
    reasons = decisions["reason"].value_counts()
    exact, near, conflicts = (int(reasons.get(name, 0)) for name in (*DUPLICATES, "label_conflict"))
    if not exact + near + conflicts:
        return t("dataset.no_duplicates")
    groups = decisions.loc[decisions["duplicate_group"] != "", "duplicate_group"].nunique()
    said = [t("dataset.duplicates", exact=exact, near=near, share=(exact + near + conflicts) / len(decisions), groups=groups)]
    if conflicts:
        said.append(t("dataset.conflicts", n=conflicts))
    return " ".join(said)


def _photos(decisions: pd.DataFrame | None, t: Texts) -> str:
    if decisions is None or decisions["photo_score"].isna().all():
        return ""
    photos = decisions[decisions["reason"] == "photo"]
    if photos.empty:
        return t("dataset.no_photos")
    most = photos["label"].value_counts().head(3)
    return t("dataset.photos", n=len(photos), share=len(photos) / len(decisions), labels=t.listed([f"{label} ({n:,})" for label, n in most.items()]))


def _broken(manifest: pd.DataFrame, t: Texts) -> str:
    bad = manifest[manifest["issue"] != ""]
    if bad.empty:
        return t("dataset.no_broken")
    kinds = bad["issue"].map(lambda issue: t.issue(str(issue))).value_counts()
    return t("dataset.broken", n=len(bad), share=len(bad) / len(manifest), kinds=t.listed([f"{kind} ({n:,})" for kind, n in kinds.items()], 4))


def _charts(manifest: pd.DataFrame, decisions: pd.DataFrame | None, labels: list[str], t: Texts) -> list[dict[str, Any]]:
    """Counts per label, and where pictures are readable the distributions of width, height and mean pixel value."""
    usable = manifest[manifest["issue"] == ""]
    charts = [_count_chart(manifest, decisions, labels, t)]
    if usable.empty:
        return charts
    for column in ("mean_pixel", "width", "height"):
        own = {label: part.to_numpy(float) for label, part in usable.groupby("label")[column]}
        axis = linear_axis(0, 255) if column == "mean_pixel" else log_axis(float(usable[column].min()), float(usable[column].max()))
        shown = [Row(label or t("word.no_label"), strip(axis, tenths(own[label])), f"{np.median(own[label]):,.0f}")
                 for label in labels if label in own]
        title = t(f"dataset.chart_{column}")
        charts.append({"title": title, "legend": [], "svg": rows(shown, title, axis)})
    return charts


def _count_chart(manifest: pd.DataFrame, decisions: pd.DataFrame | None, labels: list[str], t: Texts) -> dict[str, Any]:
    kept = (decisions["keep"] if decisions is not None else manifest["issue"] == "").reindex(manifest.index, fill_value=False)
    stay, whole = (Counter(manifest.loc[which, "label"].tolist()) for which in (kept, np.ones(len(manifest), bool)))
    most = max(whole.values(), default=0)
    shown = [Row(label or t("word.no_label"), bar([(stay[label], "c1"), (whole[label] - stay[label], "c2")], most), f"{whole[label]:,}")
             for label in labels]
    words = ("kept", "left_out") if decisions is not None else ("readable", "unreadable")
    legend = [(look, t(f"word.{word}")) for look, word in zip(("c1", "c2"), words, strict=True)]
    return {"title": t("dataset.chart_counts"), "legend": legend, "svg": rows(shown, t("dataset.chart_counts"))}


def _samples(manifest: pd.DataFrame, labels: list[str], album: Album) -> list[dict[str, Any]]:
    """A few pictures of each label, evenly spaced in the order of their digests, which is a draw that is always the same."""
    usable = manifest[(manifest["issue"] == "") & (manifest["label"] != "")].drop_duplicates("sha256").sort_values("sha256")
    groups = dict(iter(usable.groupby("label")))
    found = []
    for label in [label for label in labels if label in groups][:MOST_SAMPLED]:
        part = groups[label]
        chosen = part.iloc[np.unique(np.linspace(0, len(part) - 1, min(SAMPLES, len(part))).astype(int))]
        found.append({"label": label, "n": f"{len(part):,}",
                      "pictures": [{"id": album.add(str(sha)), "path": str(path)} for path, sha in chosen["sha256"].items()]})
    return found


def _label_table(manifest: pd.DataFrame, decisions: pd.DataFrame | None, labels: list[str], t: Texts) -> dict[str, Any]:
    """The figures behind the charts."""
    body = []
    for label, part in ((label, manifest[manifest["label"] == label]) for label in labels):
        good = part[part["issue"] == ""]
        kept = f"{int(decisions['keep'].reindex(part.index, fill_value=False).sum()):,}" if decisions is not None else "–"
        measured = [f"{good['width'].median():,.0f}×{good['height'].median():,.0f}", f"{good['mean_pixel'].mean():.1f}"] if len(good) else ["–", "–"]
        formats = ", ".join(f"{name} {n:,}" for name, n in good["format"].value_counts().items())
        body.append([label or t("word.no_label"), f"{len(part):,}", kept, f"{len(part) - len(good):,}", *measured, formats])
    return t.table(("label", "pictures", "kept", "unreadable", "median_size", "mean_pixel", "formats"), body)
