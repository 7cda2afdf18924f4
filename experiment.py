"""Experiments: the runs of a plan (`plans`) resume and share what is extracted, and one table says what each setting was worth.

Results in ARTIFACTS/experiments/NAME: table.csv, table.md, effects.csv, plot.png, a folder per run, and best/ with the best setting
fitted on everything. A run is made anew where its data, its groups, what people decided of them (overrides.csv), what is extracted or a default has
changed; scores on the test folder are kept apart, so that another one costs no training.
"""

import hashlib
import itertools
import json
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

import pipeline
import scoring
from cleaning.decisions import CleaningSettings
from features.errors import ScratchworkError
from features.scan import scan_folder
from models.artifacts import versions, write_json
from models.comparison import Run, mixed_versions, of_all_settings, result_table
from pipeline import TrainOutcome
from plans import Options, Plan, training_of
from reports.evaluation import write_table
from reports.experiments import write_comparison, write_markdown
from workspace import Workspace, alone, scanned_folder, write_parquet

RESULT, JUDGED = "result.json", "judged.parquet"  # of a run: its figures, and every picture that it judged without having seen it
JOURNAL = "overrides.csv"


@dataclass(frozen=True)
class Outcome:
    """``table``: a row per setting, best first; ``first``: the setting from which its differences are; ``effects``: a row per level of a crossed
    option; ``missing``: runs that were not started in time; ``failed``: what could not be made, and why; ``notes``: how far the settings were
    compared like with like, where they were not."""

    table: pd.DataFrame
    first: str
    effects: pd.DataFrame
    missing: list[str]
    failed: list[str]
    notes: list[str]
    files: list[Path]


@alone
def run_plan(workspace: Workspace, plan: Plan) -> Outcome:
    """Run what was not run yet, write the table. ``workspace``: where artifacts lie and how to speak; the data are the plan's.

    A run that fails is told of, and the others go on. Raises `ScratchworkError` where there is nothing to compare.
    """
    folder = workspace.artifacts / "experiments" / plan.name
    started = time.perf_counter()
    runs: list[Run] = []
    missing, failed = list[str](), list[str]()
    todo = list(itertools.product(plan.data, plan.seeds, plan.settings.items()))
    decided = {data: _decided(workspace, data) for data in plan.data}
    seen = {data: f"{_data_signature(data)} {workspace.settings.max_pixels} {hashlib.sha256(said).hexdigest() if said else ''}"
            for data, said in decided.items()}
    tested = _data_signature(plan.test) if plan.test else ""
    for number, (data, seed, (name, options)) in enumerate(todo, 1):
        own = replace(workspace, data=data, seed=seed, artifacts=folder / "runs" / _run_digest(workspace, seen[data], seed, options),
                      cache=workspace.artifacts / "cache")
        told = f"run {number} of {len(todo)}: {name}, seed {seed}, {data}"
        there = all((own.artifacts / file).exists() for file in (RESULT, JUDGED))
        if not there and time.perf_counter() - started > 60 * plan.time_limit_min:
            missing.append(told)
            continue
        workspace.notice(f"{told}: there already" if there else told)
        try:
            if not there:
                _one_run(workspace, own, decided[data], plan.name, name, options,
                         folder / "splits" / f"{_split_digest(seen[data], seed, options)}.csv")
            runs.append(_judged_run(own, plan, name, tested))
        except ScratchworkError as error:
            failed.append(f"{told}: {error}")
            workspace.notice(f"{told}: failed, the plan goes on: {error}")
    if not runs:
        raise ScratchworkError(failed[0] if failed else f"no run of {plan.name} was started within its time_limit_min of {plan.time_limit_min:g}")
    shared = of_all_settings(runs)
    fair, notes = shared or runs, list[str]()
    if not shared:
        notes.append("no data and seed were run with every setting: the settings are not compared like with like")
    elif len(runs) > len(shared):
        notes.append(f"{len(runs) - len(shared)} more runs are not in the table, since not every setting was run with their data and seed")
    if mixed := mixed_versions(fair):
        notes.append(f"not every run was made with the same version of {', '.join(mixed)}; remove {folder / 'runs'} to make all of them anew")
    table = result_table(fair, plan.metric, plan.judged_on)
    effects = main_effects(table, plan)
    files = [folder / name for name in ("table.csv", "table.md", "effects.csv", "plot.png")]
    judged = (plan.metric, plan.judged_on, fair[0].setting)
    write_table(table, files[0])
    write_markdown(plan.title, table, effects, judged, missing, failed, notes, files[1])
    write_table(effects, files[2])
    write_comparison(table, plan.metric, plan.title, files[3])
    if plan.refit_best:
        name = str(table.index[0]) if plan.refit_best == "best" else plan.refit_best
        try:
            files.append(_best(workspace, plan, name, seen[plan.data[0]], decided[plan.data[0]], folder / "best"))
        except ScratchworkError as error:  # the table is there all the same
            failed.append(f"{name!r} fitted on everything: {error}")
            write_markdown(plan.title, table, effects, judged, missing, failed, notes, files[1])
    return Outcome(table, fair[0].setting, effects, missing, failed, notes, files)


def _one_run(workspace: Workspace, own: Workspace, decided: bytes, plan: str, name: str, options: Options, split: Path) -> None:
    """Clean, train, score; ``result.json`` is written last, so that a run that broke off is run again. Settings that group alike share a split."""
    if split.exists():
        own.artifacts.mkdir(parents=True, exist_ok=True)
        shutil.copy(split, own.artifacts / "split.csv")
    outcome = _trained(workspace, own, decided, options, refit=False, told={"experiment": plan, "setting": name})
    split.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(own.artifacts / "split.csv", split)
    write_parquet(scoring.unseen(own, outcome.model_file), own.artifacts / JUDGED)
    result = {"setting": name, "options": options, "seed": own.seed, "data": str(own.data), "model": outcome.model_file.stem,
              "seconds": outcome.seconds, "versions": versions(), "metrics": {"out_of_fold": outcome.out_of_fold, "held_out": outcome.held_out}}
    write_json(result, own.artifacts / RESULT)


