"""What saved models say of pictures, and how good it is: `evaluate` on the held-out part or any folder, `predict` for any pictures.

Beside `pipeline`, which makes what is scored here. `evaluate` writes into the artifacts folder

    evaluation.json, evaluation.csv      figures; every picture with its probabilities
    slices.csv                           where the model is worse than elsewhere
    figures/confusion.png, figures/reliability.png
    errors.csv, .html, .parquet          with ``errors``: why each wrong picture was wrong; for people, to look at, for the report
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cleaning.decisions import MAX_PHOTO_SHARE, CleaningSettings
from cleaning.folds import TEST
from cleaning.photos import photo_scores, scores_beside
from features.errors import ScratchworkError
from features.extract import Request, extract
from features.families import feature_names
from features.scan import label_codes, scan_folder
from models import MODELS
from models.artifacts import load_model, read_card, write_json
from models.comparison import JUDGED_COLUMNS
from models.decision import log_softmax
from models.errors import error_table, neighbours
from models.evaluation import calibration, confusion, metrics, report_text, top_confusions
from models.intervals import Judged, difference, interval, resampled
from models.pictures import Pictures
from models.slices import FEWEST, bands, slice_table
from pipeline import extract_new, near_duplicates
from reports.errors import explained, write_errors
from reports.evaluation import write_confusion, write_reliability, write_table
from reports.figures import font_notice
from reports.thumbnails import Album
from workspace import (
    PROBABILITY,
    Workspace,
    cleaning_card,
    columns_by_path,
    copies_of,
    joined_file,
    pictures_of,
    predictions_file,
    read_decisions,
    read_manifest,
)

OWN_COLUMNS = ("path", "predicted", "issue")  # of predictions, beside the labels
PREDICT_BATCH = 1024  # pictures in memory at once, 60 MB


@dataclass(frozen=True)
class EvaluationSettings:
    """``compare``: another saved model beside it; ``average_groups``: copies of a picture share the mean of their probabilities;
    ``slice_by``: a CSV with ``path`` and columns to slice by; ``errors``: a table and a page of why each wrong picture was wrong;
    ``together``: labels are decided for the macro-F1 of just these pictures."""

    compare: Path | None = None
    average_groups: bool = False
    slice_by: Path | None = None
    errors: bool = False
    together: bool = False


@dataclass(frozen=True)
class Predictions:
    """What a model says of pictures: ``table`` (n rows by path: sha256, label, predicted, group), ``proba`` (n, n_classes), ``attributes`` (n rows of
    text) to slice by, ``facts`` (n rows: width and height where they are known); ``model`` and its sidecar ``card``, loaded once; ``learned``: of how
    many pictures the model is known to have learned."""

    model: Any
    card: dict[str, Any]
    table: pd.DataFrame
    proba: np.ndarray
    name: str
    attributes: pd.DataFrame
    facts: pd.DataFrame
    learned: int = 0

    @property
    def classes(self) -> list[str]:
        """The model's, in their natural order."""
        return list(self.card["classes"])

    @property
    def known(self) -> np.ndarray:
        """(n,) bool: the label is one of the model's classes."""
        return self.table["label"].isin(self.classes).to_numpy()

    def judged(self, which: np.ndarray) -> Judged:
        """For intervals; ``which`` (n,) bool, of known labels."""
        part = self.table[which]
        codes, chosen = (label_codes(part[column], self.classes) for column in ("label", "predicted"))
        return Judged(codes, chosen, -np.log(self.proba[which, codes]), part["group"].to_numpy(str))


@dataclass(frozen=True)
class Evaluation:
    """``metrics``: the object for ``--json``; ``text``: scikit-learn's report; ``files``: what was written.

    ``suspects``: pictures of the held-out part whose label is suspected; ``trusted``: the metrics without them, None where there are none.
    ``slices``: see `models.slices`; ``judged``: `models.comparison.JUDGED_COLUMNS` of the known labels; ``comparison``: one sentence about
    ``--compare``, empty without.
    """

    metrics: dict[str, Any]
    text: str
    files: list[Path]
    slices: pd.DataFrame
    judged: pd.DataFrame
    suspects: int = 0
    trusted: dict[str, Any] | None = None
    comparison: str = ""


