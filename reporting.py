"""The report's contents, gathered from what the artifacts folder holds; `reports.report` makes the page of them.

Beside `scoring`. Nothing is computed here that a command has computed before, no picture file is opened, and no model is loaded: what is
missing is named with the command that makes it, and the rest is shown. Figures are of pictures that a model had not seen: the held-out
part, the out-of-fold predictions, or a test folder that ``evaluate --data`` was run on.
"""

import json
import math
import shlex
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cleaning.folds import TEST
from cleaning.photos import EVIDENCE_COLUMNS, photo_scores
from features.errors import ScratchworkError
from features.extract import ExtractionSettings
from features.families import feature_names
from features.scan import label_codes
from models import MODELS
from models.artifacts import judged_folds, read_card, versions
from models.evaluation import metrics
from models.runs import read_runs
from models.slices import slice_table
from reports.report import Contents, Note, write_report
from reports.report_made import Where
from reports.report_models import METRICS, Experiment, ModelFacts, Part, judged_part, judged_there, part_name
from reports.report_texts import Texts
from reports.thumbnails import Album
from scoring import album_of, attributes_of, facts_of, intervals_of, judged_of, last_trained, learned_from, with_group
from workspace import (
    PROBABILITY,
    Workspace,
    cleaning_card,
    cleaning_digest,
    data_digest,
    default_data,
    predictions_file,
    read_decisions,
    read_manifest,
)

METHOD_SAMPLE = 1000  # pictures on which the ways to find photographs that were not run are compared
CHEAP_METHODS = ("kmeans-random", "kmeans-pca")  # those that take a second on the sample
AUTOENCODER = "kmeans-autoencoder"
DEFAULT_ARTIFACTS = Path("artifacts")
PARTS = ("held_out", "out_of_fold", "test")


@dataclass(frozen=True)
class Outcome:
    """``file``: the page; ``missing``: what is not in it, with the command that makes it; ``placeholders``: pictures that the cache does not hold."""

    file: Path
    bytes: int
    pictures: int
    placeholders: int
    missing: dict[str, str]
    seconds: float


def report(workspace: Workspace, out: Path, language: str = "en", model_file: Path | None = None) -> Outcome:
    """Write the page of everything that the artifacts hold. Raises `ScratchworkError` where they hold nothing at all."""
    started = time.perf_counter()
    contents = gathered(workspace, Texts(language), model_file)
    write_report(contents, language, out)
    album = contents.album
    return Outcome(out, out.stat().st_size, len(album.files), len(album.missing), contents.missing, time.perf_counter() - started)


def gathered(workspace: Workspace, t: Texts, model_file: Path | None = None) -> Contents:
    """What the page is made of."""
    notes: list[Note] = []
    manifest = read_manifest(workspace)
    root = Path(manifest.attrs.get("root", ""))
    chosen_file = model_file or last_trained(workspace.artifacts)
    if model_file and not model_file.is_file():
        raise ScratchworkError(f"{model_file} does not exist; make it with: python cli.py train")
    workspace = _as_extracted(workspace, chosen_file)
    album, missing = album_of(workspace), {}
    notes += _gone(manifest, root)
    decisions: pd.DataFrame | None = None
    cleaning: dict[str, Any] = {}
    if (workspace.artifacts / "decisions.csv").exists():
        decisions, cleaning = _decisions(workspace, manifest, notes)
    else:
        missing["cleaning"] = _command(workspace, root, "clean")
    models = _models(workspace, manifest, decisions, chosen_file, notes)
    chosen = next((model for model in models if model.name == chosen_file.stem), models[0] if models else None)
    if chosen is None:
        missing["models"] = _command(workspace, root, "train")
    slices, slices_of = _slices(workspace, chosen, t) if chosen else (pd.DataFrame(), "")
    errors = _errors(workspace, chosen) if chosen else None
    if chosen and (errors is None or "cause" not in errors):
        file = chosen_file.with_name(f"{chosen.name}.joblib")
        missing["causes"] = f"python cli.py evaluate --model {file} --artifacts {workspace.artifacts} --errors"
    if chosen and not any("importance" in model.card for model in models):
        missing["importance"] = _command(workspace, root, "train --model lgbm")
    history = workspace.artifacts / "cnn.history.csv"
    experiments = list(_experiments(workspace.artifacts / "experiments"))
    if not any(experiment.cleaning for experiment in experiments):
        missing["ablation"] = _command(workspace, root, "experiment experiments/ablation.toml")
    methods = _methods(workspace, manifest, decisions, cleaning, album)
    if methods and all(method["method"] != AUTOENCODER for method in methods):
        other = replace(workspace, artifacts=workspace.artifacts / "autoencoder")  # its decisions shall not take the place of the present ones
        missing["autoencoder"] = _command(other, root, f"clean --only photos --photo-method {AUTOENCODER}")
    runs = read_runs(workspace.artifacts / "runs.jsonl") if (workspace.artifacts / "runs.jsonl").exists() else {}
    photo_facts = _photo_facts(workspace, manifest, decisions, album)
    return Contents(root, datetime.now(UTC), album, manifest, decisions, cleaning, photo_facts, methods, models, chosen, slices, slices_of,
                    pd.read_csv(history) if history.exists() else None, errors, experiments, runs, versions(), workspace.settings.fingerprint(),
                    notes, missing, _where(workspace, root))


