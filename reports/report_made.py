"""Part 5 of the report: how everything was made, so that somebody else can make it again."""

import shlex
from dataclasses import asdict, fields
from typing import Any, NamedTuple

import pandas as pd

from cleaning.decisions import CHECKS, CleaningSettings
from cleaning.folds import TEST
from features.images import DEFAULT_MAX_PIXELS
from models.artifacts import judged_folds
from models.recipes import PRESETS, cnn_parameters
from models.runs import setting_of
from reports.report_models import ModelFacts
from reports.report_texts import Texts

DIGITS = 16  # of a digest that are shown
NO_OPTION = {"arch", "augmentation", "seed", "schedule", "decay", "keep_best"}  # of a recipe: said otherwise, or published with an architecture
SWITCHES = {"kernel_head": ("--kernel-head", "--softmax-only"), "gray": ("--gray", "--color"), "progressive": ("--progressive", "--one-size"),
            "mirrored_views": ("--mirrored-views", "--one-view"), "deterministic": ("--deterministic", "--fastest"),
            "edge_networks": ("--edge-networks", "--no-edge-networks"), "edges": ("--edges", "--no-edges"), "harmonic": ("--harmonic", "--pixelwise"),
            "compiled": ("--compile", "--no-compile"), "mirror": ("--mirror", "--no-mirror"), "upside_down": ("--upside-down", "--upright"),
            "undersample": ("--balance undersample", "--balance none"), "trust_labels": ("--trust-labels", "")}  # on, off


class Where(NamedTuple):
    """Options that name the data folder and the artifacts folder, each with a blank before it; empty for the usual ones."""

    data: str = ""
    artifacts: str = ""


USUAL = Where()


def made_part(manifest: pd.DataFrame, cleaning: dict[str, Any], models: list[ModelFacts], runs: dict[int, dict[str, Any]], versions: dict[str, str],
              fingerprint: str, where: Where, t: Texts) -> dict[str, Any]:
    """What the template needs for part 5."""
    return {"commands": commands(cleaning, models, where), "runs": _runs(runs, t), "facts": _facts(manifest, models, fingerprint, t),
            "versions": t.table(("what", "version"), [[name, version] for name, version in versions.items()])}


def commands(cleaning: dict[str, Any], models: list[ModelFacts], where: Where = USUAL) -> list[str]:
    """What makes the same again, from the same folder."""
    every = "".join(next((f" {option} {value(model.card)}" for model in models if value(model.card) != usual), "")
                    for option, usual, value in (("--crop", "none", lambda card: card.get("crop", "none")),
                                                 ("--max-pixels", DEFAULT_MAX_PIXELS, lambda card: card.get("max_pixels", DEFAULT_MAX_PIXELS))))
    both = f"{where.data}{where.artifacts}{every}"
    made = [f"python cli.py features{both}"]
    if cleaning:
        made.append(f"python cli.py clean{both}{cleaning_options(cleaning['settings'])}")
    bases_there = {"lgbm", "cnn"} <= {model.name for model in models}
    taught = [model for model in models if "pseudo_label" in model.card]  # a stack that trains its bases itself
    for model in taught or models:
        made.append(f"python cli.py train --model {model.card['model']}{both}{_training_options(model.card, bases_there)}")
    folder = where.artifacts.removeprefix(" --artifacts ") or "artifacts"
    made += [f"python cli.py evaluate --model {folder}/{model.name}.joblib{where.artifacts} --errors" for model in models[-1:]]
    return [*made, f"python cli.py report{where.artifacts}"]


def cleaning_options(settings: dict[str, Any]) -> str:
    """The options of ``clean`` that were not left as they are."""
    defaults = {f.name: f.default for f in fields(CleaningSettings)}
    told = "".join(f" --skip {check}" for check in CHECKS if check not in settings["checks"])
    for name, value in settings.items():
        if name != "checks" and value != defaults.get(name):
            told += f" --{name.replace('_', '-')}" + ("" if value is True else f" {shlex.quote(str(value))}")
    return told


