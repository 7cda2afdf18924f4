"""Experiment plans: a TOML file says what is varied, the runs resume and share what is extracted, and one table says what it was worth.

    title = "What each remedy for imbalance is worth"
    metric = "macro_f1"            # or micro_f1, log_loss
    judged_on = "out_of_fold"      # or held_out, or test (then give a labelled folder)
    test = "data/test"
    data = ["data/training"]       # several sets are repetitions, as seeds are
    seeds = [0, 1, 2]
    time_limit_min = 90            # no run is started later
    refit_best = true              # or the name of a setting

    [base]                         # options of train, and of clean under clean.…, as the command line has them
    model = "lgbm"

    [cross]                        # every combination of these
    balance = ["none", "smote"]

    [[setting]]                    # and/or settings by name, each a change of the base
    name = "ours"

Results in ARTIFACTS/experiments/NAME: table.csv, table.md, effects.csv, plot.png, a folder per run, and best/ with the best setting
fitted on everything.
"""

import difflib
import hashlib
import itertools
import json
import math
import shutil
import time
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

import pipeline
import scoring
from cleaning.decisions import CHECKS, CleaningSettings
from features.errors import ScratchworkError
from features.scan import scan_folder
from models import MODELS
from models.artifacts import write_json
from models.comparison import METRICS, PARTS, Run, result_table
from models.recipes import Augmentation, CnnParameters, cnn_parameters, usual_folds
from models.stack import StackParameters
from pipeline import TrainOutcome, Workspace, write_parquet
from reports.evaluation import write_table
from reports.experiments import write_comparison, write_markdown

TOP = {"title", "metric", "judged_on", "data", "test", "seeds", "time_limit_min", "refit_best", "base", "cross", "setting"}
NETWORK = {f.name for kind in (CnnParameters, Augmentation) for f in fields(kind)} - {"augmentation", "seed", "arch", "undersample"}
LGBM = {"balance", "trust_labels", "leave_out", "mirror"}
NETWORK_BALANCES = ("none", "undersample")
CLEAN = {"only", "skip", *(f.name for f in fields(CleaningSettings) if f.name not in ("checks", "seed"))}
OPTIONS = {"model", "crop", "folds", "preset", "arch", "blend", *NETWORK, *LGBM, *(f"clean.{name}" for name in CLEAN)}
RESULT, JUDGED = "result.json", "judged.parquet"  # of a run: its figures, and every picture that it judged without having seen it
Options = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """``settings``: name → options of train and clean; ``factors``: of each crossed option, name of the setting → its level."""

    name: str
    title: str
    metric: str
    judged_on: str
    data: tuple[Path, ...]
    test: Path | None
    seeds: tuple[int, ...]
    time_limit_min: float
    refit_best: str  # the setting that is fitted on everything in the end, "best" for the best one, empty for none
    settings: dict[str, Options]
    factors: dict[str, dict[str, str]]


@dataclass(frozen=True)
class Outcome:
    """``table``: a row per setting, best first; ``first``: the setting from which its differences are; ``effects``: a row per level of a crossed
    option; ``missing``: runs that were not started in time."""

    table: pd.DataFrame
    first: str
    effects: pd.DataFrame
    missing: list[str]
    files: list[Path]