def evaluate(workspace: Workspace, model_file: Path, folder: Path | None, settings: EvaluationSettings | None = None) -> Evaluation:
    """Score a saved model on the held-out part, or on any ``folder`` of labelled pictures. Writes PNGs, CSVs and a JSON."""
    settings = settings or EvaluationSettings()
    found = _predictions(workspace, model_file, folder, settings)
    table, proba, classes, known = found.table, found.proba, found.classes, found.known
    strange = {str(label): int(n) for label, n in table.loc[~known, "label"].value_counts().items()}
    if not known.any():
        told = ", ".join(repr(label) if label else "none" for label in strange)
        raise ScratchworkError(f"no picture of {folder} has a label that the model knows (found: {told}), so that there is nothing to score; python "
                               f"cli.py predict {folder} says what the pictures are")
    for label, n in strange.items():
        what = f"label {label!r}, which the model does not know" if label else "no label (not in a sub-folder)"
        workspace.notice(f"{n:,} picture{'s' if n > 1 else ''} with {what}: in the CSV, not in the figures")
    truth, predicted = table.loc[known, "label"].to_numpy(object), table.loc[known, "predicted"].to_numpy(object)
    scored = metrics(truth, predicted, proba[known], classes)
    judged = found.judged(known)
    error, reliability = calibration(proba[known].argmax(axis=1) == judged.codes, proba[known].max(axis=1))
    scored |= {"intervals": intervals_of(judged, classes, workspace.seed), "calibration_error": error, "unknown_labels": strange,
               "top_confusions": top_confusions(truth, predicted)}
    missing = [label for label in classes if scored["per_class"][label]["support"] == 0]
    if missing:
        workspace.notice(f"no picture has the label {', '.join(map(repr, missing))} (no support): macro-F1 is of the labels that pictures have or "
                         f"the model gave; of those that pictures have it is {scored['macro_f1_of_present_classes']:.4f}, of all {len(classes)}, the "
                         f"others counted as 0, {scored['macro_f1_of_all_classes']:.4f}")
    if font_notice(classes):
        workspace.notice(font_notice(classes))
    slices = slice_table(found.attributes[known].reset_index(drop=True), judged, len(classes), workspace.seed)
    files = [workspace.artifacts / "figures" / "confusion.png", workspace.artifacts / "figures" / "reliability.png",
             workspace.artifacts / "evaluation.csv", workspace.artifacts / "evaluation.json", workspace.artifacts / "slices.csv"]
    title = f"{found.name}: {scored['n']:,} pictures, macro-F1 {scored['macro_f1']:.3f}"
    outcome = table.drop(columns="group").assign(correct=table["label"] == table["predicted"])
    write_table(pd.concat([outcome, pd.DataFrame(proba, index=table.index, columns=classes)], axis=1), files[2])
    write_json({"model": str(model_file), "model_sha256": found.card["sha256"], "data": str(folder or "held-out part"), "learned_from": found.learned,
                "decided_together": settings.together, **scored}, files[3])
    write_table(slices, files[4])
    write_confusion(confusion(truth, predicted, classes), classes, title, files[0])  # pictures last: of very many labels they take memory
    write_reliability(reliability, f"{found.name}: calibration error {error:.3f}", files[1])
    doubtful = _suspected(workspace, table) if folder is None else np.zeros(len(table), bool)
    rest = ~doubtful[known]
    trusted = metrics(truth[rest], predicted[rest], proba[known][rest], classes) if doubtful.any() and rest.any() else None
    comparison = ""
    if settings.compare:
        other = _predictions(workspace, settings.compare, folder, replace(settings, slice_by=None))
        names = (found.name, other.name) if found.name != other.name else (f"{model_file}, {found.name}", f"{settings.compare}, {other.name}")
        comparison = _comparison(workspace, replace(found, name=names[0]), replace(other, name=names[1]), folder)
    if settings.errors:
        files += _explained_errors(workspace, model_file, found, folder, settings.together)
    return Evaluation(scored, report_text(truth, predicted, classes), files, slices, table[known].assign(loss=judged.loss)[JUDGED_COLUMNS],
                      int(doubtful.sum()), trusted, comparison)