def _command(workspace: Workspace, root: Path, what: str) -> str:
    """A command on this folder and these artifacts, which are named where they are not the usual ones."""
    return f"python cli.py {what}{''.join(_where(workspace, root))}"


def _where(workspace: Workspace, root: Path) -> Where:
    inside = root.relative_to(Path.cwd()) if root.is_relative_to(Path.cwd()) else root
    return Where("" if root == default_data().resolve() else f" --data {shlex.quote(str(inside))}",
                 "" if workspace.artifacts == DEFAULT_ARTIFACTS else f" --artifacts {shlex.quote(str(workspace.artifacts))}")


def _as_extracted(workspace: Workspace, model_file: Path) -> Workspace:
    """With the crop that the model was trained on, whose tiles are in a cache of their own."""
    if not model_file.with_suffix(".json").exists() or not model_file.exists():
        return workspace
    card = read_card(model_file)
    known = {name: card[name] for name in ("trim", "crop") if name in card}
    return replace(workspace, settings=replace(ExtractionSettings(max_pixels=workspace.settings.max_pixels), **known))


def _gone(manifest: pd.DataFrame, root: Path) -> list[Note]:
    """Whether the folder, or pictures in it, are not where they were."""
    if not root.is_dir():
        return [Note("moved", {"root": str(root)})]
    gone = sum(not (root / str(path)).exists() for path in manifest.index)
    return [Note("gone", {"n": gone, "root": str(root)})] if gone else []


