"""Part 3 of the report: how good the models are, judged by pictures that they had not seen, and where they are not."""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from features.scan import label_codes
from models.evaluation import calibration, confusion, top_confusions
from reports.charts import Axis, Line, Row, bar, linear_axis, lines, reliability, rows, whisker
from reports.report_texts import Texts
from reports.thumbnails import Album

PROBABILITY = "p__"
MOST_CLASSES = 40  # in the confusion matrix; of more those that are mixed up most
MOST_CELL_PICTURES = 2400  # embedded for all cells together
CELL_WRONG, CELL_RIGHT = 24, 6  # pictures of a cell at most
SHOWN_CONFUSIONS, CONFUSION_PICTURES = 8, 6
SHOWN_SLICES = 12
SHADES = 10
CURVES = ("loss", "log_loss", "macro_f1", "accuracy")  # columns of a network's history
METRICS = ("macro_f1", "micro_f1", "log_loss")


@dataclass(frozen=True)
class Part:
    """What a model said of pictures that it had not seen. ``name``: held_out, out_of_fold, validation or test; ``table`` (n rows by path): sha256,
    label, predicted and a probability per class; ``metrics`` and ``intervals`` as ``evaluate`` has them; ``data``: of a test folder its name;
    ``learned``: of how many of its pictures the model had learned all the same; ``together``: its labels were decided with ``--together``;
    ``strange``: pictures of labels that the model does not know, which are in no figure."""

    name: str
    table: pd.DataFrame
    metrics: dict[str, Any]
    intervals: dict[str, Any]
    data: str = ""
    learned: int = 0
    together: bool = False
    strange: int = 0


@dataclass(frozen=True)
class ModelFacts:
    """A saved model: its sidecar and its `Part`s by name."""

    name: str
    card: dict[str, Any]
    parts: dict[str, Part]

    @property
    def classes(self) -> list[str]:
        """In their natural order."""
        return list(self.card["classes"])


@dataclass(frozen=True)
class Experiment:
    """An experiment plan's table, best setting first; ``cleaning``: its settings clean differently."""

    name: str
    title: str
    metric: str
    judged_on: str
    table: pd.DataFrame
    cleaning: bool


def models_part(models: list[ModelFacts], chosen: ModelFacts, history: pd.DataFrame | None, slices: pd.DataFrame, slices_of: str, album: Album,
                t: Texts) -> dict[str, Any]:
    """What the template needs for part 3; all figures but the leaderboard are of the ``chosen`` model."""
    best = judged_part(chosen)
    matrices = [_matrix(part, chosen.classes, t) for part in chosen.parts.values()]
    return {"name": chosen.name, "part": part_name(best, t), "leaderboard": _leaderboard(models, t), "blends": _blends(models, t),
            "curves": _curves(history, t), "importance": _importance(models, t), "per_class": _per_class(best, chosen.classes, t),
            "matrices": matrices, "cells": cells_of(chosen, album), "confusions": _confusions(best, album, t),
            "reliability": _reliability(best, t), "slices": _slices(slices, slices_of, t), "headline": headline(chosen, t)}


def judged_part(model: ModelFacts) -> Part:
    """The part by which a model is judged: held out, else what there is."""
    return model.parts.get("held_out") or next(iter(model.parts.values()))


def part_name(part: Part, t: Texts) -> str:
    """In words, with the test folder's name."""
    return _part_name(part.name, part.data, part.learned, part.together, t)


def judged_there(model: ModelFacts, folder: str, together: bool, t: Texts) -> str:
    """The name in words of the test ``folder``, or where it is empty of the held-out part, also where the `Part` is not stored any more."""
    name = "test" if folder else "held_out"
    part = model.parts.get(name)
    return _part_name(name, folder, part.learned if part and part.data == folder else 0, together, t)


def _part_name(name: str, data: str, learned: int, together: bool, t: Texts) -> str:
    told = t("part.flattered" if learned else f"part.{name}", data=data, n=learned)
    return t("part.together", part=told) if together else told


def headline(model: ModelFacts, t: Texts) -> list[str]:
    """One sentence per part."""
    found = []
    for part in model.parts.values():
        low, high = part.intervals["macro_f1"]
        found.append(t("models.headline", model=model.name, part=part_name(part, t), n=part.metrics["n"], macro=part.metrics["macro_f1"], low=low,
                       high=high, micro=part.metrics["micro_f1"], loss=part.metrics["log_loss"]))
    return found


