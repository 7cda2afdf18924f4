"""The stages as plain functions: what each needs, what it makes, when that is stale. The one place that joins the packages.

Each stage takes a `Workspace` and returns a small result for `cli.py` to print. A stage makes what it needs if that is missing or
stale, and says so through ``workspace.notice``.
"""

import hashlib
import itertools
import json
import os
import shutil
import time
import unicodedata
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cleaning import duplicates
from cleaning.decisions import CHECKS, MACHINE, CleaningSettings, decide, duplicate_table
from cleaning.duplicates import CLOSE_TILE_PX, Proven, proven_pairs
from cleaning.folds import FEWEST_FOLDS, LEARNED, merged_groups
from cleaning.labels import label_table
from cleaning.overrides import VOTES, Override, append_override, read_overrides, resolve
from cleaning.photos import evidence, photo_scores
from features.errors import ScratchworkError, UnreadablePicture
from features.extract import CHUNK_FILES, ExtractionSettings, Request, extract, read_tile
from features.families import feature_names
from features.files import disk_trouble
from features.images import read_pixels, too_large
from features.processes import in_processes
from features.quality import Quality, qualities_of
from features.scan import Scan, label_codes, label_of, natural_order, scan_folder
from models.artifacts import judged_folds, load_model, read_card, save_model, settings_card, versions, write_json
from models.evaluation import metrics
from models.pictures import Examples, Pictures, Unlabelled
from models.recipes import CnnParameters
from models.runs import append_run
from models.trained import Trained
from reports import eda
from reports.curves import write_contact_sheet, write_curves
from reports.eda import suspiciously_dark, write_figures
from reports.evaluation import write_table
from reports.figures import font_notice
from splitting import draw_split, remembered_fold
from workspace import (
    PROBABILITY,
    Workspace,
    alone,
    cleaning_card,
    cleaning_digest,
    columns_by_path,
    copies_of,
    data_digest,
    joined_file,
    pictures_of,
    predictions_file,
    read_decisions,
    read_manifest,
    scanned_folder,
    write_manifest,
    write_parquet,
)

if TYPE_CHECKING:  # lightgbm and torch are imported by the stage that needs one of them, since both in one process can crash on macOS
    from models.lgbm import LgbmParameters
    from models.stack import StackParameters
    from models.stacking import Base

BASES = ("lgbm", "cnn")  # of a stack
FIRST_STACK = "first_stack"  # folder of the checkpoints of networks that judge pictures without labels
FACT_COLUMNS = ["format", "mode", "width", "height", "mean_pixel"]
DEFAULT_FOLDS = 5
SHOWN = 5  # names of files in a notice
FINDINGS_VERSION = 5  # raise it when a check finds other things in the same pictures: what was found before is then looked for anew


@dataclass(frozen=True)
class Features:
    """``manifest``: one row per file; ``decoded``: files that were decoded now; ``unchanged``: taken from the cache."""

    manifest: pd.DataFrame
    passed_over: dict[str, int]
    decoded: int
    unchanged: int
    seconds: float


@alone
def update_features(workspace: Workspace) -> Features:
    """Scan the data folder, extract what is new, write the manifest."""
    started = time.perf_counter()
    scan = scan_folder(workspace.data)
    before = _last_manifest(workspace, scan)
    manifest, decoded = extract_new(workspace, scan, _earlier_digests(before, scan))
    _announce_changes(workspace, before, manifest)
    manifest = _with_split(workspace, manifest)
    write_manifest(workspace, manifest)
    return Features(manifest, scan.passed_over, decoded, len(manifest) - decoded, time.perf_counter() - started)


def dataset_figures(workspace: Workspace, manifest: pd.DataFrame) -> list[Path]:
    """Draw the distributions of the manifest; says which font to install if Korean labels cannot be shown."""
    labels = natural_order(manifest["label"].tolist())
    if font_notice(labels):
        workspace.notice(font_notice(labels))
    return write_figures(manifest, labels, workspace.artifacts / "figures")


def summary(manifest: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, tuple[float, float]]]:
    """The table of labels in natural order, and the suspiciously dark ones."""
    table = eda.label_table(manifest)
    return table.loc[natural_order(list(table.index))], suspiciously_dark(manifest)


@dataclass(frozen=True)
class Cleaned:
    """``decisions``: one row per file; ``manifest``: with ``group`` and perhaps ``fold``; ``told``: figures of the checks, by name."""

    decisions: pd.DataFrame
    manifest: pd.DataFrame
    told: dict[str, Any]
    seconds: float

    @property
    def labels(self) -> list[str]:
        """In their natural order."""
        return natural_order(self.decisions["label"].tolist())


@alone
def clean(workspace: Workspace, settings: CleaningSettings) -> Cleaned:
    """Decide what is left out and why; write the decisions. Nothing in the data folder is touched."""
    started = time.perf_counter()
    manifest = _features_for(workspace).manifest
    found, told = _found(workspace, manifest, settings)
    overrides = _overrides(workspace, manifest)
    decisions = decide(manifest, found, None, overrides, settings)
    own = _own_groups(found.index, settings)
    manifest = _grouped(manifest, found, own)
    if own is not None and settings.groups and (loose := int((own == "").sum())):
        workspace.notice(f"--groups: {loose:,} of {len(found):,} pictures have no group in {settings.groups}; each is grouped with its copies only")
    if "labels" in settings.checks:
        _write_decisions(workspace, manifest, decisions, settings)
        oof, manifest = _out_of_fold(workspace, manifest, decisions)
        classes = natural_order(oof["label"].tolist())
        labels, small = label_table(oof.index, oof["label"].to_numpy(object), oof[[PROBABILITY + c for c in classes]].to_numpy(), classes)
        for label in small:
            workspace.notice(f"label {label!r} has too few pictures for its labels to be judged")
        decisions = decide(manifest, found, labels, overrides, settings)
        wrong = labels[labels["wrong"]]
        sure = wrong[wrong["precision"] >= settings.label_precision]
        told["wrong_labels"] = {"suspected": len(wrong), "precision": float(wrong["precision"].min()) if len(wrong) else None,
                                "sure": len(sure), "sure_precision": float(sure["precision"].min()) if len(sure) else None, "not_judged": small}
    _write_decisions(workspace, manifest, decisions, settings)
    return Cleaned(decisions, manifest, told, time.perf_counter() - started)


