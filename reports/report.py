"""The report: one HTML file about a dataset, its cleaning, its models, their errors and how all was made. It needs no network and no other file.

In goes `Contents`, gathered by ``reporting.py``; each part of the page is made by a module of its own, the page itself by ``templates/report.html``.
"""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from features.files import whole_file
from reports.errors import errors_part
from reports.pages import csp, environment, script, style_sheet
from reports.report_cleaning import cleaning_part
from reports.report_dataset import dataset_part
from reports.report_made import USUAL, Where, made_part
from reports.report_models import Experiment, ModelFacts, experiment_chart, judged_part, judged_there, models_part, part_name
from reports.report_texts import Texts
from reports.thumbnails import Album

MOST_ERRORS = 90
DEFAULT_CUT = 0.8


class Note(NamedTuple):
    """Something that a reader must know first: a sentence of the catalogue and its facts."""

    key: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Contents:
    """Everything that the page shows; what there is not is None or empty, and ``missing`` says by which command it is made.

    ``cleaning``: its ``settings`` and what its checks ``told``; ``slices_of``: of which pictures the slices are, in words; ``errors``: see
    `reports.errors`, without causes where nobody has looked for them; ``fingerprint``: of the extraction.
    """

    root: Path
    when: datetime
    album: Album
    manifest: pd.DataFrame
    decisions: pd.DataFrame | None = None
    cleaning: dict[str, Any] = field(default_factory=dict)
    photo_facts: pd.DataFrame = field(default_factory=pd.DataFrame)
    methods: list[dict[str, Any]] = field(default_factory=list)
    models: list[ModelFacts] = field(default_factory=list)
    chosen: ModelFacts | None = None
    slices: pd.DataFrame = field(default_factory=pd.DataFrame)
    slices_of: str = ""
    history: pd.DataFrame | None = None
    errors: pd.DataFrame | None = None
    experiments: list[Experiment] = field(default_factory=list)
    runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    notes: list[Note] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    where: Where = USUAL


def write_report(contents: Contents, language: str, file: Path) -> None:
    """Write the page, whole or not at all."""
    text = page(contents, Texts(language))
    with whole_file(file) as fresh:
        fresh.write_text(text, encoding="utf-8")


def page(contents: Contents, t: Texts) -> str:
    """The page as text."""
    c, album = contents, contents.album
    css, js = style_sheet(), script()
    parts = {"dataset": dataset_part(c.manifest, c.decisions, album, t),
             "cleaning": cleaning_part(c.manifest, c.decisions, c.photo_facts, _cut(c), c.methods, album, t) if c.decisions is not None else None,
             "models": models_part(c.models, c.chosen, c.history, c.slices, c.slices_of, album, t) if c.chosen else None,
             "errors": _errors(c, t), "made": made_part(c.manifest, c.cleaning, c.models, c.runs, c.versions, c.fingerprint, c.where, t)}
    experiments = [(experiment.cleaning, experiment_chart(experiment, t)) for experiment in c.experiments]
    notes = [t(f"note.{note.key}", **note.facts) for note in c.notes]
    if album.missing:
        notes.append(t("note.placeholders", n=len(album.missing)))
    return environment().get_template("report.html").render(
        t=t, css=css, js=js, csp=csp(css, js), title=t("page.title", name=_name(c.root)), name=_name(c.root), when=f"{c.when:%Y-%m-%d %H:%M} UTC",
        facts=_key_facts(c, t), notes=notes, missing=c.missing, ablations=[chart for own, chart in experiments if own],
        experiments=[chart for own, chart in experiments if not own], album=album, **parts)


def _name(root: Path) -> str:
    """The folder's name, with its parent's where it is called like everybody's."""
    return f"{root.parent.name}/{root.name}" if root.name in ("training", "train", "data") and root.parent.name else root.name or str(root)


def _cut(c: Contents) -> float:
    return float(c.cleaning.get("settings", {}).get("photo_cut", DEFAULT_CUT))


def _key_facts(c: Contents, t: Texts) -> list[dict[str, str]]:
    """The figures on the first screen."""
    labels = c.manifest["label"]
    facts = [(f"{len(c.manifest):,}", t("fact.files", labels=int(labels[labels != ""].nunique())))]
    if c.decisions is not None:
        facts.append((f"{int(c.decisions['keep'].sum()):,}", t("fact.kept", left=int((~c.decisions["keep"]).sum()))))
    if c.chosen:
        part = judged_part(c.chosen)
        low, high = part.intervals["macro_f1"]
        facts += [(f"{part.metrics['macro_f1']:.3f}", t("fact.macro", model=c.chosen.name, low=low, high=high, part=part_name(part, t))),
                  (f"{part.metrics['micro_f1']:.3f}", t("fact.micro", n=part.metrics["n"]))]
    return [{"value": value, "name": name} for value, name in facts]


def _errors(c: Contents, t: Texts) -> dict[str, Any] | None:
    if c.errors is None or c.chosen is None:
        return None
    part = errors_part(c.errors, c.album, t, MOST_ERRORS)
    told = c.errors.attrs
    where = judged_there(c.chosen, told["data"], told["together"], t) if "data" in told else part_name(judged_part(c.chosen), t)
    return {**part, "explained": "cause" in c.errors, "where": t("errors.where", model=c.chosen.name, part=where, n=part["total"])}