def _decisions(workspace: Workspace, manifest: pd.DataFrame, notes: list[Note]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The last decisions for the manifest's rows, and their settings with what the checks told."""
    decisions = read_decisions(workspace)
    settings, digest = cleaning_card(workspace)
    if digest != cleaning_digest(workspace, manifest, settings):
        notes.append(Note("old_decisions", {}))
    lost = len(manifest.index.difference(decisions.index))
    if lost:
        notes.append(Note("undecided", {"n": lost}))
    found = workspace.artifacts / "cleaning.parquet"
    told = pd.read_parquet(found).attrs.get("told", {}) if found.exists() else {}
    return decisions[decisions.index.isin(manifest.index)], {"settings": asdict(settings), "told": told}


def _photo_facts(workspace: Workspace, manifest: pd.DataFrame, decisions: pd.DataFrame | None, album: Album) -> pd.DataFrame:
    """By path, of everything that was called a photograph, the features that betray it."""
    photos = pd.Series(dtype=str) if decisions is None else manifest["sha256"].reindex(decisions.index[decisions["reason"] == "photo"])
    photos = photos[photos.isin(list(album.row_of))]
    names = feature_names()
    rows = [album.row_of[sha] for sha in photos]
    values = workspace.store.features[rows][:, [names.index(name) for name in EVIDENCE_COLUMNS]] if rows else np.empty((0, len(EVIDENCE_COLUMNS)))
    return pd.DataFrame(values, index=photos.index, columns=list(EVIDENCE_COLUMNS)).astype(float)


def _methods(workspace: Workspace, manifest: pd.DataFrame, decisions: pd.DataFrame | None, cleaning: dict[str, Any],
             album: Album) -> list[dict[str, Any]]:
    """The way by which photographs were found, and cheap others on a sample: how many photographs each finds, and how well it parts the pictures."""
    told = cleaning.get("told", {}).get("photos")
    if told is None or decisions is None:
        return []
    scores = decisions["photo_score"].dropna()
    found = [{"method": told["method"], "photos": int((scores < told["cut"]).sum()), "n": len(scores), "silhouette": told["silhouette"],
              "davies_bouldin": told["davies_bouldin"], "sampled": False}]
    readable = manifest.loc[scores.index, "sha256"]
    readable = readable[readable.isin(list(album.row_of))].drop_duplicates().sort_values()
    chosen = readable.iloc[np.unique(np.linspace(0, len(readable) - 1, min(METHOD_SAMPLE, len(readable))).astype(int))] if len(readable) else readable
    rows = np.array([album.row_of[sha] for sha in chosen], int)
    if len(rows) < 10:
        return found
    for method in CHEAP_METHODS:
        if method != told["method"]:
            photos = photo_scores(workspace.store.features[rows], album.tiles, rows, method, workspace.seed)
            found.append({"method": method, "photos": int((photos.score < told["cut"]).sum()), "n": len(rows), "silhouette": photos.silhouette,
                          "davies_bouldin": photos.davies_bouldin, "sampled": True})
    return found


def _models(workspace: Workspace, manifest: pd.DataFrame, decisions: pd.DataFrame | None, chosen: Path, notes: list[Note]) -> list[ModelFacts]:
    """Every saved model with honest predictions."""
    present = ""
    if decisions is not None and "fold" in manifest:
        kept = manifest[manifest["fold"].notna()]
        present = data_digest(kept.assign(label=decisions["label"].reindex(kept.index).fillna(kept["label"])))
    found = []
    for file in dict.fromkeys([*(workspace.artifacts / f"{name}.joblib" for name in MODELS), chosen]):
        if not file.exists():
            continue
        try:
            card, parts = read_card(file), list(_parts(workspace, file, read_card(file), manifest))
        except ScratchworkError as error:
            notes.append(Note("unusable", {"model": file.stem, "why": str(error)}))
            continue
        if not parts:
            notes.append(Note("unjudged", {"model": file.stem}))
            continue
        found.append(ModelFacts(file.stem, card, {part.name: part for part in parts}))
        notes += [Note("flattered", {"model": file.stem, "data": part.data, "n": part.learned, "of": len(part.table)})
                  for part in parts if part.learned]
        notes += [Note("strange", {"model": file.stem, "data": part.data, "n": part.strange}) for part in parts if part.strange]
        if card.get("refit"):
            notes.append(Note("refitted", {"model": file.stem}))
        if present and card.get("data_digest") != present:
            notes.append(Note("other_data", {"model": file.stem}))
    return found


def _parts(workspace: Workspace, file: Path, card: dict[str, Any], manifest: pd.DataFrame) -> Iterator[Part]:
    """What a model said of its held-out part, out of fold, and of a test folder, as far as that is stored."""
    stored = predictions_file(file)
    if stored.exists():
        table = pd.read_parquet(stored)
        table = with_group(table[table["predicted"] != ""], manifest)
        for name, which in ((PARTS[0], table["fold"] == TEST), (PARTS[1], table["fold"] != TEST)):
            if which.any():
                yield _part("validation" if name == PARTS[1] and judged_folds(card) == 1 else name, table[which], card["classes"], workspace.seed)
    tested = _tested(workspace, file)
    if tested is not None:
        table, folder, together = tested
        known = table[table["label"].isin(card["classes"])]
        if len(known):
            yield replace(_part(PARTS[2], known, card["classes"], workspace.seed), data=folder, learned=learned_from(file, card, known["sha256"]),
                          together=together, strange=len(table) - len(known))


def _tested(workspace: Workspace, file: Path) -> tuple[pd.DataFrame, str, bool] | None:
    """Predictions of the folder that ``evaluate --data`` was last run on, its name and whether labels were decided together, if it was this model
    that was evaluated."""
    facts, table = workspace.artifacts / "evaluation.json", workspace.artifacts / "evaluation.csv"
    if not facts.exists() or not table.exists():
        return None
    told, card = json.loads(facts.read_text(encoding="utf-8")), read_card(file)
    if told["data"] == "held-out part" or told.get("model_sha256", "") != card["sha256"]:
        return None
    columns = ["path", "sha256", "label", "predicted", "correct", *(PROBABILITY + label for label in card["classes"])]  # a class may be "label"
    read = pd.read_csv(table, header=0, names=columns, dtype=dict.fromkeys(columns[:4], str), keep_default_na=False).set_index("path")
    proba = read.columns[read.columns.str.startswith(PROBABILITY)]
    read[proba] = read[proba].div(read[proba].sum(axis=1), axis=0)  # written with few digits: they add up to almost 1
    return read.assign(group=read["sha256"]), Path(told["data"]).resolve().name, bool(told.get("decided_together"))


def _part(name: str, table: pd.DataFrame, classes: list[str], seed: int) -> Part:
    proba = table[[PROBABILITY + label for label in classes]].to_numpy(float)
    truth, predicted = table["label"].to_numpy(object), table["predicted"].to_numpy(object)
    intervals = intervals_of(judged_of(table, classes), classes, seed)
    return Part(name, table, metrics(truth, predicted, proba, classes), intervals)


def _slices(workspace: Workspace, model: ModelFacts, t: Texts) -> tuple[pd.DataFrame, str]:
    """Those that ``evaluate`` wrote of this model, since they may have the user's own columns; else of the part by which the model is judged."""
    file, facts = workspace.artifacts / "slices.csv", workspace.artifacts / "evaluation.json"
    if file.exists() and facts.exists():
        told = json.loads(facts.read_text(encoding="utf-8"))
        if told.get("model_sha256") == model.card["sha256"]:
            folder = "" if told["data"] == "held-out part" else Path(told["data"]).resolve().name
            table = pd.read_csv(file, dtype={"attribute": str, "value": str}, keep_default_na=False, na_values=[""])
            return table, judged_there(model, folder, bool(told.get("decided_together")), t)
    part = judged_part(model)
    attributes = attributes_of(workspace, part.table["sha256"], facts_of(read_manifest(workspace), part.table)).reset_index(drop=True)
    return slice_table(attributes, judged_of(part.table, model.classes), len(model.classes), workspace.seed), part_name(part, t)


def _errors(workspace: Workspace, model: ModelFacts) -> pd.DataFrame | None:
    """Explained by ``evaluate --errors`` of this very model; else, without causes, those of the part by which it is judged."""
    file = workspace.artifacts / "errors.parquet"
    if file.exists():
        told = pd.read_parquet(file)
        if told.attrs.get("model_sha256") == model.card["sha256"]:
            return told
    table = judged_part(model).table
    wrong = table[table["label"] != table["predicted"]]
    proba = wrong[[PROBABILITY + label for label in model.classes]].to_numpy(float)
    true, said = (label_codes(wrong[column], model.classes) for column in ("label", "predicted"))
    rows = np.arange(len(wrong))
    return pd.DataFrame({"true": wrong["label"], "predicted": wrong["predicted"], "p_true": proba[rows, true], "p_predicted": proba[rows, said],
                         "sha256": wrong["sha256"]})


def _experiments(folder: Path) -> Iterator[Experiment]:
    """Every plan that has a table, by name."""
    for file in sorted(folder.glob("*/table.csv")):
        table = pd.read_csv(file, keep_default_na=False, na_values=[""], dtype={"setting": str}).set_index("setting")
        metric = next((name for name in METRICS if name in table), "")
        if not metric or table.empty:
            continue
        first = file.with_suffix(".md").read_text(encoding="utf-8").splitlines()[:1] if file.with_suffix(".md").exists() else []
        judged_on = next((part for part in ("out_of_fold", "held_out", "test") if f"{part}_{metric}" in table and np.allclose(
            table[metric], table[f"{part}_{metric}"], equal_nan=True)), "")
        options = [json.loads(result.read_text(encoding="utf-8")).get("options", {}) for result in file.parent.glob("runs/*/result.json")]
        cleaning = len({json.dumps({k: v for k, v in own.items() if k.startswith("clean.")}, sort_keys=True) for own in options}) > 1
        for name in ("low", "high", "difference", "difference_low", "difference_high", "common", "runs"):
            table[name] = table.get(name, math.nan)
        yield Experiment(file.parent.name, "".join(first).removeprefix("# ") or file.parent.name, metric, judged_on, table, cleaning)