def _predictions(workspace: Workspace, model_file: Path, folder: Path | None, settings: EvaluationSettings) -> Predictions:
    found = (_held_out_predictions(workspace, model_file) if folder is None
             else _folder_predictions(workspace, model_file, folder, settings.average_groups))
    if settings.slice_by:
        found = replace(found, attributes=found.attributes.join(_own_columns(workspace, found.table.index, settings.slice_by)))
    if settings.average_groups:
        copies = found.table["group"] if folder is not None else _copies_held_out(workspace, found.table)
        mean = pd.DataFrame(np.log(found.proba)).groupby(copies.to_numpy()).transform("mean").to_numpy()
        found = replace(found, proba=np.exp(log_softmax(mean)))
    if settings.together:
        workspace.notice("--together: labels are decided for the macro-F1 of just these pictures; a picture by itself may get another")
        found = replace(found, name=f"{found.name}, labels decided together")
    if settings.average_groups or settings.together:
        found = replace(found, table=found.table.assign(predicted=found.model.labels_of(found.proba, settings.together)))
    return found


def _own_columns(workspace: Workspace, paths: pd.Index, file: Path) -> pd.DataFrame:
    """The user's columns of ``file`` for these paths, as text; numbers of which most values are rare, in bands."""
    own = columns_by_path(paths, file, "--slice-by")
    unknown = int((own == "").all(axis=1).sum())
    if unknown:
        workspace.notice(f"--slice-by: {unknown:,} of {len(own):,} pictures have no value in {file}")
    for name in own:
        numbers = pd.to_numeric(own[name].where(own[name] != ""), errors="coerce")
        measured = numbers.notna().any() and (numbers.notna() == (own[name] != "")).all()
        if measured and numbers.value_counts().median() < FEWEST:  # a number that names somebody has more pictures
            own[name] = bands(numbers)
        counts = own[name][own[name] != ""].value_counts()
        few = int((counts < FEWEST).sum())
        if few:
            workspace.notice(f"--slice-by: {few:,} value{f's of {name} have' if few > 1 else f' of {name} has'} fewer than {FEWEST} pictures and "
                             f"{'are' if few > 1 else 'is'} left out")
    return own.add_prefix("own: ")


def intervals_of(judged: Judged, classes: list[str], seed: int) -> dict[str, Any]:
    """Of macro-F1, micro-F1, log loss, and of F1 per class (None where there is nothing to tell)."""
    draws = resampled(judged, len(classes), seed)
    each = {label: interval(draws.f1[:, i]) for i, label in enumerate(classes)}
    return {"macro_f1": interval(draws.macro_f1), "micro_f1": interval(draws.micro_f1), "log_loss": interval(draws.log_loss),
            "per_class": {label: None if math.isnan(pair[0]) else pair for label, pair in each.items()}}


def _explained_errors(workspace: Workspace, model_file: Path, found: Predictions, folder: Path | None, together: bool) -> list[Path]:
    """errors.csv, errors.html and errors.parquet: every wrong picture of a known label, and why (`models.errors`)."""
    model, card = found.model, found.card
    if folder is None and card.get("refit"):
        raise ScratchworkError("--errors: the refitted model has learned the held-out pictures by now and cannot say why it was wrong; give "
                               "--data DIR, or train without --refit")
    wrong = found.known & (found.table["label"] != found.table["predicted"]).to_numpy()
    if not wrong.any():
        workspace.notice("--errors: no picture was wrong, there is nothing to explain")
        return []
    workspace = _as_extracted(workspace, model)
    file = predictions_file(model_file)
    learned = pd.read_parquet(file, columns=["sha256", "label", "fold"]) if file.exists() else None
    if learned is not None:
        learned = learned[(learned["fold"] != TEST) | bool(card.get("refit"))]
    if learned is None or not learned["sha256"].isin(workspace.store.index.index).all():
        raise ScratchworkError(f"--errors: the pictures that {model_file} learned from are not in {workspace.artifacts / 'cache'}; run python "
                               "cli.py features on them first")
    table = found.table[wrong]
    true, chosen = (label_codes(table[column], found.classes) for column in ("label", "predicted"))
    pictures, training = pictures_of(workspace, table["sha256"]), pictures_of(workspace, learned["sha256"])
    near = neighbours(model, pictures, training, workspace.jobs)
    near_labels = learned["label"].to_numpy(object)[near.positions]
    errors = error_table(table["label"].to_numpy(object), table["predicted"].to_numpy(object), found.proba[wrong], found.classes,
                         model.parts_of(pictures, workspace.jobs), model.reasons_of(pictures, chosen, true, workspace.jobs), near, near_labels,
                         _content_px(pictures, found.facts[wrong]), _photographs(workspace, pictures, training)).set_index(table.index)
    facts = {"name": found.name, "model": model_file.stem, "model_sha256": card["sha256"], "data": folder.resolve().name if folder else "",
             "together": together, "parts": list(getattr(model, "bases_", {}))}
    told = explained(errors, table["sha256"].to_numpy(), learned["sha256"].to_numpy(object)[near.positions], near_labels, near.distances,
                     _heat(model, pictures, chosen), facts)
    return write_errors(told, album_of(workspace), workspace.artifacts)