def _training_options(card: dict[str, Any], bases_there: bool) -> str:
    """The options of ``train`` that were not left as they are."""
    parameters = card["parameters"]
    told = f" --seed {parameters.get('seed', 0)}"
    if card["model"] == "lgbm":
        told += f" --balance {parameters['balance']} --folds {card['folds']}" + " --trust-labels" * bool(parameters.get("trust_labels"))
        told += " --no-mirror" * (not parameters.get("mirror", True))
    elif card["model"] == "cnn":
        told += _recipe_options(parameters) + (f" --folds {card['folds']}" if judged_folds(card) > 1 else "")
    elif pseudo := card.get("pseudo_label"):
        told += f" --blend {parameters['blend']} --folds {card['folds']} --pseudo-label {shlex.quote(pseudo['folder'])}"
        told += f" --pseudo-floor {pseudo['floor']:g} --pseudo-cap {pseudo['cap']:g}" + _recipe_options(card["base_parameters"]["cnn"])
        told += f" --balance {card['base_parameters']['lgbm']['balance']}"
    else:
        told += f" --blend {parameters['blend']} --folds {card['folds']}" + " --keep-bases" * bases_there
        if bases_there:
            return told  # refitted or not, as the bases are
    return told + " --refit" * bool(card.get("refit"))


def _recipe_options(parameters: dict[str, Any]) -> str:
    """Architecture, the preset that leaves least to say, and what differs from it."""
    told = {preset: _differences(asdict(cnn_parameters(preset, parameters["arch"])), parameters) for preset in PRESETS}
    preset = min(told, key=lambda name: len(told[name]))
    return f" --arch {parameters['arch']} --preset {preset}" + "".join(f" {option}" for option in told[preset])


def _differences(recipe: dict[str, Any], parameters: dict[str, Any]) -> list[str]:
    """As options of the command line."""
    one, two = ({**own, **own.get("augmentation", {})} for own in (recipe, parameters))
    changed = [name for name in two if name not in NO_OPTION and name in one and two[name] != one[name]]
    told = [SWITCHES[name][not two[name]] if name in SWITCHES else f"--{name.replace('_', '-')} {two[name]}" for name in changed]
    return [option for option in told if option]


def _runs(runs: dict[int, dict[str, Any]], t: Texts) -> dict[str, Any] | None:
    """The journal of everything trained, last first."""
    if not runs:
        return None
    body = []
    for number, run in reversed(runs.items()):
        told = run["metrics"].get("held_out") or run["metrics"].get("out_of_fold", {})
        figures = [f"{told['macro_f1']:.3f}" if told else "–", f"{run.get('seconds', 0):,.0f}"]
        body.append([str(number), run.get("when", "")[:16].replace("T", " "), run["model"], setting_of(run) or "–", run.get("data_digest", "")[:8],
                     str(run["parameters"].get("seed", "")), *figures])
    return t.table(("run", "when", "model", "experiment", "data", "seed", "macro_f1", "seconds"), body)


def _facts(manifest: pd.DataFrame, models: list[ModelFacts], fingerprint: str, t: Texts) -> dict[str, Any]:
    body = [[t("made.root"), str(manifest.attrs.get("root", ""))], [t("made.extraction"), fingerprint]]
    if "fold" in manifest and manifest["fold"].notna().any():
        fold = manifest["fold"].dropna()
        body.append([t("made.split"), t("made.split_of", held=int((fold == TEST).sum()), total=len(fold), folds=int(fold.max()) + 1)])
    for model in models:
        body += [[t("made.data_of", model=model.name), model.card.get("data_digest", "")[:DIGITS]],
                 [t("made.file_of", model=f"{model.name}.joblib"), model.card["sha256"][:DIGITS]]]
    return t.table(("what", "value"), body)