def read_plan(file: Path, default_data: Path) -> Plan:
    """A plan, checked as a whole. Raises `ScratchworkError` naming what is wrong in it."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScratchworkError(f"{file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScratchworkError(f"{file} is not TOML: {error}") from error
    _known(content, TOP, f"{file}")
    base = _flat(content.get("base", {}))
    cross = _flat(content.get("cross", {}))
    named = [dict(setting) for setting in content.get("setting", [])] or [{"name": ""}]
    for number, setting in enumerate(named, 1):
        if "name" not in setting:
            raise ScratchworkError(f"{file}: setting {number} has no name")
    for where, options in (("[base]", base), ("[cross]", cross), *((f"setting {s['name']!r}", _options_of(s)) for s in named)):
        _known(options, OPTIONS, f"{file}: {where}")
    for option, levels in cross.items():
        if not isinstance(levels, list) or not levels:
            raise ScratchworkError(f"{file}: [cross] {option} needs a list of values, not {levels!r}")
    metric, judged_on = content.get("metric", METRICS[0]), content.get("judged_on", "test" if "test" in content else PARTS[0])
    for value, choices, key in ((metric, METRICS, "metric"), (judged_on, PARTS, "judged_on")):
        if value not in choices:
            raise ScratchworkError(f"{file}: {key} {value!r} is unknown; choose one of {', '.join(choices)}")
    if judged_on == "test" and "test" not in content:
        raise ScratchworkError(f'{file}: judged_on = "test" needs test = "a labelled folder"')
    settings, factors = _settings(base, cross, named)
    data = content.get("data", [str(default_data)])
    folders = tuple(Path(d) for d in ([data] if isinstance(data, str) else data))
    test = Path(content["test"]) if "test" in content else None
    wish = content.get("refit_best", False)
    refit = ("best" if wish else "") if isinstance(wish, bool) else str(wish)
    if refit not in ("", "best", *settings):
        raise ScratchworkError(f"{file}: refit_best {refit!r} is no setting; give true or one of {', '.join(settings)}")
    return Plan(file.stem, content.get("title", file.stem), metric, judged_on, folders, test, tuple(content.get("seeds", [0])),
                float(content.get("time_limit_min", math.inf)), refit, settings, factors)


def _settings(base: Options, cross: Options, named: list[dict[str, Any]]) -> tuple[dict[str, Options], dict[str, dict[str, str]]]:
    """Every named setting with every combination, and which level of which option each has."""
    settings: dict[str, Options] = {}
    factors: dict[str, dict[str, str]] = {option: {} for option in cross}
    for setting, levels in itertools.product(named, itertools.product(*cross.values())):
        chosen = dict(zip(cross, levels, strict=True))
        told = ", ".join(f"{option} {_text(level)}" for option, level in chosen.items())
        name = ": ".join(part for part in (setting["name"], told) if part) or "base"
        settings[name] = {**base, **_options_of(setting), **chosen}
        for option, level in chosen.items():
            factors[option][name] = _text(level)
    return settings, factors


@pipeline.alone
def run_plan(workspace: Workspace, plan: Plan) -> Outcome:
    """Run what was not run yet, write the table. ``workspace``: where artifacts lie and how to speak; the data are the plan's."""
    folder = workspace.artifacts / "experiments" / plan.name
    started = time.perf_counter()
    runs: list[Run] = []
    missing = []
    todo = list(itertools.product(plan.data, plan.seeds, plan.settings.items()))
    seen = {data: _data_signature(data) for data in plan.data}
    for number, (data, seed, (name, options)) in enumerate(todo, 1):
        own = replace(workspace, data=data, seed=seed, artifacts=folder / "runs" / _run_digest(seen[data], seed, options),
                      cache=workspace.artifacts / "cache")
        told = f"run {number} of {len(todo)}: {name}, seed {seed}, {data}"
        if all((own.artifacts / file).exists() for file in (RESULT, JUDGED)):
            workspace.notice(f"{told}: there already")
        elif time.perf_counter() - started > 60 * plan.time_limit_min:
            missing.append(told)
            continue
        else:
            workspace.notice(told)
            _one_run(own, plan, name, options, folder / "splits" / f"{_split_digest(seen[data], seed, options)}.csv")
        result = json.loads((own.artifacts / RESULT).read_text(encoding="utf-8"))
        if not result["metrics"].get(plan.judged_on):
            raise ScratchworkError(f'{told}: judged_on = "{plan.judged_on}", but no picture of {data} was held out, there are too few; judge on '
                                   '"out_of_fold", or give test = "a labelled folder"')
        runs.append(Run(name, f"{data}, seed {seed}", result["metrics"], pd.read_parquet(own.artifacts / JUDGED), result["seconds"]))
    if not runs:
        raise ScratchworkError(f"no run of {plan.name} was started within its time_limit_min of {plan.time_limit_min:g}")
    table = result_table(runs, plan.metric, plan.judged_on)
    effects = main_effects(table, plan)
    files = [folder / name for name in ("table.csv", "table.md", "effects.csv", "plot.png")]
    write_table(table, files[0])
    write_markdown(plan.title, table, effects, (plan.metric, plan.judged_on, runs[0].setting), missing, files[1])
    write_table(effects, files[2])
    write_comparison(table, plan.metric, plan.title, files[3])
    if plan.refit_best:
        files.append(_best(workspace, plan, str(table.index[0]) if plan.refit_best == "best" else plan.refit_best, folder / "best"))
    return Outcome(table, runs[0].setting, effects, missing, files)


def _one_run(workspace: Workspace, plan: Plan, name: str, options: Options, split: Path) -> None:
    """Clean, train, score; ``result.json`` is written last, so that a run that broke off is run again. Settings that group alike share a split."""
    if split.exists():
        workspace.artifacts.mkdir(parents=True, exist_ok=True)
        shutil.copy(split, workspace.artifacts / "split.csv")
    outcome = _trained(workspace, options, refit=False)
    split.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(workspace.artifacts / "split.csv", split)
    found = {"out_of_fold": outcome.out_of_fold, "held_out": outcome.held_out}
    judged = scoring.unseen(workspace, outcome.model_file)
    if plan.test:
        tested = scoring.evaluate(workspace, outcome.model_file, plan.test)
        found["test"] = tested.metrics
        judged = pd.concat([judged, tested.judged.assign(part="test")])
    write_parquet(judged, workspace.artifacts / JUDGED)
    write_json({"setting": name, "options": options, "seed": workspace.seed, "data": str(workspace.data), "model": outcome.model_file.stem,
                "seconds": outcome.seconds, "metrics": found}, workspace.artifacts / RESULT)


