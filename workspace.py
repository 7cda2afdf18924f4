"""What lies in an artifacts folder, who may write there, and how the stages' results are read back.

    manifest.parquet, manifest.csv   features: one row per file found
    cache/…                          features: features, hashes, tiles by content
    figures/*.png                    features
    cleaning.parquet                 clean: what was found, before anything is decided
    cleaning.oof.parquet             clean: the probabilities by which labels were judged
    decisions.csv, cleaning.json     clean: one row per file, kept or not and why; the settings
    overrides.csv                    decide, review, votes: what people decided; an append-only journal
    split.csv                        train: held-out part and folds by content
    lgbm.joblib, lgbm.json           train
    lgbm.folds.npz                   train: what was found across the folds, for the next training of the same pictures
    lgbm.oof.parquet                 train: probabilities of every kept picture by a model that had not seen it
    cnn.joblib, cnn.json             train --model cnn; cnn.oof.parquet likewise, empty where one network learned from a picture
    cnn.history.csv, figures/cnn.png train --model cnn: every epoch
    cnn.*.checkpoint                 train --model cnn, until it is done: what --resume goes on from; in first_stack/ for --pseudo-label
    stack.joblib, stack.json         train --model stack: the base models and their blend; stack.oof.parquet likewise
    stack.joined.parquet             train --pseudo-label: which pictures without labels joined; lgbm, cnn likewise
    runs.jsonl                       train, experiment: a line per model trained, only appended to
    run.lock, run.lock.holder        every stage that writes: who does, while it does
"""

import hashlib
import json
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial, wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import joblib
import pandas as pd

from cleaning.decisions import CleaningSettings
from features.errors import ScratchworkError
from features.extract import ExtractionSettings
from features.files import alone_in, whole_file
from features.scan import DEMO_MARKER
from features.store import FeatureStore
from models.pictures import Pictures
from reports.evaluation import write_table

PROBABILITY = "p__"  # before a class's name in NAME.oof.parquet, since a class may be called "label"
P = ParamSpec("P")
R = TypeVar("R")


def _silent(message: str) -> None:
    """Where notices go when nobody listens."""


def _no_progress(stage: str) -> Callable[[int, int], None] | None:
    return None


@dataclass(frozen=True)
class Workspace:
    """Where a run reads and writes, and how it speaks. ``jobs``: worker processes; ``progress``: stage name → (done, total) sink; ``cache``: a
    folder that several workspaces share, None for ``artifacts/cache``."""

    data: Path
    artifacts: Path = Path("artifacts")
    seed: int = 0
    jobs: int = field(default_factory=lambda: joblib.cpu_count(only_physical_cores=True))
    settings: ExtractionSettings = field(default_factory=ExtractionSettings)
    notice: Callable[[str], None] = _silent
    progress: Callable[[str], Callable[[int, int], None] | None] = _no_progress
    cache: Path | None = None

    @property
    def store(self) -> FeatureStore:
        """The extraction cache, opened for reading."""
        return FeatureStore(self.cache or self.artifacts / "cache", self.settings)


def alone(stage: Callable[Concatenate[Workspace, P], R]) -> Callable[Concatenate[Workspace, P], R]:
    """A stage that writes into the artifacts folder, and is refused while another run does."""
    @wraps(stage)
    def kept_alone(workspace: Workspace, *args: P.args, **kwargs: P.kwargs) -> R:
        with alone_in(workspace.artifacts):
            return stage(workspace, *args, **kwargs)

    return kept_alone


def default_data() -> Path:
    """``data/training`` if it is there, else ``data``; ``data/demo`` as long as there is nothing but the generated set."""
    if Path("data/training").is_dir():
        return Path("data/training")
    own = [folder for folder in Path("data").glob("*/") if not (folder / DEMO_MARKER).exists()]
    return Path("data/demo") if Path("data/demo", DEMO_MARKER).exists() and not own else Path("data")


def read_manifest(workspace: Workspace) -> pd.DataFrame:
    """The manifest as last written. Raises `ScratchworkError` where it is missing or not one of ours."""
    file = workspace.artifacts / "manifest.parquet"
    if not file.exists():
        raise ScratchworkError(f"{file} does not exist; make it with: python cli.py features")
    try:
        manifest = pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise ScratchworkError(f"{file} cannot be read ({error}); delete it and run again") from error
    missing = {"label", "bytes", "modified_ns", "sha256", "issue"} - set(manifest.columns)
    if missing:
        raise ScratchworkError(f"{file} is of another version (no column {', '.join(sorted(missing))}); delete it and run again")
    return manifest


def scanned_folder(workspace: Workspace) -> str:
    """The data folder of which the manifest is; empty where there is none, or it does not say."""
    known = (workspace.artifacts / "manifest.parquet").exists()
    return str(read_manifest(workspace).attrs.get("root", "")) if known else ""