def album_of(workspace: Workspace) -> Album:
    """For pages that show pictures of the cache; empty where nothing was extracted yet."""
    store = workspace.store
    rows = store.index["row"] if len(store.index) else pd.Series(dtype=int)
    return Album(store.tiles, {str(sha): int(row) for sha, row in rows.items()})


def _content_px(pictures: Pictures, facts: pd.DataFrame) -> np.ndarray:
    """(n,): the longer side of what is drawn, in the file's own pixels; endless where the file's size is not known."""
    names = feature_names()
    box = pictures.columns(np.array([names.index(f"background__box_{side}") for side in ("height", "width")]))
    if not {"height", "width"} <= set(facts.columns):
        return np.full(len(box), np.inf)
    return np.nan_to_num((box * facts[["height", "width"]].to_numpy(float)).max(1), nan=np.inf)


def _photographs(workspace: Workspace, pictures: Pictures, training: Pictures) -> np.ndarray:
    """(n,) bool: photographs among drawings, as ``clean`` would find them in the training pictures and these together; none where it does not look
    for them, or where training pictures are photographs, too."""
    rows = np.concatenate([training.rows, pictures.rows])
    settings, _ = cleaning_card(workspace)
    if "photos" not in settings.checks:
        return np.zeros(len(pictures.rows), bool)
    found = photo_scores(pictures.features[rows], pictures.tiles, rows, settings.photo_method, settings.seed, workspace.jobs)
    photo = found.score < settings.photo_cut
    return photo[len(training.rows):] & (photo[:len(training.rows)].mean() <= MAX_PHOTO_SHARE)


def _heat(model: Any, pictures: Pictures, chosen: np.ndarray) -> np.ndarray | None:
    """Grad-CAM of the first network, where the model has one that can tell."""
    network = getattr(model, "bases_", {}).get("cnn", model)
    if not hasattr(network, "members_") or network.parameters.arch != "scratch":
        return None
    from models.grad_cam import looked_at

    return looked_at(network.members_[0], network.parameters, len(network.classes_), pictures, chosen)