def _trained(workspace: Workspace, options: Options, refit: bool) -> TrainOutcome:
    """One setting, as the commands would do it."""
    model = options.get("model", "lgbm")
    if model not in MODELS:
        raise ScratchworkError(f"model {model!r} is unknown; choose one of {', '.join(MODELS)}")
    workspace = replace(workspace, settings=replace(workspace.settings, crop=options.get("crop", "none")))
    cleaning = {name.removeprefix("clean."): value for name, value in options.items() if name.startswith("clean.")}
    if cleaning:
        pipeline.clean(workspace, _cleaning(cleaning))
    preset, arch = options.get("preset", "fast"), options.get("arch", "scratch")
    network = cnn_parameters(preset, arch, {**{name: value for name, value in options.items() if name in NETWORK}, "seed": workspace.seed})
    folds = options.get("folds")
    if model == "cnn":
        if options.get("balance", "none") not in NETWORK_BALANCES:
            raise ScratchworkError(f"balance {options['balance']!r} is not for a network; choose one of {', '.join(NETWORK_BALANCES)}, or use "
                                   "sampling, loss, logit_adjustment")
        network = replace(network, undersample=options.get("balance") == "undersample")
        return pipeline.train(workspace, usual_folds(preset, arch) if folds is None else folds, network, refit)
    from models.lgbm import LgbmParameters

    boosted = LgbmParameters(seed=workspace.seed, **{name: value for name, value in options.items() if name in LGBM})
    if model == "lgbm":
        return pipeline.train(workspace, folds, boosted, refit)
    stack = StackParameters(options.get("blend", "stack"), workspace.seed)
    return pipeline.train_stack(workspace, pipeline.StackPlan(boosted, network, stack), folds, refit)


def _cleaning(options: Options) -> CleaningSettings:
    """As ``clean`` takes them; wrong labels are looked for only where they are to be dropped, since nothing else would change."""
    only, skip = options.get("only", CHECKS), options.get("skip", [])
    for check in {*only, *skip} - set(CHECKS):
        raise ScratchworkError(f"there is no check {check!r}; the checks are {', '.join(CHECKS)}")
    wanted = [check for check in CHECKS if check in only and check not in skip and (check != "labels" or options.get("drop_wrong_labels"))]
    return CleaningSettings(tuple(wanted), **{name: value for name, value in options.items() if name not in ("only", "skip")})


def main_effects(table: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Per level of each crossed option the mean of the metric over the settings that have it, and how far from the mean of all.

    Only settings that were run at every level of the option, all else being equal, count: a time limit may have cut the plan short.
    """
    rows = []
    for option, levels in plan.factors.items():
        alike: dict[str, list[str]] = {}
        for name in levels:
            alike.setdefault(repr({k: v for k, v in plan.settings[name].items() if k != option}), []).append(name)
        fair = [name for names in alike.values() if set(names) <= set(table.index) for name in names]
        scores = table.loc[fair, plan.metric]
        for level, own in scores.groupby(scores.index.map(levels), sort=False):
            rows.append({"option": option, "level": level, "settings": len(own), plan.metric: own.mean(), "effect": own.mean() - scores.mean()})
    return pd.DataFrame(rows, columns=["option", "level", "settings", plan.metric, "effect"]).set_index("option")


def _best(workspace: Workspace, plan: Plan, name: str, folder: Path) -> Path:
    """One setting fitted once more on all pictures of the first data folder."""
    workspace.notice(f"fitting {name!r} on everything")
    own = replace(workspace, data=plan.data[0], seed=plan.seeds[0], artifacts=folder, cache=workspace.artifacts / "cache")
    return _trained(own, plan.settings[name], refit=True).model_file


def _run_digest(data: str, seed: int, options: Options) -> str:
    return hashlib.sha256(json.dumps([data, seed, options], sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def _split_digest(data: str, seed: int, options: Options) -> str:
    """Of everything on which the held-out part and the folds may depend, but for what cleaning leaves."""
    content = [data, seed, *(options.get(name) for name in ("folds", "clean.groups", "clean.group_level"))]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _data_signature(data: Path) -> str:
    """Of the names and sizes of the files: where they changed, runs are made anew."""
    files = scan_folder(data).files
    return hashlib.sha256("\n".join(f"{path} {size}" for path, size in files["bytes"].items()).encode()).hexdigest()


def _known(options: Options, known: set[str], where: str) -> None:
    for name in options:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            raise ScratchworkError(f"{where} has an unknown key {name!r}{f'; did you mean {close[0]!r}?' if close else ''}")


def _options_of(setting: dict[str, Any]) -> Options:
    return _flat({name: value for name, value in setting.items() if name != "name"})


def _flat(content: dict[str, Any], before: str = "") -> dict[str, Any]:
    """``{"clean": {"skip": …}}`` as ``{"clean.skip": …}``; dashes as the command line has them become underscores."""
    found: dict[str, Any] = {}
    for name, value in content.items():
        key = before + name.replace("-", "_")
        found |= _flat(value, key + ".") if isinstance(value, dict) else {key: value}
    return found


def _text(level: Any) -> str:
    return ("+".join(map(str, level)) or "nothing") if isinstance(level, list) else str(level).lower() if isinstance(level, bool) else str(level)