def cleaned(workspace: Workspace, manifest: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The manifest with ``group``, and decisions that are true of it: those written last, or, where the data or the overrides changed
    since, decided anew with the same settings (without the check of labels, which needs a trained model)."""
    settings, digest = cleaning_card(workspace)
    found, _ = _found(workspace, manifest, settings)
    file = workspace.artifacts / "decisions.csv"
    if file.exists() and digest == cleaning_digest(workspace, manifest, settings):
        decisions = read_decisions(workspace)
    else:
        decisions = decide(manifest, found, None, _overrides(workspace, manifest), settings)
        left = decisions[~decisions["keep"]]["reason"].value_counts()
        told = ", ".join(f"{n:,} {reason}" for reason, n in left.items()) or "nothing"
        workspace.notice(f"cleaning: left out {told}; {file} says why (python cli.py clean --help)")
        if digest and settings.drop_wrong_labels:
            workspace.notice("cleaning: the data or the overrides changed, so that no wrong labels are left out now; python cli.py clean "
                             "--drop-wrong-labels looks for them again")
        _write_decisions(workspace, manifest, decisions, settings)
    return _grouped(manifest, found, _own_groups(found.index, settings)), decisions


def explanation(workspace: Workspace, path: str) -> str:
    """Three lines about one picture. Raises `ScratchworkError` for a path without a decision."""
    decisions = read_decisions(workspace)
    if path not in decisions.index:
        raise ScratchworkError(f"{path} has no row in {workspace.artifacts / 'decisions.csv'}; paths look like {decisions.index[0]}")
    row = decisions.loc[path]
    scores = [f"{name.replace('_', ' ')} {row[name]:.2f}" for name in ("photo_score", "label_score") if not np.isnan(row[name])]
    others = decisions.index[(decisions["duplicate_group"] == row["duplicate_group"]) & (row["duplicate_group"] != "")].drop(path, errors="ignore")
    return (f"{path}: {'kept' if row['keep'] else 'left out'}{f' ({row.reason})' if row['reason'] else ''}, decided by {row['decided_by']}\n"
            f"  {row['evidence'] or 'nothing speaks against it'}\n"
            f"  {'; '.join([*scores, f'same picture as {len(others)} other file(s)' if len(others) else 'no duplicates'])}")


def record_decision(workspace: Workspace, path: str, keep: bool | None, label: str, note: str, reviewer: str) -> Override:
    """Append one decision of a person to the journal. ``path`` as in the manifest, or as a file below the data folder."""
    manifest = read_manifest(workspace)
    inside = Path(path)
    if path not in manifest.index and inside.exists() and inside.resolve().is_relative_to(workspace.data.resolve()):
        path = inside.resolve().relative_to(workspace.data.resolve()).as_posix()
    if path not in manifest.index:
        raise ScratchworkError(f"{path} is not in {workspace.artifacts / 'manifest.parquet'}; give a path as the manifest has it, for example "
                               f"{manifest.index[0]}")
    labels = natural_order(manifest["label"].tolist())
    if label and label not in labels:
        raise ScratchworkError(f"no folder has the label {label!r}; known labels: {', '.join(labels)}")
    if reviewer == VOTES:
        raise ScratchworkError(f"the name {VOTES} is kept for what python cli.py votes --settle writes; give another --reviewer")
    override = Override(path, str(manifest.loc[path, "sha256"]), keep, label, note, reviewer)
    append_override(workspace.artifacts / "overrides.csv", override)
    return override


def write_cleaned_folder(workspace: Workspace, result: Cleaned, target: Path) -> int:
    """The kept pictures under ``target``, linked where the disk allows it, else copied, in a folder per label; the number of them."""
    if target.exists() and any(target.iterdir()):
        raise ScratchworkError(f"{target} is not empty; give --apply a new folder")
    if target.resolve().is_relative_to(workspace.data.resolve()):
        raise ScratchworkError(f"{target} lies in the data folder, whose pictures would then be found twice; give --apply another folder")
    kept = result.decisions[result.decisions["keep"] & (result.decisions["label"] != "")]
    report = workspace.progress("writing pictures")
    with disk_trouble(target):
        for number, (path, label) in enumerate(kept["label"].items(), 1):
            inside = Path(str(path))
            name = inside.name if label_of(str(path)) == label and len(inside.parts) == 2 else "_".join(inside.parts)
            (target / label).mkdir(parents=True, exist_ok=True)
            _placed((workspace.data / str(path)).resolve(), target / label / name)
            if report:
                report(number, len(kept))
    write_table(kept, target / "decisions.csv")
    return len(kept)


@dataclass(frozen=True)
class TrainOutcome:
    """``out_of_fold`` and ``held_out``: metrics of pictures that the model had not seen; ``model_file``: where it lies."""

    model_file: Path
    out_of_fold: dict[str, Any]
    held_out: dict[str, Any] | None
    card: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class LearningData:
    """``kept``: the manifest's rows that are learned from or held out, with ``label``, ``group``, ``fold``, ``trusted`` (a person decided);
    ``pictures`` in their order; ``unlabelled`` ones that join training."""

    kept: pd.DataFrame
    classes: list[str]
    pictures: Pictures
    unlabelled: Unlabelled | None = None

    @property
    def fold(self) -> np.ndarray:
        """(n,) int, `TEST` in the held-out part."""
        return self.kept["fold"].to_numpy(int)

    @property
    def codes(self) -> np.ndarray:
        """(n,) int: positions in ``classes``."""
        return label_codes(self.kept["label"], self.classes)

    @property
    def examples(self) -> Examples:
        """For a training."""
        return Examples(self.pictures, self.codes, self.kept["group"].to_numpy(), self.fold, self.kept["trusted"].to_numpy(bool),
                        self.unlabelled)


def learning_data(workspace: Workspace, folds: int = DEFAULT_FOLDS, redraw: bool = False) -> LearningData:
    """What cleaning keeps, with its held-out part and folds."""
    manifest, decisions = cleaned(workspace, _features_for(workspace).manifest)
    manifest = draw_split(workspace, manifest, decisions, folds, redraw)
    kept = manifest[manifest["fold"].notna()].assign(label=decisions["label"], trusted=decisions["decided_by"] != MACHINE)
    return LearningData(kept, natural_order(kept["label"].tolist()), pictures_of(workspace, kept["sha256"]))


@alone
def train(workspace: Workspace, folds: int | None = None, parameters: "LgbmParameters | CnnParameters | None" = None, refit: bool = False,
          redraw: bool = False, resume: bool = False) -> TrainOutcome:
    """Train on the kept, labelled pictures; save the model, its sidecar and the honest probabilities.

    ``folds``: None for the usual number, of which a network is then watched on the first only. ``resume``: networks only.
    """
    started = time.perf_counter()
    data = learning_data(workspace, DEFAULT_FOLDS if folds is None else folds, redraw)
    return _trained(workspace, data, parameters, folds is not None, refit, resume, started)


@dataclass(frozen=True)
class StackPlan:
    """What a stack is made of; ``keep_bases``: stack what was trained before, whatever its parameters were; ``pseudo_label``: a folder of pictures
    without labels that join training, at most ``pseudo_cap`` per labelled picture, those of which a first stack is at least ``pseudo_floor`` sure."""

    lgbm: "LgbmParameters"
    cnn: CnnParameters
    stack: "StackParameters"
    keep_bases: bool = False
    pseudo_label: Path | None = None
    pseudo_floor: float = 0.9
    pseudo_cap: float = 0.5


@alone
def train_stack(workspace: Workspace, plan: StackPlan, folds: int | None = None, refit: bool = False, redraw: bool = False,
                resume: bool = False) -> TrainOutcome:
    """Bring the base models up to date on the same folds, blend what they say of pictures that they had not seen, save all in one file."""
    from models.stacking import train_stack as stacked

    started = time.perf_counter()
    data = learning_data(workspace, DEFAULT_FOLDS if folds is None else folds, redraw)
    if plan.pseudo_label:
        data = _with_pseudo_labels(workspace, plan, data, resume)
    for name, parameters in (("lgbm", plan.lgbm), ("cnn", plan.cnn)):
        stale = _why_stale(workspace, data, name, None if plan.keep_bases else {**asdict(parameters), "refit": refit})
        if stale and plan.keep_bases:
            raise ScratchworkError(f"--keep-bases: {stale}; leave it out and both are trained on the present data")
        if plan.keep_bases and refit and not read_card(workspace.artifacts / f"{name}.joblib")["refit"]:
            raise ScratchworkError(f"--keep-bases --refit: {workspace.artifacts / name}.joblib was not refitted, and --keep-bases trains nothing; "
                                   "leave one of them out")
        if stale:
            workspace.notice(f"stack: training {name}, since {stale}")
            _trained(workspace, data, parameters, True, refit, resume, time.perf_counter())
        else:
            workspace.notice(f"stack: {name} is up to date")
    bases = [_base(workspace, data, name) for name in BASES]
    trained = stacked(bases, data.examples, data.classes, plan.stack, workspace.settings)
    cards = {name: read_card(workspace.artifacts / f"{name}.joblib") for name in BASES}
    if plan.pseudo_label:
        trained.told["pseudo_label"] = {"folder": str(plan.pseudo_label), "floor": plan.pseudo_floor, "cap": plan.pseudo_cap}
    trained.told["base_parameters"] = {name: card["parameters"] for name, card in cards.items()}
    return _saved(workspace, data, "stack", plan.stack, trained, any(card["refit"] for card in cards.values()), started)


def _why_stale(workspace: Workspace, data: LearningData, name: str, wanted: dict[str, Any] | None) -> str:
    """Why a base model cannot be stacked as it is; empty where it can. ``wanted``: its parameters and ``refit``, None for any."""
    if data.unlabelled:
        return "pictures without labels join it"
    file = workspace.artifacts / f"{name}.joblib"
    if not file.exists() or not predictions_file(file).exists():
        return f"there is no {file}"
    card, digest = read_card(file), data_digest(data.kept)
    if card.get("data_digest") != digest:
        return (f"{file} was trained on other pictures, labels or folds (data digest {str(card.get('data_digest'))[:12]}, here {digest[:12]})")
    if card.get("extraction") != workspace.settings.fingerprint():
        return f"{file} was trained on features of another version (extraction {card.get('extraction')}, here {workspace.settings.fingerprint()})"
    if card.get("pseudo_labels"):
        return f"{file} was trained with pseudo-labels"
    if judged_folds(card) != card["folds"]:
        return f"{file} was watched on one fold, so that most pictures have no out-of-fold probabilities; --folds {card['folds']} gives them"
    if wanted is not None and {**card["parameters"], "refit": card["refit"]} != json.loads(json.dumps(wanted)):
        return f"{file} was trained with other options"
    return ""


def _with_pseudo_labels(workspace: Workspace, plan: StackPlan, data: LearningData, resume: bool) -> LearningData:
    """A first stack judges the pictures without labels, fold by fold; the same data with what it said. Its networks' checkpoints stay until the
    last ones are saved."""
    from models.stacking import Base, taught_by_stack

    assert plan.pseudo_label
    workspace.notice("pseudo-labels: some contests forbid learning from test pictures in any way; read the rules first")
    own = replace(workspace, data=plan.pseudo_label)
    found, _ = extract_new(own, scan_folder(own.data), pd.Series(dtype=str))
    fresh = found[(found["issue"] == "") & ~found["sha256"].isin(read_manifest(workspace)["sha256"])].drop_duplicates("sha256")
    if fresh.empty:
        raise ScratchworkError(f"--pseudo-label {plan.pseudo_label}: none of its {len(found):,} files is a readable picture that is not in "
                               f"{workspace.data} already")
    data = replace(data, pictures=pictures_of(workspace, data.kept["sha256"]))  # the cache has grown
    asked = replace(data, unlabelled=Unlabelled(pictures_of(own, fresh["sha256"]), None, plan.pseudo_floor, plan.pseudo_cap))
    boosted = _train_lgbm(workspace, asked, plan.lgbm, False)[1]
    network = _train_cnn(workspace, asked, plan.cnn, True, False, resume, FIRST_STACK)
    bases = [Base(name, trained.model, trained.proba) for name, trained in (("lgbm", boosted), ("cnn", network))]
    assert asked.unlabelled is not None
    said = [trained.unlabelled for trained in (boosted, network) if trained.unlabelled is not None]
    told = asked.unlabelled._replace(proba=taught_by_stack(bases, said, asked.unlabelled.pictures, asked.examples, plan.stack.blend))
    joined = len(told.joining(-1, len(data.kept))[1])
    workspace.notice(f"pseudo-labels: {joined:,} of {len(fresh):,} pictures without labels join training (at least {plan.pseudo_floor:.0%} sure, at "
                     f"most {plan.pseudo_cap:g} per labelled picture)")
    return replace(data, unlabelled=told)


def _base(workspace: Workspace, data: LearningData, name: str) -> "Base":
    from models.stacking import Base

    file = workspace.artifacts / f"{name}.joblib"
    said = pd.read_parquet(predictions_file(file)).drop_duplicates("sha256").set_index("sha256")  # by content: files may have been renamed since
    model, card = load_model(file)
    return Base(name, model, said.loc[data.kept["sha256"], [PROBABILITY + c for c in data.classes]].to_numpy(), card.get("calibration"))


def _trained(workspace: Workspace, data: LearningData, parameters: "LgbmParameters | CnnParameters | None", every_fold: bool, refit: bool,
             resume: bool, started: float) -> TrainOutcome:
    """One base model, saved."""
    if isinstance(parameters, CnnParameters):
        outcome = _saved(workspace, data, "cnn", parameters, _train_cnn(workspace, data, parameters, every_fold, refit, resume), refit, started)
        _forget_checkpoints(workspace.artifacts)
        return outcome
    parameters, trained = _train_lgbm(workspace, data, parameters, refit)
    return _saved(workspace, data, "lgbm", parameters, trained, refit, started)


def _saved(workspace: Workspace, data: LearningData, name: str, parameters: Any, trained: Trained, refit: bool, started: float) -> TrainOutcome:
    """Score what was trained; write the model, its sidecar and the honest probabilities, and remember the run."""
    kept, classes, fold = data.kept, data.classes, data.fold
    truth = kept["label"].to_numpy(object)
    honest, held = trained.judged & (fold >= 0), fold < 0
    out_of_fold = metrics(truth[honest], trained.predicted[honest], trained.proba[honest], classes)
    held_out = metrics(truth[held], trained.predicted[held], trained.proba[held], classes) if held.any() else None
    file = workspace.artifacts / f"{name}.joblib"
    write_parquet(_prediction_table(kept, trained, classes), predictions_file(file))
    joined = _remember_joined(workspace, data, joined_file(file))
    card = {"model": name, "classes": classes, "parameters": asdict(parameters), **settings_card(workspace.settings),
            "folds": int(fold.max()) + 1, **joined, **trained.told, "refit": refit,
            "data_digest": data_digest(kept), "metrics": {"out_of_fold": out_of_fold, "held_out": held_out}}
    save_model(trained.model, file, card)
    seconds = time.perf_counter() - started
    append_run(workspace.artifacts / "runs.jsonl", _run_of(workspace, card, seconds))
    return TrainOutcome(file, out_of_fold, held_out, card, seconds)


def _remember_joined(workspace: Workspace, data: LearningData, file: Path) -> dict[str, int]:
    """How many unlabelled pictures joined, for the sidecar; which, into ``file``, so that nobody is judged on them unawares."""
    if data.unlabelled is None:
        file.unlink(missing_ok=True)
        return {}
    parts = [-1, *range(data.fold.max() + 1)]  # of each fold's network others joined
    joined = [data.unlabelled.joining(part, len(data.kept)) for part in parts]
    index, rows = workspace.store.index, np.concatenate([pictures.rows for pictures, _ in joined])
    write_parquet(pd.DataFrame({"sha256": index.index[index["row"].isin(rows)]}), file)
    return {"pseudo_labels": len(joined[0][1])}


def remember_run(workspace: Workspace, own: Workspace, outcome: TrainOutcome, told: dict[str, str]) -> None:
    """In the journal of ``workspace``, what was trained in another, ``own``; with what is ``told`` of it."""
    append_run(workspace.artifacts / "runs.jsonl", {**_run_of(own, outcome.card, outcome.seconds), **told})


def _run_of(workspace: Workspace, card: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What the journal of runs remembers: a sidecar, and of what folder and cleaning it comes."""
    names = ("macro_f1", "micro_f1", "log_loss", "n")
    figures = {part: {name: round(found[name], 6) for name in names} for part, found in card["metrics"].items() if found}
    known = ("model", "data_digest", "folds", "refit", "parameters", "base_parameters", "pseudo_labels", "extraction")
    told = {name: card[name] for name in known if name in card}
    return {"when": datetime.now(UTC).isoformat(timespec="seconds"), **told, "data": str(workspace.data), "crop": workspace.settings.crop,
            "cleaning": asdict(cleaning_card(workspace)[0]), "metrics": figures, "seconds": round(seconds, 1), "versions": versions()}


def _train_lgbm(workspace: Workspace, data: LearningData, parameters: "LgbmParameters | None", refit: bool) -> tuple["LgbmParameters", Trained]:
    from models.lgbm import LgbmParameters
    from models.training import cross_validated, read_folds, train_lgbm, write_folds

    parameters = parameters or LgbmParameters(seed=workspace.seed)
    file, key = workspace.artifacts / "lgbm.folds.npz", _folds_key(workspace, data, parameters)
    folds = read_folds(file, key) if data.unlabelled is None else None
    if folds:
        workspace.notice("lgbm: what was found across the folds of these very pictures, by clean or an earlier training, is taken as it is")
    found = cross_validated(data.examples, len(data.classes), parameters, workspace.jobs, workspace.progress, folds)
    if folds is None and data.unlabelled is None:
        write_folds(found, file, key)
    return parameters, train_lgbm(data.examples, data.classes, parameters, workspace.settings, refit, workspace.jobs, workspace.progress, found)


def _folds_key(workspace: Workspace, data: LearningData, parameters: "LgbmParameters") -> str:
    """sha256 over everything on which the boosted model's cross-validation depends, the order of its rows included."""
    told = {name: value for name, value in asdict(parameters).items() if name != "trust_labels"}  # which is about the final model
    lines = [f"{row.sha256} {row.label} {row.fold} {row.group}" for row in data.kept.itertuples()]
    return hashlib.sha256("\n".join([workspace.settings.fingerprint(), repr(told), repr(versions()), *lines]).encode()).hexdigest()


def _train_cnn(workspace: Workspace, data: LearningData, parameters: CnnParameters, every_fold: bool, refit: bool, resume: bool,
               place: str = "") -> Trained:
    """The history goes into a CSV and a figure; the rest is told by the sidecar. ``place``: the folder of the checkpoints, in the artifacts'."""
    from models.cnn_training import Conduct, train_cnn

    conduct = Conduct(workspace.artifacts / place, data_digest(data.kept), every_fold, refit, resume, workspace.jobs, workspace.notice)
    trained = train_cnn(data.examples, data.classes, parameters, workspace.settings, conduct)
    history = trained.told.pop("history")
    write_table(history.set_index("network"), workspace.artifacts / "cnn.history.csv")
    write_curves(history, workspace.artifacts / "figures" / "cnn.png")
    return trained


def _forget_checkpoints(folder: Path) -> None:
    from models.cnn_training import forget_checkpoints

    forget_checkpoints(folder)
    shutil.rmtree(folder / FIRST_STACK, ignore_errors=True)


@alone
def augment_preview(workspace: Workspace, parameters: CnnParameters, pictures: int, versions: int, file: Path) -> list[str]:
    """A contact sheet: a row per picture, as it is and ``versions`` times as training would see it; the paths of the pictures."""
    from models.preview import changed_pictures

    manifest = _features_for(workspace).manifest
    readable = manifest[(manifest["issue"] == "") & (manifest["label"] != "")]
    if readable.empty:
        raise ScratchworkError(f"no readable picture in {workspace.data.resolve()} has a label; give --data DIR")
    shown = readable.sample(min(pictures, len(readable)), random_state=parameters.seed)
    write_contact_sheet(changed_pictures(pictures_of(workspace, shown["sha256"]), parameters, versions), file)
    return [str(path) for path in shown.index]


def _features_for(workspace: Workspace) -> Features:
    """`update_features`, with a word when it had something to do."""
    features = update_features(workspace)
    if features.decoded:
        workspace.notice(f"features: {features.decoded:,} new files read in {features.seconds:.1f} s")
    return features


def _found(workspace: Workspace, manifest: pd.DataFrame, settings: CleaningSettings) -> tuple[pd.DataFrame, dict[str, Any]]:
    """What the checks that need no label found, for every readable row, and their figures; from the last run where nothing changed."""
    readable = manifest[manifest["issue"] == ""]
    if readable.empty:
        raise ScratchworkError(f"no picture in {workspace.data.resolve()} can be read; python cli.py features says why")
    file = workspace.artifacts / "cleaning.parquet"
    key = _findings_digest(workspace, readable, settings)
    shared = workspace.cache / f"findings.{key}.parquet" if workspace.cache else file
    for known in (file, shared):
        if known.exists() and (before := pd.read_parquet(known)).attrs.get("key") == key:
            if known != file:
                write_parquet(before, file)
            return before, dict(before.attrs["told"])
    store = workspace.store
    rows = store.rows_of(readable["sha256"])
    features = store.features[rows]
    found, told = pd.DataFrame(index=readable.index), {}
    if "duplicates" in settings.checks:
        found = near_duplicates(workspace, readable, settings)
    if "photos" in settings.checks:
        photos = photo_scores(features, store.tiles, rows, settings.photo_method, settings.seed, workspace.jobs)
        found["photo_score"], found["photo_evidence"] = photos.score, evidence(features)
        told["photos"] = {"method": settings.photo_method, "seeds": photos.seeds, "components": photos.components, "silhouette": photos.silhouette,
                          "davies_bouldin": photos.davies_bouldin, "cut": settings.photo_cut}
    found.attrs = {"key": key, "told": told}
    for written in {file, shared}:
        write_parquet(found, written)
    return found, told


def near_duplicates(workspace: Workspace, readable: pd.DataFrame, settings: CleaningSettings) -> pd.DataFrame:
    """`cleaning.decisions.duplicate_table` of the ``readable`` rows of a manifest, with ``equal_pixels`` (bool)."""
    store, names = workspace.store, feature_names()
    rows = store.rows_of(readable["sha256"])
    box = [names.index(f"background__box_{side}") for side in ("height", "width")]
    height, width = store.features[rows[:, None], box].T * readable[["height", "width"]].to_numpy(float).T
    first = np.flatnonzero(~readable["sha256"].duplicated())
    files = [str(workspace.data / str(path)) for path in readable.index[first]]
    shape = readable.iloc[first][["mode", "width", "height"]].astype(str).agg(" ".join, axis=1).to_numpy(str)
    pictures = duplicates.Pictures(store.hashes[rows[first]], store.tiles, rows[first], np.maximum(height, width)[first],
                                   partial(_larger_tile, files, workspace.settings), shape, partial(_pixel_digest, files))
    proven = proven_pairs(pictures, settings.radius, settings.max_difference, settings.turned, workspace.jobs,
                          workspace.progress("comparing pictures"))
    found = duplicate_table(_with_quality(workspace, readable.assign(content_px=np.maximum(height, width)), proven), proven)
    found["equal_pixels"] = [str(path) != star and _equal_pixels(workspace, readable, str(path), star) for path, star in found["star"].items()]
    return found


def _with_quality(workspace: Workspace, readable: pd.DataFrame, proven: Proven) -> pd.DataFrame:
    """With ``true_px`` and ``quantizer``; measured of the pictures that have a near copy, and taken as they are of the others."""
    digests = readable["sha256"].drop_duplicates()
    copied = readable.loc[digests.index[np.unique(proven.pairs)]]
    report = workspace.progress("measuring copies")
    files = [str(workspace.data / str(path)) for path in copied.index]
    chunks = [(files[i:i + CHUNK_FILES],) for i in range(0, len(files), CHUNK_FILES)]
    found: list[Quality] = []
    for chunk in in_processes(qualities_of, chunks, workspace.jobs):
        found += chunk
        if report:
            report(len(found), len(copied))
    measured = dict(zip(copied["sha256"], found, strict=True))
    qualities = [measured.get(sha256, Quality(1.0, 0.0)) for sha256 in readable["sha256"]]
    return readable.assign(true_px=readable["content_px"] / [q.edge_px for q in qualities], quantizer=[q.quantizer for q in qualities])


def _larger_tile(files: list[str], settings: ExtractionSettings, position: int) -> np.ndarray:
    """For crowds of lookalikes; flat where the file has gone since the scan, so that it is nobody's duplicate."""
    try:
        return read_tile(files[position], settings, CLOSE_TILE_PX)
    except (OSError, UnreadablePicture):
        return np.full((CLOSE_TILE_PX, CLOSE_TILE_PX, 3), 255, np.uint8)


def _pixel_digest(files: list[str], position: int) -> str:
    """Of all pixels as they are stored; of a file that has gone since the scan, its name."""
    try:
        return hashlib.sha256(read_pixels(Path(files[position]).read_bytes()).tobytes()).hexdigest()
    except (OSError, UnreadablePicture):
        return files[position]


def _equal_pixels(workspace: Workspace, readable: pd.DataFrame, one: str, two: str) -> bool:
    """Whether two files hold the same pixels, shape and mode, whatever their format."""
    facts = readable.loc[[one, two], ["sha256", "mode", "width", "height"]].to_numpy(object).tolist()
    if facts[0][0] == facts[1][0]:
        return True
    if facts[0][1:] != facts[1][1:]:
        return False
    files = [str(workspace.data / path) for path in (one, two)]
    return _pixel_digest(files, 0) == _pixel_digest(files, 1)


def _grouped(manifest: pd.DataFrame, found: pd.DataFrame, own: pd.Series | None) -> pd.DataFrame:
    """The manifest with ``group``: what never straddles folds, duplicates and the user's ``own`` groups, if any; empty for unreadable files."""
    group = found["group"] if "group" in found else manifest.loc[found.index, "sha256"]
    if own is not None:
        group = merged_groups(group, own)
    grouped = manifest.assign(group=group.reindex(manifest.index).fillna(""))
    grouped.attrs = manifest.attrs
    return grouped


def _own_groups(paths: pd.Index, settings: CleaningSettings) -> pd.Series | None:
    """The user's group of each path, empty where it has none; None where the user has no groups."""
    if not (settings.groups or settings.group_level):
        return None
    if settings.groups and settings.group_level:
        raise ScratchworkError("--groups and --group-level both say what the groups are; give one of them")
    if settings.group_level:
        folders = [unicodedata.normalize("NFC", str(path)).split("/")[:-1] for path in paths]
        if len(paths) and max(map(len, folders)) < settings.group_level:
            raise ScratchworkError(f"--group-level {settings.group_level}: no picture lies so deep; paths look like {paths[0]}")
        return pd.Series([parts[settings.group_level - 1] if len(parts) >= settings.group_level else "" for parts in folders], index=paths)
    return columns_by_path(paths, Path(settings.groups), "--groups", "group")["group"]


def _overrides(workspace: Workspace, manifest: pd.DataFrame) -> pd.DataFrame:
    file = workspace.artifacts / "overrides.csv"
    table, lost = resolve(read_overrides(file), manifest, natural_order(manifest["label"].tolist()))
    if lost:
        workspace.notice(f"{file}: {len(lost):,} row{'s name' if len(lost) > 1 else ' names'} no picture of this folder, e.g. "
                         f"{lost[0].path or lost[0].sha256}; they are kept and not used")
    return table


def _out_of_fold(workspace: Workspace, manifest: pd.DataFrame, decisions: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Probabilities of this very data by models that had not seen it, trained now where there are none; and the manifest with its folds."""
    file = predictions_file(workspace.artifacts / "lgbm.joblib")
    remembered = remembered_fold(workspace, manifest)
    folds = DEFAULT_FOLDS if remembered.empty else max(int(remembered.max()) + 1, FEWEST_FOLDS)
    manifest = draw_split(workspace, manifest, decisions, folds)
    kept = manifest[manifest["fold"].notna()].assign(label=decisions["label"])
    copy = workspace.artifacts / "cleaning.oof.parquet"  # since a model of what cleaning leaves takes the place of the first
    for stored in (file, copy):
        if stored.exists() and data_digest(oof := pd.read_parquet(stored)) == data_digest(kept):
            oof = _under_present_names(oof, kept)
            write_parquet(oof, copy)
            return oof, manifest
    workspace.notice("wrong labels: no out-of-fold probabilities of this data yet; training lgbm for them")
    train(workspace, folds)
    oof = pd.read_parquet(file)
    write_parquet(oof, copy)
    return oof, manifest


def _under_present_names(oof: pd.DataFrame, kept: pd.DataFrame) -> pd.DataFrame:
    """Rows of the same contents, labels and folds as ``kept`` has, by its paths and in its order: files may have been renamed since."""
    content = ["sha256", "label", "fold"]
    names = kept.sort_values(content, kind="stable").index
    return oof.sort_values(content, kind="stable").set_axis(names).reindex(kept.index)


def _findings_digest(workspace: Workspace, readable: pd.DataFrame, settings: CleaningSettings) -> str:
    chosen = [f"{name}={getattr(settings, name)}" for name in ("radius", "max_difference", "turned", "photo_method", "seed")]
    checks = [check for check in CHECKS[:2] if check in settings.checks]
    lines = [f"{path} {sha} {label}" for path, sha, label in zip(readable.index, readable["sha256"], readable["label"], strict=True)]
    return hashlib.sha256("\n".join([str(FINDINGS_VERSION), workspace.settings.fingerprint(), *chosen, *checks, *lines]).encode()).hexdigest()


def groups_before(workspace: Workspace) -> tuple[str, int]:
    """``groups`` and ``group_level`` of the last cleaning of this folder: what must not straddle folds is a fact of the data, no taste."""
    settings, _ = cleaning_card(workspace)
    if not (settings.groups or settings.group_level):
        return "", 0
    if scanned_folder(workspace) != str(workspace.data.resolve()):
        return "", 0
    told = f"--groups {settings.groups}" if settings.groups else f"--group-level {settings.group_level}"
    workspace.notice(f"groups as before: {told} (--group-level 0 for none)")
    return settings.groups, settings.group_level


def _write_decisions(workspace: Workspace, manifest: pd.DataFrame, decisions: pd.DataFrame, settings: CleaningSettings) -> None:
    write_table(decisions, workspace.artifacts / "decisions.csv")
    write_json({"settings": asdict(settings), "digest": cleaning_digest(workspace, manifest, settings)}, workspace.artifacts / "cleaning.json")


def _placed(source: Path, place: Path) -> None:
    """Link the file there, or copy it; under the next free name where another one has the name. Nothing is ever written over: what is there may be
    a link to a picture of the user's."""
    for number in itertools.count(2):
        try:
            _link_or_copy(source, place)
            return
        except FileExistsError:
            place = place.with_name(f"{place.stem.removesuffix(f' ({number - 1})')} ({number}){place.suffix}")


def _link_or_copy(source: Path, place: Path) -> None:
    """Raises `FileExistsError` where the name is taken, on whatever file system."""
    try:
        os.link(source, place)
    except FileExistsError:
        raise
    except OSError:  # another disk, or none that links
        with source.open("rb") as original, place.open("xb") as copy:
            shutil.copyfileobj(original, copy)
        shutil.copystat(source, place)


def extract_new(workspace: Workspace, scan: Scan, digests: pd.Series) -> tuple[pd.DataFrame, int]:
    """The scan's rows with digest and facts, and how many files were decoded. Files with a known digest are not opened."""
    store = workspace.store
    digests = digests[digests.isin(store.index.index)]
    wanted = scan.files[(scan.files["issue"] == "") & ~scan.files.index.isin(digests.index)]
    issues = scan.files["issue"].copy()
    found = dict(digests)
    decoded = 0
    if len(wanted):
        by_size = store.index.groupby("bytes").groups if len(store.index) else {}
        requests = [Request(str(scan.root / str(path)), frozenset(by_size.get(size, ()))) for path, size in wanted["bytes"].items()]
        report = workspace.progress("reading pictures")
        done = 0
        with store.writing():
            for chunk in extract(requests, workspace.settings, workspace.jobs):
                names = wanted.index[done:done + len(chunk.facts)]
                store.append(chunk, wanted["bytes"].loc[names].tolist())
                for name, facts, skipped in zip(names, chunk.facts, chunk.skipped, strict=True):
                    found[name] = facts.sha256
                    issues[name] = facts.issue
                    decoded += not skipped
                done += len(chunk.facts)
                if report:
                    report(done, len(wanted))
    manifest = scan.files.assign(issue=issues, sha256=pd.Series(found, dtype=str).reindex(scan.files.index).fillna(""))
    known = store.index.reindex(manifest["sha256"])
    for column in FACT_COLUMNS:
        manifest[column] = known[column].to_numpy()
    manifest[["format", "mode"]] = manifest[["format", "mode"]].fillna("")
    manifest["issue"] = np.where(manifest["issue"] == "", known["issue"].fillna("").to_numpy(), manifest["issue"])
    limit = workspace.settings.max_pixels
    over = (manifest["width"] * manifest["height"] > limit) & (manifest["issue"] == "")
    manifest.loc[over, "issue"] = [too_large(int(w), int(h), limit) for w, h in manifest.loc[over, ["width", "height"]].to_numpy()]
    unreadable = manifest["issue"] != ""
    manifest.loc[unreadable, FACT_COLUMNS[2:]] = np.nan
    manifest[["width", "height"]] = manifest[["width", "height"]].astype("Int64")
    return manifest[["label", "bytes", "modified_ns", "sha256", *FACT_COLUMNS, "issue"]], decoded


def _last_manifest(workspace: Workspace, scan: Scan) -> pd.DataFrame | None:
    """What the same folder held when it was scanned last."""
    if not (workspace.artifacts / "manifest.parquet").exists():
        return None
    old = read_manifest(workspace)
    return old if old.attrs.get("root") == str(scan.root.resolve()) else None


def _earlier_digests(before: pd.DataFrame | None, scan: Scan) -> pd.Series:
    """path → sha256 of files that have the size and time of the last manifest; they need not be read again."""
    if before is None:
        return pd.Series(dtype=str)
    both = before.merge(scan.files, left_index=True, right_index=True, suffixes=("", "_now"))
    same = both[(both["bytes"] == both["bytes_now"]) & (both["modified_ns"] == both["modified_ns_now"]) & (both["issue_now"] == "")]
    return same["sha256"][same["sha256"] != ""]


def _announce_changes(workspace: Workspace, before: pd.DataFrame | None, manifest: pd.DataFrame) -> None:
    """Which files came, went, or have other contents than at the last scan."""
    if before is None:
        return
    both = before[["sha256", "bytes"]].merge(manifest[["sha256", "bytes"]], left_index=True, right_index=True, suffixes=("", "_now"))
    other = (both["sha256"] != both["sha256_now"]) | (both["bytes"] != both["bytes_now"])
    found = {"new": manifest.index.difference(before.index), "changed": both.index[other], "gone": before.index.difference(manifest.index)}
    told = [f"{len(paths):,} {what} ({', '.join(map(str, paths[:SHOWN]))}{', …' if len(paths) > SHOWN else ''})"
            for what, paths in found.items() if len(paths)]
    if told:
        workspace.notice(f"{workspace.data} is not as it was at the last scan: {'; '.join(told)}")


def _with_split(workspace: Workspace, manifest: pd.DataFrame) -> pd.DataFrame:
    """``group`` and ``fold`` as remembered; empty for pictures that came since."""
    label, keep = manifest["label"], pd.Series(True, index=manifest.index)
    if (workspace.artifacts / "decisions.csv").exists():
        decisions = read_decisions(workspace)
        label, keep = decisions["label"].reindex(manifest.index).fillna(label), decisions["keep"].reindex(manifest.index, fill_value=True)
    usable = manifest[(manifest["issue"] == "") & (label != "")]
    fold = remembered_fold(workspace, usable[keep[usable.index]])
    fold = fold[fold != LEARNED]
    group = copies_of(workspace, usable)
    settings, _ = cleaning_card(workspace)
    if len(group):
        try:
            own = _own_groups(group.index, settings)
            if own is not None:
                group = merged_groups(group, own)
        except ScratchworkError as error:  # looking at a folder needs no groups
            workspace.notice(f"only copies are grouped: {error}")
    manifest = manifest.assign(group=group.reindex(manifest.index).fillna(""), fold=fold.reindex(manifest.index).astype("Int64"))
    manifest.attrs["root"] = str(workspace.data.resolve())
    return manifest


def _prediction_table(kept: pd.DataFrame, trained: Trained, classes: list[str]) -> pd.DataFrame:
    """Indexed by path: sha256, label, fold, predicted, and one probability per class."""
    return pd.concat([kept[["sha256", "label", "fold"]], pd.DataFrame({"predicted": trained.predicted}, index=kept.index),
                      pd.DataFrame(trained.proba, index=kept.index, columns=[PROBABILITY + c for c in classes])], axis=1)