def _comparison(workspace: Workspace, first: Predictions, second: Predictions, folder: Path | None) -> str:
    """One sentence: who is better, by how much, and whether chance does as much. ``folder``: None for held-out parts, whose labels may have changed
    between two trainings."""
    if first.classes != second.classes:
        raise ScratchworkError(f"--compare: {first.name} and {second.name} know other labels ({len(first.classes)} and {len(second.classes)}); "
                               "train both on the same folder")
    if sorted(first.table["sha256"]) != sorted(second.table["sha256"]):
        raise ScratchworkError(f"--compare: {first.name} ({len(first.table):,} pictures) and {second.name} ({len(second.table):,}) held out other "
                               "pictures; give --data DIR")
    once = ~second.table["sha256"].duplicated().to_numpy()
    order = pd.Index(second.table["sha256"][once]).get_indexer(first.table["sha256"])
    others = second.table[once].iloc[order].set_axis(first.table.index)
    relabelled = int((others["label"] != first.table["label"]).sum())
    if relabelled and folder is None:
        workspace.notice(f"--compare: {relabelled:,} picture{'s have' if relabelled > 1 else ' has'} had another label since {second.name} was "
                         f"trained; both models are judged by the labels of {first.name}")
    second = replace(second, table=others.assign(label=first.table["label"], group=first.table["group"]), proba=second.proba[once][order])
    one, two = first.judged(first.known), second.judged(first.known)
    told = difference(one, two, len(first.classes), workspace.seed)
    only = [int(((a.codes == a.chosen) & (b.codes != b.chosen)).sum()) for a, b in ((one, two), (two, one))]
    low, high = told["macro_f1_interval"]
    verdict = "more than chance" if low > 0 or high < 0 else "no more than chance may do"
    return (f"{first.name} has {told['macro_f1']:+.4f} macro-F1 ({low:+.4f} … {high:+.4f}) and {told['log_loss']:+.4f} log loss against "
            f"{second.name} on {len(one.codes):,} pictures: {verdict}; it alone is right on {only[0]:,}, the other alone on {only[1]:,} "
            f"(McNemar p = {told['mcnemar']:.2g})")


def predict(workspace: Workspace, model_file: Path, paths: list[Path], together: bool = False) -> pd.DataFrame:
    """One row per picture, indexed by ``path`` as given: one probability per class (``p__`` before a label that is called as one of the other
    columns), ``predicted``, ``issue``. Folders are searched. ``together``: labels are decided for the macro-F1 of just these pictures."""
    model, _ = load_model(model_file)
    workspace = replace(workspace, settings=model.settings)
    files: list[tuple[str, str]] = []  # (name for the table, file)
    for path in paths:
        if path.is_dir():
            scan = scan_folder(path)
            files += [(Path(path, p).as_posix(), str(Path(path, p))) for p in scan.files.index]
        elif path.exists():
            files.append((path.as_posix(), str(path)))
        else:
            raise ScratchworkError(f"{path} does not exist; give picture files or folders")
    facts, parts = [], []
    report = workspace.progress("predicting")
    for start in range(0, len(files), PREDICT_BATCH):
        requests = [Request(file) for _, file in files[start:start + PREDICT_BATCH]]
        chunks = list(extract(requests, workspace.settings, workspace.jobs))
        facts += [fact for chunk in chunks for fact in chunk.facts]
        features = np.concatenate([chunk.features for chunk in chunks])
        if len(features):
            tiles = np.concatenate([chunk.tiles for chunk in chunks])
            parts.append(model.proba_of(Pictures(features, tiles, np.arange(len(features))), workspace.jobs))
        if report:
            report(len(facts), len(files))
    proba = np.full((len(files), len(model.classes_)), np.nan)
    good = np.array([not fact.issue for fact in facts])
    if parts:
        proba[good] = np.concatenate(parts)
    columns = [PROBABILITY + label if label in OWN_COLUMNS else label for label in model.classes_]
    table = pd.DataFrame(proba, columns=columns, index=pd.Index([name for name, _ in files], name="path"))
    table["predicted"] = pd.Series("", index=table.index, dtype=object)
    if good.any():
        table.loc[good, "predicted"] = model.labels_of(proba[good], together)
    table["issue"] = [fact.issue for fact in facts]
    return table


def _held_out_predictions(workspace: Workspace, model_file: Path) -> Predictions:
    """What the model said of the held-out part when it was trained, before any refit."""
    model, card = load_model(model_file)  # refuses a damaged or foreign file even though its predictions are on disk
    file = predictions_file(model_file)
    if not file.exists():
        raise ScratchworkError(f"{file} does not exist, so what this model said of its held-out part is not known; train again, or give --data DIR")
    table = pd.read_parquet(file)
    held_out = table[table["fold"] == TEST]
    if held_out.empty:
        raise ScratchworkError("no picture was held out when this model was trained (too few pictures); give --data DIR with other pictures")
    if card.get("refit"):
        workspace.notice("the model was refitted on everything; these are the scores from before, of the model that had not seen the held-out part")
    proba = held_out[[PROBABILITY + c for c in card["classes"]]].to_numpy()
    workspace = _as_extracted(workspace, model)
    known = workspace.artifacts / "manifest.parquet"
    manifest = read_manifest(workspace) if known.exists() else pd.DataFrame(index=held_out.index)
    facts = facts_of(manifest, held_out)
    table = with_group(held_out[["sha256", "label", "predicted"]], manifest)
    attributes = attributes_of(workspace, held_out["sha256"], facts)
    return Predictions(model, card, table, proba, f"{model_file.stem} on its held-out part", attributes, facts)