def _leaderboard(models: list[ModelFacts], t: Texts) -> dict[str, Any]:
    """Every model there is, best first; dots with intervals, and the table behind them."""
    ordered = sorted(models, key=lambda m: -judged_part(m).metrics["macro_f1"])
    pairs = [(model, part) for model in ordered for part in model.parts.values()]
    ends = [v for _, part in pairs for v in (part.metrics["macro_f1"], *part.intervals["macro_f1"]) if not math.isnan(v)]
    axis = linear_axis(math.floor(20 * min(ends)) / 20, math.ceil(20 * max(ends)) / 20)
    looks = {"held_out": "c1", "test": "c4"}
    shown, body = [], []
    for model, part in pairs:
        macro = part.metrics["macro_f1"]
        low, high = part.intervals["macro_f1"]
        marks = whisker(axis, macro, low, high, looks.get(part.name, "c2"))
        shown.append(Row(f"{model.name}, {part_name(part, t)}", marks, f"{macro:.3f}"))
        figures = [cell for name in METRICS for cell in (f"{part.metrics[name]:.3f}", between(part.intervals[name]))]
        body.append([model.name, part_name(part, t), f"{part.metrics['n']:,}", *figures])
    columns = ("model", "judged_on", "pictures", *(column for name in METRICS for column in (name, "interval")))
    return {"svg": rows(shown, t("models.leaderboard_told"), axis, t("models.macro_axis")), **t.table(columns, body)}


def between(pair: Any, shown: str = ".3f") -> str:
    """An interval as text."""
    low, high = pair
    return "–" if low is None or math.isnan(low) else f"{low:{shown}} … {high:{shown}}"


def _blends(models: list[ModelFacts], t: Texts) -> dict[str, Any] | None:
    """The stack's own comparison of its bases and blends."""
    board = next((model.card["leaderboard"] for model in models if "leaderboard" in model.card), None)
    if not board:
        return None
    body = []
    for row in board:
        own, held = row["out_of_fold"], row.get("held_out")
        body.append([row["name"], f"{own['macro_f1']:.3f}", between(own["macro_f1_interval"]), between(own["gain"]["macro_f1_interval"], "+.3f"),
                     f"{own['log_loss']:.3f}", f"{held['macro_f1']:.3f}" if held else "–"])
    return t.table(("blend", "macro_f1_out_of_fold", "interval", "gain", "log_loss", "macro_f1_held_out"), body)


def _curves(history: pd.DataFrame | None, t: Texts) -> dict[str, Any] | None:
    """Two charts of every network's epochs: losses, and what validation reached."""
    if history is None or history.empty:
        return None
    networks = [own for _, own in history.groupby("network")]
    charts = []
    for names, title in ((CURVES[:2], "loss"), (CURVES[2:], "score")):
        curves = [Line(own["epoch"].tolist(), own[name].tolist(), look) for own in networks for name, look in zip(names, ("c2", "c1"), strict=True)]
        last = float(np.mean([own[names[1]].iloc[-1] for own in networks]))
        told = t(f"models.curves_{title}", networks=len(networks), epochs=int(history["epoch"].max()), last=last)
        charts.append({"told": told, "svg": lines(curves, told, (t("models.epoch"), "")),
                       "legend": [(look, t(f"curve.{name}")) for name, look in zip(names, ("c2", "c1"), strict=True)]})
    ends = [own.astype({"network": str}).iloc[-1].to_dict() for own in networks]
    return {"charts": charts, "head": [t("column.network"), t("column.epoch"), *(t(f"curve.{name}") for name in CURVES)],
            "body": [[end["network"], f"{end['epoch']:.0f}", *(f"{end[name]:.3f}" for name in CURVES)] for end in ends]}


def _importance(models: list[ModelFacts], t: Texts) -> dict[str, Any] | None:
    """What the boosted trees gained by each family, in shares."""
    shares = next((model.card["importance"] for model in models if "importance" in model.card), None)
    if not shares:
        return None
    ordered = sorted(shares.items(), key=lambda pair: -pair[1])
    names = {name: t(f"family.{name}") for name, _ in ordered}
    shown = [Row(names[name], bar([(share, "c1")], ordered[0][1]), f"{share:.1%}") for name, share in ordered]
    told = t("models.importance_told", family=names[ordered[0][0]], share=ordered[0][1])
    return {"told": told, "svg": rows(shown, told)}


def _per_class(part: Part, classes: list[str], t: Texts) -> dict[str, Any]:
    """F1 of each class with its interval, best first; classes that were not met come last in the table."""
    each = part.metrics["per_class"]
    met = sorted((label for label in classes if each[label]["f1"] is not None), key=lambda label: -each[label]["f1"])
    axis = linear_axis(0, 1)
    shown = [Row(label, whisker(axis, each[label]["f1"], *(part.intervals["per_class"][label] or (math.nan, math.nan))),
                 f"{each[label]['f1']:.2f}  ·  {each[label]['support']:,}") for label in met]
    told = t("models.per_class_told", n=len(met), best=met[0], best_f1=each[met[0]]["f1"], worst=met[-1], worst_f1=each[met[-1]]["f1"])
    body = []
    for label in [*met, *(label for label in classes if label not in met)]:
        figures = [f"{each[label][name]:.3f}" if label in met else "–" for name in ("precision", "recall", "f1")]
        body.append([label, f"{each[label]['support']:,}", *figures, between(part.intervals["per_class"][label] or (math.nan, math.nan))])
    return {"told": told, "svg": rows(shown, told, axis, t("models.f1_axis")),
            **t.table(("label", "pictures", "precision", "recall", "f1", "interval"), body)}