def _judged_run(own: Workspace, plan: Plan, name: str, tested: str) -> Run:
    """A run that was made, with its scores on the plan's test folder, whose signature is ``tested``; scored now where it was not yet."""
    result = json.loads((own.artifacts / RESULT).read_text(encoding="utf-8"))
    metrics, judged = result["metrics"], pd.read_parquet(own.artifacts / JUDGED)
    if plan.test:
        figures, pictures = (own.artifacts / f"test.{tested[:16]}.{kind}" for kind in ("json", "parquet"))
        if not figures.exists() or not pictures.exists():
            found = scoring.evaluate(own, own.artifacts / f"{result['model']}.joblib", plan.test)
            write_parquet(found.judged.assign(part="test"), pictures)
            write_json(found.metrics, figures)
        metrics["test"] = json.loads(figures.read_text(encoding="utf-8"))
        judged = pd.concat([judged, pd.read_parquet(pictures)])
    if not metrics.get(plan.judged_on):
        raise ScratchworkError(f'judged_on = "{plan.judged_on}", but no picture of {own.data} was held out, there are too few; judge on '
                               '"out_of_fold", or give test = "a labelled folder"')
    return Run(name, f"{own.data}, seed {own.seed}", metrics, judged, result["seconds"], result.get("versions", {}))


def _trained(workspace: Workspace, own: Workspace, decided: bytes, options: Options, refit: bool, told: dict[str, str]) -> TrainOutcome:
    """One setting, as the commands would do it in ``own``, with what people ``decided``; remembered in the journal of ``workspace``'s runs too."""
    training = training_of(options, own.seed)
    own = replace(own, settings=replace(own.settings, crop=training.crop))
    if decided:
        own.artifacts.mkdir(parents=True, exist_ok=True)
        (own.artifacts / JOURNAL).write_bytes(decided)
    if training.cleaning:
        pipeline.clean(own, training.cleaning)
    if training.model == "stack":
        assert training.boosted
        outcome = pipeline.train_stack(own, pipeline.StackPlan(training.boosted, training.network, training.stack), training.folds, refit)
    else:
        outcome = pipeline.train(own, training.folds, training.network if training.model == "cnn" else training.boosted, refit)
    pipeline.remember_run(workspace, own, outcome, told)
    return outcome


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


def _best(workspace: Workspace, plan: Plan, name: str, seen: str, decided: bytes, folder: Path) -> Path:
    """One setting fitted once more on all pictures of the first data folder, in a folder that holds nothing of an earlier one."""
    options, seed = plan.settings[name], plan.seeds[0]
    digest, known = _run_digest(workspace, seen, seed, options), folder / RESULT
    if known.exists() and (before := json.loads(known.read_text(encoding="utf-8")))["digest"] == digest and (folder / before["model"]).exists():
        workspace.notice(f"{name!r} fitted on everything: there already")
        return Path(folder / before["model"])
    workspace.notice(f"fitting {name!r} on everything")
    if folder.exists():
        shutil.rmtree(folder)
    own = replace(workspace, data=plan.data[0], seed=seed, artifacts=folder, cache=workspace.artifacts / "cache")
    outcome = _trained(workspace, own, decided, options, refit=True, told={"experiment": plan.name, "setting": name})
    write_json({"setting": name, "options": options, "seed": seed, "data": str(own.data), "model": outcome.model_file.name, "digest": digest}, known)
    return outcome.model_file


def _decided(workspace: Workspace, data: Path) -> bytes:
    """The journal of what people decided as it is now, the same for every run of a plan; empty where there is none, or it is of another folder."""
    journal = workspace.artifacts / JOURNAL
    if not journal.exists():
        return b""
    if scanned_folder(workspace) not in ("", str(data.resolve())):
        workspace.notice(f"{journal} is not of {data}: what people decided is not used there")
        return b""
    return journal.read_bytes()


def _groups(options: Options) -> str:
    """sha256 of the user's groups, empty where there are none; a file that is not there is told of when its run comes."""
    file = Path(str(options.get("clean.groups", "")))
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""


def _digest(*content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def _run_digest(workspace: Workspace, seen: str, seed: int, options: Options) -> str:
    """Of everything that a run was made from but the installed versions. Every option with its value, so that a default that has changed since is
    another run, not the old one under the same name."""
    training = training_of(options, seed)
    pixels = replace(workspace.settings, crop=training.crop).fingerprint()
    own = training.cleaning or CleaningSettings(), training.folds, training.boosted, training.model != "lgbm" and training.network
    return _digest(seen, pixels, training.model, repr(own), training.model == "stack" and repr(training.stack), _groups(options))


def _split_digest(seen: str, seed: int, options: Options) -> str:
    """Of everything on which the held-out part and the folds may depend, but for what cleaning leaves."""
    return _digest(seen, seed, [options.get(name) for name in ("folds", "clean.group_level")], _groups(options))


def _data_signature(data: Path) -> str:
    """Of the names and sizes of the files: where they changed, runs are made anew."""
    files = scan_folder(data).files
    return hashlib.sha256("\n".join(f"{path} {size}" for path, size in files["bytes"].items()).encode()).hexdigest()