def with_group(table: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """A table by path with ``sha256``, and the ``group`` that each picture has in the manifest; its own where it has none there, or where the
    manifest has another picture of that name."""
    group = facts_of(manifest, table)["group"].fillna("") if "group" in manifest else pd.Series("", index=table.index)
    return table.assign(group=group.where(group != "", table["sha256"]))


def facts_of(manifest: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The manifest's rows of the pictures in ``table``, by path; empty where it has another picture of that name."""
    return manifest.reindex(table.index)[_same_content(manifest, table)].reindex(table.index)


def _same_content(manifest: pd.DataFrame, table: pd.DataFrame) -> pd.Series:
    """path → whether the manifest has that very picture under the path: it may be of another folder by now."""
    return manifest["sha256"].reindex(table.index) == table["sha256"] if "sha256" in manifest else pd.Series(False, index=table.index)


def _copies_held_out(workspace: Workspace, table: pd.DataFrame) -> pd.Series:
    """Groups of copies among held-out pictures, as the last cleaning found them; not the user's own groups, which are of different pictures."""
    known = workspace.artifacts / "manifest.parquet"
    same = _same_content(read_manifest(workspace), table) if known.exists() else pd.Series(False, index=table.index)
    return copies_of(workspace, table).where(same, table["sha256"])


def judged_of(table: pd.DataFrame, classes: list[str]) -> Judged:
    """For intervals: ``label``, ``predicted``, ``group`` and a probability per class."""
    codes, chosen = (label_codes(table[column], classes) for column in ("label", "predicted"))
    proba = table[[PROBABILITY + label for label in classes]].to_numpy(float)
    return Judged(codes, chosen, -np.log(np.maximum(proba[np.arange(len(codes)), codes], 1e-300)), table["group"].to_numpy(str))


def unseen(workspace: Workspace, model_file: Path) -> pd.DataFrame:
    """Every picture that a model judged when it was trained without having seen it, by path: `models.comparison.JUDGED_COLUMNS` and ``part``."""
    table = pd.read_parquet(predictions_file(model_file))
    table = with_group(table[table["predicted"] != ""], read_manifest(workspace))
    part = np.where(table["fold"] == TEST, "held_out", "out_of_fold")
    return table.assign(loss=judged_of(table, read_card(model_file)["classes"]).loss, part=part)[[*JUDGED_COLUMNS, "part"]]


def _as_extracted(workspace: Workspace, model: Any) -> Workspace:
    """The same workspace with the extraction that the model was trained on; what is refused as too large stays."""
    return replace(workspace, settings=replace(model.settings, max_pixels=workspace.settings.max_pixels))


def attributes_of(workspace: Workspace, digests: pd.Series, facts: pd.DataFrame) -> pd.DataFrame:
    """What slices are made of (n rows of text): format, size, colour, brightness, photo score; empty where it is not known."""
    found = pd.DataFrame(index=digests.index)
    if "format" in facts:
        found["format"] = facts["format"].fillna("").astype(object)
        found["size px"] = bands((facts["width"].astype(float) * facts["height"].astype(float)) ** 0.5 // 1)
        found["mean pixel"] = bands(facts["mean_pixel"].astype(float))
    store = workspace.store
    if digests.isin(store.index.index).all():
        found["colourfulness"] = bands(pd.Series(store.features[store.rows_of(digests), feature_names().index("moments__chroma")], digests.index))
    score = _photo_scores(workspace, digests)
    if score.notna().any():
        found["photo score"] = bands(score)
    return found


def _photo_scores(workspace: Workspace, digests: pd.Series) -> pd.Series:
    """Of pictures by their content: what the last cleaning said of them, of others by what it said of those; NaN where it did not look."""
    missing, files = pd.Series(np.nan, index=digests.index), [workspace.artifacts / name for name in ("decisions.csv", "manifest.parquet")]
    if not all(file.exists() for file in files):
        return missing
    said = read_decisions(workspace)["photo_score"]
    by_content = said.groupby(read_manifest(workspace)["sha256"].reindex(said.index)).first().dropna()
    score, store = digests.map(by_content), workspace.store
    new, known = score.isna() & digests.isin(store.index.index), by_content[by_content.index.isin(store.index.index)]
    if new.any() and len(known):
        settings, _ = cleaning_card(workspace)
        learned, others = (store.features[store.rows_of(wanted)] for wanted in (known.index.to_series(), digests[new]))
        score[new] = scores_beside(learned, known.to_numpy() < settings.photo_cut, others, settings.seed, workspace.jobs)
    return score.astype(float)


def _suspected(workspace: Workspace, table: pd.DataFrame) -> np.ndarray:
    """(n,) bool: the last cleaning suspects the label of the picture, by path and ``sha256``: it may have been of another folder."""
    if not all((workspace.artifacts / name).exists() for name in ("decisions.csv", "manifest.parquet")):
        return np.zeros(len(table), bool)
    wrong = read_decisions(workspace)["reason"].reindex(table.index) == "wrong_label"
    return (wrong & _same_content(read_manifest(workspace), table)).to_numpy()


def _folder_predictions(workspace: Workspace, model_file: Path, folder: Path, copies: bool) -> Predictions:
    """Predictions for a folder of labelled pictures; the cache is used and filled. ``copies``: near duplicates are looked for and grouped."""
    model, card = load_model(model_file)
    workspace = replace(_as_extracted(workspace, model), data=folder)
    scan = scan_folder(folder)
    manifest, _ = extract_new(workspace, scan, pd.Series(dtype=str))
    bad = manifest[manifest["issue"] != ""]
    for path, issue in bad["issue"].head(5).items():
        workspace.notice(f"{path}: {issue}")
    if len(bad):
        workspace.notice(f"{len(bad):,} file{'s' if len(bad) > 1 else ''} cannot be read and cannot be scored")
    good = manifest[manifest["issue"] == ""]
    if good.empty:
        raise ScratchworkError(f"none of the {len(manifest):,} files in {folder.resolve()} can be read")
    learned = learned_from(model_file, card, good["sha256"])
    if learned:
        workspace.notice(f"{model_file} had learned from {learned:,} of the {len(good):,} pictures: its figures are flattered")
    proba = model.proba_of(pictures_of(workspace, good["sha256"]), workspace.jobs, workspace.progress("predicting"))
    table = good[["sha256", "label"]].assign(predicted=model.labels_of(proba), group=_copies(workspace, good) if copies else good["sha256"])
    attributes = attributes_of(workspace, good["sha256"], good)
    return Predictions(model, card, table, proba, f"{model_file.stem} on {folder.resolve().name}", attributes, good, learned)


def _copies(workspace: Workspace, readable: pd.DataFrame) -> pd.Series:
    """Groups of near duplicates among the pictures of a folder, found as ``clean`` finds them."""
    return near_duplicates(workspace, readable, CleaningSettings())["group"]


def learned_from(model_file: Path, card: dict[str, Any], digests: pd.Series) -> int:
    """How many of the pictures with these sha256 the model learned from, as far as it is stored: figures of these are flattered."""
    file = predictions_file(model_file)
    if not file.exists():
        return 0
    seen = pd.read_parquet(file, columns=["sha256", "fold"])
    if not card.get("refit"):
        seen = seen[seen["fold"] != TEST]
    joined = joined_file(model_file)
    more = pd.read_parquet(joined)["sha256"].tolist() if joined.exists() else []
    return int(digests.isin([*seen["sha256"], *more]).sum())


def last_trained(artifacts: Path) -> Path:
    """The model file that was written last; ``lgbm.joblib`` where there is none."""
    found = [file for file in (artifacts / f"{name}.joblib" for name in MODELS) if file.exists()]
    return max(found, key=lambda file: file.stat().st_mtime_ns, default=artifacts / "lgbm.joblib")