def _matrix(part: Part, classes: list[str], t: Texts) -> dict[str, Any]:
    """Rows of counts, the truth going down, with a shade each by its share of the row."""
    counts = confusion(part.table["label"].to_numpy(object), part.table["predicted"].to_numpy(object), classes)
    shown = _most_confused(counts)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    body = [{"label": classes[i], "cells": [{"n": int(counts[i, j]), "shade": min(int(np.sqrt(share[i, j]) * SHADES), SHADES - 1), "true": i,
                                            "predicted": j, "right": i == j} for j in shown]} for i in shown]
    return {"part": part.name, "name": part_name(part, t), "labels": [classes[i] for i in shown], "rows": body, "n": f"{len(part.table):,}",
            "cut": t("models.matrix_cut", shown=len(shown), total=len(classes)) if len(shown) < len(classes) else ""}


def _most_confused(counts: np.ndarray) -> list[int]:
    """Positions of the classes that the matrix shows, in order."""
    wrong = counts - np.diag(np.diag(counts))
    return sorted(np.argsort(-(wrong.sum(0) + wrong.sum(1)), kind="stable")[:MOST_CLASSES].tolist())


def cells_of(model: ModelFacts, album: Album, most: int = MOST_CELL_PICTURES) -> Markup:
    """The pictures of every cell as JSON for the page's script: part → "true,predicted" → [name, path, p of the true, p of the predicted label].

    The surest mistakes come first. Where all cells would show more than ``most`` pictures, every cell shows fewer, but one at least.
    """
    found: dict[str, dict[str, list[list[str]]]] = {}
    shown = {part.name: _shown(part, model.classes) for part in model.parts.values()}
    share = most / max(1, sum(map(_wanted, shown.values())))
    for name, table in shown.items():
        order = np.argsort(-_probability(table, "predicted"), kind="stable")
        table = table.iloc[order]
        p_true, p_predicted = _probability(table, "label"), _probability(table, "predicted")
        codes = [label_codes(table[column], model.classes) for column in ("label", "predicted")]
        cells: dict[str, list[list[str]]] = {}
        for i, (path, sha, true, predicted) in enumerate(zip(table.index, table["sha256"], *codes, strict=True)):
            own = cells.setdefault(f"{true},{predicted}", [])
            if len(own) < max(1, int((CELL_RIGHT if true == predicted else CELL_WRONG) * min(1, share))):
                own.append([album.add(sha), str(path), f"{p_true[i]:.0%}", f"{p_predicted[i]:.0%}"])
        found[name] = cells
    text = json.dumps({"labels": model.classes, "cells": found}, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def _shown(part: Part, classes: list[str]) -> pd.DataFrame:
    """The pictures that have a cell in the matrix."""
    counts = confusion(part.table["label"].to_numpy(object), part.table["predicted"].to_numpy(object), classes)
    inside = [classes[i] for i in _most_confused(counts)]
    return part.table[part.table["label"].isin(inside) & part.table["predicted"].isin(inside)]


def _wanted(table: pd.DataFrame) -> int:
    """How many pictures all cells would show."""
    sizes = Counter(zip(table["label"], table["predicted"], strict=True))
    return sum(min(n, CELL_RIGHT if true == predicted else CELL_WRONG) for (true, predicted), n in sizes.items())


def _probability(table: pd.DataFrame, column: str) -> np.ndarray:
    """(n,): what was said of the label in a column."""
    names = [name for name in table.columns if name.startswith(PROBABILITY)]
    codes = label_codes(table[column], [name.removeprefix(PROBABILITY) for name in names])
    return table[names].to_numpy(float)[np.arange(len(table)), codes]


def _confusions(part: Part, album: Album, t: Texts) -> list[dict[str, Any]]:
    """The labels that are mixed up most, with pictures; they need no script."""
    table, found = part.table, []
    for pair in top_confusions(table["label"].to_numpy(object), table["predicted"].to_numpy(object), SHOWN_CONFUSIONS):
        own = table[(table["label"] == pair["true"]) & (table["predicted"] == pair["predicted"])]
        own = own.iloc[np.argsort(-_probability(own, "predicted"), kind="stable")]
        found.append({"told": t("models.confusion", true=pair["true"], predicted=pair["predicted"], n=pair["pictures"], share=pair["share"]),
                      "pictures": [{"id": album.add(sha), "path": str(path)} for path, sha in own["sha256"].iloc[:CONFUSION_PICTURES].items()]})
    return found


def _reliability(part: Part, t: Texts) -> dict[str, Any]:
    names = [name for name in part.table.columns if name.startswith(PROBABILITY)]
    proba = part.table[names].to_numpy(float)
    surest = np.array([name.removeprefix(PROBABILITY) for name in names], dtype=object)[proba.argmax(1)]
    error, table = calibration(surest == part.table["label"].to_numpy(object), proba.max(1))
    told, titles = t("models.reliability", error=error, part=part_name(part, t)), (t("models.confidence"), t("models.share_right"))
    confidence, right, n = (table[name].tolist() for name in ("confidence", "right", "n"))
    return {"told": told, "svg": reliability(confidence, right, n, told, titles), "head": [*titles, t("column.pictures")],
            "body": [[f"{c:.3f}", f"{r:.3f}", f"{k:,}"] for c, r, k in zip(confidence, right, n, strict=True)]}


def _slices(slices: pd.DataFrame, slices_of: str, t: Texts) -> dict[str, Any] | None:
    """Differences of the slices to the rest, worst first; first those that chance does not explain."""
    if slices.empty:
        return None
    shown = slices.iloc[:SHOWN_SLICES]
    ends = shown[["low", "high", "difference"]].to_numpy(float)
    axis = linear_axis(min(-0.05, float(np.nanmin(ends))), max(0.05, float(np.nanmax(ends))), 6, "+.0%")
    zero = Markup(f'<line class="cut" x1="{axis.at(0)}%" x2="{axis.at(0)}%" y1="0" y2="18"/>')
    made = [Row(_slice_name(row, t), zero + whisker(axis, row["difference"], row["low"], row["high"], "c2" if row["high"] < 0 else "c1"),
                f"{row['difference']:+.0%}") for row in shown.to_dict("records")]
    worse = int((slices["high"] < 0).sum())
    told = t("models.slices_told", worse=worse, total=len(slices), part=slices_of)
    body = [[_slice_name(row, t), f"{row['n']:,}", f"{row['share_right']:.1%}", f"{row['rest']:.1%}", between((row["low"], row["high"]), "+.1%")]
            for row in slices.to_dict("records")]
    return {"told": told, "svg": rows(made, told, axis, t("models.slices_axis")),
            **t.table(("slice", "pictures", "right", "elsewhere", "interval"), body)}


def _slice_name(row: Mapping[Any, Any], t: Texts) -> str:
    attribute, value = str(row["attribute"]), str(row["value"])
    key = attribute.replace(" ", "_")
    known = ("format", "size_px", "mean_pixel", "colourfulness", "photo_score")
    for band in ("low", "middle", "high"):
        value = value.replace(f"{band} (", f"{t(f'band.{band}')} (", 1) if value.startswith(f"{band} (") else value
    value = re.sub(r"\d\.?\d*e\+\d+", lambda number: f"{float(number[0]):,.0f}", value)
    return f"{t(f'slice.{key}') if key in known else attribute.removeprefix('own: ')}: {value}"


def experiment_chart(experiment: Experiment, t: Texts) -> dict[str, Any]:
    """A dot per setting with its interval, best first, and the table."""
    table, metric = experiment.table, experiment.metric
    ends = table[[metric, "low", "high"]].to_numpy(float)
    low, high = float(np.nanmin(ends)), float(np.nanmax(ends))
    axis: Axis = linear_axis(low - 0.1 * (high - low), high + 0.1 * (high - low), 5)
    settings = list(zip(map(str, table.index), table.to_dict("records"), strict=True))
    shown = [Row(name, whisker(axis, row[metric], row["low"], row["high"]), f"{row[metric]:.4f}") for name, row in settings]
    judged = t(f"part.{experiment.judged_on}", data="").strip() if experiment.judged_on else "–"
    told = t("experiment.told", title=experiment.title, metric=t(f"column.{metric}"), part=judged, best=settings[0][0], value=settings[0][1][metric])
    if (table["runs"] == 1).any():
        told = f"{told} {t('experiment.one_run')}"
    body = [[name, f"{row['runs']:.0f}", f"{row[metric]:.4f}", between((row["low"], row["high"]), ".4f"), _number(row["difference"], "+.4f"),
             between((row["difference_low"], row["difference_high"]), "+.4f"), _number(row["common"], ".4f")] for name, row in settings]
    return {"title": experiment.title, "told": told, "svg": rows(shown, told, axis, t(f"column.{metric}")),
            **t.table(("setting", "runs", metric, "interval", "difference", "interval", "common"), body)}


def _number(value: float, shown: str) -> str:
    return "–" if math.isnan(value) else f"{value:{shown}}"