def write_manifest(workspace: Workspace, manifest: pd.DataFrame) -> None:
    """For the commands as Parquet, for people as CSV."""
    write_parquet(manifest, workspace.artifacts / "manifest.parquet")
    write_table(manifest.drop(columns="modified_ns"), workspace.artifacts / "manifest.csv")


def read_decisions(workspace: Workspace) -> pd.DataFrame:
    """Indexed by path. Raises `ScratchworkError` where there are none."""
    file = workspace.artifacts / "decisions.csv"
    if not file.exists():
        raise ScratchworkError(f"{file} does not exist; make it with: python cli.py clean")
    texts = dict.fromkeys(["path", "label", "reason", "evidence", "duplicate_group", "decided_by"], str)
    empty = {"photo_score": [""], "label_score": [""]}
    return pd.read_csv(file, dtype={**texts, "keep": bool}, keep_default_na=False, na_values=empty).set_index("path")


def cleaning_card(workspace: Workspace) -> tuple[CleaningSettings, str]:
    """The settings of the last cleaning, and the digest of what it saw; the defaults where there was none."""
    file = workspace.artifacts / "cleaning.json"
    if not file.exists():
        return CleaningSettings(seed=workspace.seed), ""
    try:
        card = json.loads(file.read_text(encoding="utf-8"))
        return CleaningSettings(**{**card["settings"], "checks": tuple(card["settings"]["checks"])}), card["digest"]
    except (ValueError, KeyError, TypeError) as error:
        raise ScratchworkError(f"{file} cannot be understood ({error}); delete it and run python cli.py clean") from error


def cleaning_digest(workspace: Workspace, manifest: pd.DataFrame, settings: CleaningSettings) -> str:
    """Of everything that the decisions depend on, but for the probabilities."""
    journal = workspace.artifacts / "overrides.csv"
    facts = manifest[["sha256", "label", "issue"]].to_numpy()
    lines = [f"{path} {sha} {label} {issue}" for path, (sha, label, issue) in zip(manifest.index, facts, strict=True)]
    return hashlib.sha256("\n".join([repr(settings), *lines]).encode() + (journal.read_bytes() if journal.exists() else b"")).hexdigest()


def data_digest(kept: pd.DataFrame) -> str:
    """sha256 over what was learned from: contents, labels and parts, in an order that does not depend on names."""
    lines = sorted(f"{row.sha256} {row.label} {row.fold}" for row in kept.itertuples())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def copies_of(workspace: Workspace, pictures: pd.DataFrame) -> pd.Series:
    """path → group of copies that the last cleaning found among ``pictures``, which have ``sha256``; by itself what came since."""
    file, alone_each = workspace.artifacts / "cleaning.parquet", pictures["sha256"]
    if not file.exists() or "group" not in (found := pd.read_parquet(file)):
        return alone_each
    return found["group"].reindex(pictures.index).fillna(alone_each)


def pictures_of(workspace: Workspace, digests: pd.Series) -> Pictures:
    """Of contents that are in the cache."""
    store = workspace.store
    return Pictures(store.features, store.tiles, store.rows_of(digests))


def predictions_file(model_file: Path) -> Path:
    """NAME.joblib → NAME.oof.parquet."""
    return model_file.with_suffix(".oof.parquet")


def joined_file(model_file: Path) -> Path:
    """NAME.joblib → NAME.joined.parquet: the pictures without labels that it learned from, where there are any."""
    return model_file.with_suffix(".joined.parquet")


def write_parquet(table: pd.DataFrame, file: Path) -> None:
    """A whole file or none."""
    with whole_file(file) as fresh:
        table.to_parquet(fresh)


def columns_by_path(paths: pd.Index, file: Path, option: str, needed: str = "") -> pd.DataFrame:
    """The user's columns of a CSV with ``path``, as text, for these paths, however their Unicode is spelled; empty where there is none.

    Raises `ScratchworkError` naming the ``option`` where the file, ``path``, the ``needed`` column or every path is missing.
    """
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise ScratchworkError(f"{option} {file} cannot be read: {error}") from error
    if "path" not in table or (needed not in table if needed else len(table.columns) < 2):
        raise ScratchworkError(f"{option} {file} needs the columns path and {needed or 'at least one more'}; it has {', '.join(table.columns)}")
    table["path"] = table["path"].map(partial(unicodedata.normalize, "NFC"))
    spelled = [unicodedata.normalize("NFC", str(path)) for path in paths]
    own = table.drop_duplicates("path", keep="last").set_index("path").reindex(spelled).fillna("").set_axis(paths)
    if not (own[[needed] if needed else own.columns] != "").any(axis=None):
        raise ScratchworkError(f"no path of {option} {file} is one of this folder's{f'; paths look like {paths[0]}' if len(paths) else ''}")
    return own
