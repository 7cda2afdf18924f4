"""Experiment plans: what is wrong in one is named, crossing gives every combination, runs are not repeated, and the files are there."""

import json
import re
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

import experiment
import pipeline
from experiment import main_effects, run_plan
from features import extract
from features.errors import ScratchworkError
from models import lgbm
from models.artifacts import write_json
from models.runs import read_runs
from pipeline import TrainOutcome
from plans import Options, Plan, read_plan
from sources.demo import make_demo_set
from workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent


def plan_of(folder: Path, text: str) -> Plan:
    (folder / "plan.toml").write_text(text, encoding="utf-8")
    return read_plan(folder / "plan.toml", Path("data"))


@pytest.mark.parametrize(("text", "said"), [
    ("seed = [0]", "unknown key 'seed'; did you mean 'seeds'"),
    ("[base]\nmodle = 'cnn'", r"\[base\] has an unknown key 'modle'; did you mean 'model'"),
    ("[cross]\nbalance = 'none'", r"\[cross\] balance needs a list of values, not 'none'"),
    ("[[setting]]\nmodel = 'cnn'", "setting 1 has no name"),
    ("[[setting]]\nname = 'x'\nclean.skipp = []", "unknown key 'clean.skipp'; did you mean 'clean.skip'"),
    ("metric = 'f2'", "metric 'f2' is unknown; choose one of macro_f1"),
    ("judged_on = 'test'", 'judged_on = "test" needs test = '),
    ("refit_best = 'none such'", "refit_best 'none such' is no setting; give true or one of base"),
    ("= 3", "is not TOML"),
    ("[setting]\nname = 'x'", r"setting is \{'name': 'x'\}; it must be a list"),
    ("setting = [1]", r"a setting begins with \[\[setting\]\]"),
    ("seeds = 0", "seeds is 0; it must be a list"),
    ("seeds = []", "seeds needs at least one value"),
    ("seeds = [0, 0]", "seeds needs at least one value and each of them once"),
    ("seeds = [true]", "seeds is True; it must be a whole number"),
    ("base = 'x'", "base is 'x'; it must be a table"),
    ("time_limit_min = '1h'", "time_limit_min is '1h'; it must be a number"),
    ("[base]\nmodel = 'cnn'\nepochs = '10'", "epochs is '10'; it must be a whole number"),
    ("[base]\nmodel = 'cnn'\nmixup = 'much'", "mixup is 'much'; it must be a number"),
    ("[base]\nfolds = 2.5", "folds is 2.5; it must be a whole number"),
    ("[base]\nbalance = 'smot'", "setting 'base': balance 'smot' is unknown"),
    ("[base]\nclean.only = 'photos'", r"clean\.only is 'photos'; it must be a list"),
    ("[base]\nepochs = 4", r"\[base\] has epochs, which is of no use to lgbm"),
    ("[cross]\nepochs = [4, 8]", r"\[cross\] is of model 'lgbm', which has no epochs"),
    ("[cross]\nbalance = ['none', 'none']", r"\[cross\] balance has a value twice"),
    ("[[setting]]\nname = 'x'\nmodel = 'cnn'\nleave_out = ['hog']", "setting 'x' is of model 'cnn', which has no leave_out"),
    ("[base]\nmodel = ['lgbm', 'cnn']", r"model is \['lgbm', 'cnn'\]; it must be text"),
    ("[base]\nmodel = 'cnn'\npreset = ['fast']", r"preset is \['fast'\]; it must be text"),
    ("[base]\nclean.only = [['x']]", r"clean.only is \['x'\]; it must be text"),
    ("seeds = [-1]", "seeds has -1; seeds begin at 0"),
    ("[base]\nfolds = 1", "folds is 1; at least 2"),
    ("[base]\nclean.group_level = -1", "clean.group_level is -1; it must lie between 0 and"),
    ("[base]\nclean.label_precision = 7", "clean.label_precision is 7; it must lie between 0 and 1"),
    ("[base]\nclean.photo_method = 'kmean'", "clean.photo_method 'kmean' is unknown; choose one of gmm"),
    ("[base]\nmodel = 'cnn'\nsampling = 5.0", "sampling 5.0 is out of range; between 0 and 1"),
    ("[base]\nmodel = 'cnn'\nmixup = -1", "mixup -1 is out of range; at least 0"),
    ("[base]\nbalance = 'none'\n[cross]\nbalance = ['smote']", r"\[base\] says balance and \[cross\] varies it"),
    ("[[setting]]\nname = 'x'\n[[setting]]\nname = 'x'\nbalance = 'smote'", "two settings have the name 'x'"),
    ("[cross]\nbalance = ['none', 'smote']\n[[setting]]\nname = 'x'\nbalance = 'smote'", r"setting 'x' says balance and \[cross\] varies it"),
])
def test_what_is_wrong_in_a_plan_is_named(tmp_path: Path, text: str, said: str) -> None:
    """The file, the place, what was found, and the nearest that is known."""
    with pytest.raises(ScratchworkError, match=said):
        plan_of(tmp_path, text)
    with pytest.raises(ScratchworkError, match=r"missing\.toml cannot be read"):
        read_plan(tmp_path / "missing.toml", Path("data"))


def test_crossing_gives_every_combination(tmp_path: Path) -> None:
    """Two named settings times two by three levels; each has the base, its own changes and one level of each option."""
    plan = plan_of(tmp_path, "[base]\nfolds = 3\n[cross]\nbalance = ['none', 'smote']\nclean.skip = [[], ['photos'], ['photos', 'duplicates']]\n"
                             "[[setting]]\nname = 'a'\n[[setting]]\nname = 'b'\ntrust-labels = true\n")
    assert len(plan.settings) == 12
    assert plan.settings["b: balance smote, clean.skip photos+duplicates"] == {"folds": 3, "trust_labels": True, "balance": "smote",
                                                                             "clean.skip": ["photos", "duplicates"]}
    assert set(plan.factors["clean.skip"].values()) == {"nothing", "photos", "photos+duplicates"}
    assert list(plan_of(tmp_path, "").settings) == ["base"]


@pytest.mark.parametrize("file", sorted((ROOT / "experiments").glob("*.toml")), ids=lambda file: file.name)
def test_the_recipes_are_plans(file: Path) -> None:
    """Every plan that comes along can be read."""
    assert read_plan(file, Path("data")).settings


def test_effects_compare_like_with_like(tmp_path: Path) -> None:
    """Where a time limit cut a crossing short, a level is judged beside what differs in nothing else; where nothing is, there is no effect."""
    plan = plan_of(tmp_path, "metric = 'micro_f1'\n[cross]\nbalance = ['none', 'smote']\nfolds = [3, 4]\n")
    shares = {("none", 3): 0.5, ("none", 4): 0.7, ("smote", 3): 0.6}
    names = {(o["balance"], o["folds"]): name for name, o in plan.settings.items()}
    table = pd.DataFrame({"micro_f1": {names[key]: share for key, share in shares.items()}})
    effects = main_effects(table, plan).reset_index().set_index(["option", "level"])
    expected = {("balance", "none"): -0.05, ("balance", "smote"): 0.05, ("folds", "3"): -0.1, ("folds", "4"): 0.1}
    assert effects["effect"].to_dict() == pytest.approx(expected)
    assert main_effects(table.iloc[:1], plan).empty


def test_runs_are_made_once_and_share_what_is_extracted(tmp_path: Path) -> None:
    """A plan runs, its table and plot are there; run again, nothing is trained; a time limit of nothing names what is missing."""
    make_demo_set(tmp_path / "data", seed=0, scale=0.04)
    told: list[str] = []
    workspace = Workspace(tmp_path / "data", tmp_path / "artifacts", jobs=1, notice=told.append)
    text = f"data = '{tmp_path / 'data'}'\ntitle = '균형'\nrefit_best = true\n[base]\nfolds = 2\n[cross]\nbalance = ['none', 'class-weight']\n"
    plan = plan_of(tmp_path, text)
    outcome = run_plan(workspace, plan)
    assert sorted(outcome.table.index) == ["balance class-weight", "balance none"]
    assert all(file.exists() for file in outcome.files)
    assert "| balance none |" in outcome.files[1].read_text(encoding="utf-8")
    assert sum("new files read" in line for line in told) == 1
    cards = [json.loads(file.read_text(encoding="utf-8")) for file in (tmp_path / "artifacts" / "experiments").rglob("lgbm.json")]
    assert sorted(card["refit"] for card in cards) == [False, False, True]
    told.clear()
    again = run_plan(workspace, plan_of(tmp_path, text.replace("refit_best = true", "time_limit_min = 0")))
    assert sum("there already" in line for line in told) == 2
    pd.testing.assert_frame_equal(again.table, outcome.table)
    with pytest.raises(ScratchworkError, match="no run of plan was started within its time_limit_min of 0"):
        run_plan(workspace, plan_of(tmp_path, text.replace("'none', 'class-weight'", "'smote'").replace("refit_best = true", "time_limit_min = 0")))


def test_a_set_too_small_to_hold_out_is_named(small_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Judging on a part that has no picture: the data folder, and what to judge on instead."""
    def run(_: Workspace, own: Workspace, *__: object) -> None:
        own.artifacts.mkdir(parents=True)
        pd.DataFrame({"part": ["out_of_fold"]}).to_parquet(own.artifacts / experiment.JUDGED)
        write_json({"metrics": {"out_of_fold": {"macro_f1": 0.5}, "held_out": None}, "seconds": 1}, own.artifacts / experiment.RESULT)

    monkeypatch.setattr(experiment, "_one_run", run)
    plan = plan_of(tmp_path, f"data = '{small_set}'\njudged_on = 'held_out'")
    with pytest.raises(ScratchworkError, match=r'judged_on = "held_out", but no picture of .* was held out.*judge on "out_of_fold"'):
        run_plan(Workspace(small_set, tmp_path / "artifacts"), plan)


class Bench:
    """Plans whose trainings are replaced by a count of them: what is run, and in which folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.ran = folder, list[tuple[str, str]]()
        self.told, self.versions = list[str](), {"numpy": "1.0", "torch": "1"}
        self.workspace = Workspace(folder / "data", folder / "artifacts", jobs=1, notice=self.told.append)
        for label in ("가", "b"):
            (folder / "data" / label).mkdir(parents=True)
            (folder / "data" / label / "1.png").write_bytes(label.encode())
        monkeypatch.setattr(experiment, "_one_run", self.one_run)
        monkeypatch.setattr(experiment, "_trained", self.trained)

    def one_run(self, workspace: Workspace, own: Workspace, decided: bytes, plan: str, name: str, *_: object) -> None:
        if name == "broken":
            raise ScratchworkError("it would not")
        self.ran.append((name, own.artifacts.name))
        own.artifacts.mkdir(parents=True)
        score = {"good": 0.8, "easy only": 0.9}.get(name, 0.5) * (0.5 if own.seed else 1.0)
        table = pd.DataFrame({"sha256": ["1", "2"], "label": ["가", "b"], "predicted": ["가", "가"], "group": ["1", "2"], "loss": [0.1, 2.0]})
        table.assign(part="out_of_fold").to_parquet(own.artifacts / experiment.JUDGED)
        figures = {"macro_f1": score, "micro_f1": score, "log_loss": 1.0, "n": 2}
        result = {"model": "lgbm", "metrics": {"out_of_fold": figures, "held_out": None}, "seconds": 1, "versions": self.versions}
        write_json(result, own.artifacts / experiment.RESULT)

    def trained(self, workspace: Workspace, own: Workspace, decided: bytes, options: Options, refit: bool, told: dict[str, str]) -> TrainOutcome:
        if "groups.csv" in str(options):
            raise ScratchworkError("the groups cannot be read")
        self.ran.append((told["setting"], "best"))
        own.artifacts.mkdir(parents=True)
        (own.artifacts / "lgbm.joblib").write_text(told["setting"], encoding="utf-8")
        return TrainOutcome(own.artifacts / "lgbm.joblib", {}, None, {}, 1.0)

    def run(self, text: str) -> experiment.Outcome:
        self.ran.clear()
        return run_plan(self.workspace, plan_of(self.folder, f"data = '{self.folder / 'data'}'\n{text}"))


def test_runs_are_made_anew_where_what_they_rest_on_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pictures, the user's groups, what people decided, what is extracted, a default; nothing else."""
    bench, groups = Bench(tmp_path, monkeypatch), tmp_path / "groups.csv"
    groups.write_text("path,group\nb/1.png,x\n")
    text = f"[[setting]]\nname = 'a'\n[[setting]]\nname = 'with groups'\nclean.groups = '{groups}'\n"
    bench.run(text)
    assert [name for name, _ in bench.ran] == ["a", "with groups"]
    bench.run(text)
    assert bench.ran == []
    groups.write_text("path,group\nb/1.png,y\n")
    bench.run(text)
    assert [name for name, _ in bench.ran] == ["with groups"]
    (tmp_path / "artifacts" / "overrides.csv").write_text("a word\n")
    bench.run(text)
    assert [name for name, _ in bench.ran] == ["a", "with groups"]
    (tmp_path / "data" / "b" / "2.png").write_bytes(b"more")
    bench.run(text)
    assert [name for name, _ in bench.ran] == ["a", "with groups"]
    monkeypatch.setattr(extract, "EXTRACTION_VERSION", 999)
    bench.run(text)
    assert [name for name, _ in bench.ran] == ["a", "with groups"]
    monkeypatch.setattr(lgbm, "LgbmParameters", partial(lgbm.LgbmParameters, balance="smote"))
    bench.run(text)
    assert [name for name, _ in bench.ran] == ["a", "with groups"]
    bench.run(text)
    assert bench.ran == []


def test_runs_of_other_versions_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, monkeypatch)
    assert bench.run("[[setting]]\nname = 'a'\n").notes == []
    bench.versions = {"numpy": "2.0", "torch": "1"}
    both = "[[setting]]\nname = 'a'\n[[setting]]\nname = 'later'\ntrust_labels = true\n"
    assert [re.sub(r"/.*/", "…/", note) for note in bench.run(both).notes] == [
        "not every run was made with the same version of numpy; remove …/runs to make all of them anew"]
    assert "same version of numpy" in (tmp_path / "artifacts" / "experiments" / "plan" / "table.md").read_text(encoding="utf-8")


def test_a_test_folder_that_came_later_or_changed_costs_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its scores are made where they are missing, and made anew where it changed; one that is not there is told before anything runs."""
    bench, scored = Bench(tmp_path, monkeypatch), list[Path]()

    def evaluate(own: Workspace, model_file: Path, folder: Path) -> object:
        scored.append(folder)
        judged = pd.read_parquet(own.artifacts / experiment.JUDGED).drop(columns="part")
        return type("Scored", (), {"judged": judged, "metrics": {"macro_f1": 0.1 * len(scored), "micro_f1": 0.1, "log_loss": 1.0, "n": 2}})

    monkeypatch.setattr(experiment.scoring, "evaluate", evaluate)
    with pytest.raises(ScratchworkError, match=r"data folder .*exam does not exist"):
        bench.run(f"test = '{tmp_path / 'exam'}'")
    assert bench.ran == []
    bench.run("")
    (tmp_path / "exam" / "b").mkdir(parents=True)
    (tmp_path / "exam" / "b" / "1.png").write_bytes(b"exam")
    text = f"test = '{tmp_path / 'exam'}'"
    assert bench.run(text).table["macro_f1"].tolist() == pytest.approx([0.1])
    assert bench.run(text).table["macro_f1"].tolist() == pytest.approx([0.1])
    (tmp_path / "exam" / "b" / "2.png").write_bytes(b"another")
    assert bench.run(text).table["macro_f1"].tolist() == pytest.approx([0.2])
    assert (bench.ran, len(scored)) == ([], 2)


def test_the_best_setting_is_fitted_once_in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that an earlier winner left is there, its cleaning for example; and what is there already is not fitted again."""
    bench = Bench(tmp_path, monkeypatch)
    best = tmp_path / "artifacts" / "experiments" / "plan" / "best"
    bench.run("refit_best = true\n[[setting]]\nname = 'bad'\ntrust_labels = true")
    assert bench.ran[-1] == ("bad", "best")
    (best / "cleaning.json").write_text("{}")
    text = "refit_best = true\n[[setting]]\nname = 'bad'\ntrust_labels = true\n[[setting]]\nname = 'good'"
    assert bench.run(text).files[-1].read_text(encoding="utf-8") == "good"
    assert not (best / "cleaning.json").exists()
    bench.run(text)
    assert bench.ran == []


def test_no_setting_is_best_by_having_had_the_easier_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where some runs are missing, settings are compared on the seeds that all of them had."""
    bench = Bench(tmp_path, monkeypatch)
    both = "[[setting]]\nname = 'good'\n[[setting]]\nname = 'bad'\ntrust_labels = true\n"
    bench.run("seeds = [0, 1]\n[[setting]]\nname = 'good'")
    outcome = bench.run(f"seeds = [0]\n{both}")
    assert outcome.table.index[0] == "good"
    outcome = bench.run(f"seeds = [0, 1]\ntime_limit_min = 0\n{both}")
    assert outcome.table["macro_f1"].to_dict() == {"good": 0.8, "bad": 0.5}
    assert len(outcome.missing) == 1
    assert outcome.notes == ["1 more runs are not in the table, since not every setting was run with their data and seed"]
    assert "1 more runs are not in the table" in outcome.files[1].read_text(encoding="utf-8")


def test_settings_that_share_no_run_are_said_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One was run with one seed and one with another: there is a table, and a word that it compares what is not alike."""
    bench = Bench(tmp_path, monkeypatch)
    bench.run("seeds = [0]\n[[setting]]\nname = 'good'")
    bench.run("seeds = [1]\n[[setting]]\nname = 'bad'\ntrust_labels = true")
    outcome = bench.run("seeds = [0, 1]\ntime_limit_min = 0\n[[setting]]\nname = 'good'\n[[setting]]\nname = 'bad'\ntrust_labels = true")
    assert outcome.notes == ["no data and seed were run with every setting: the settings are not compared like with like"]


def test_a_run_that_fails_is_told_and_the_others_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the outcome and in the table for people."""
    bench = Bench(tmp_path, monkeypatch)
    outcome = bench.run("[[setting]]\nname = 'broken'\n[[setting]]\nname = 'good'")
    assert list(outcome.table.index) == ["good"]
    assert len(outcome.failed) == 1
    assert "it would not" in outcome.failed[0]
    assert outcome.failed[0] in outcome.files[1].read_text(encoding="utf-8")
    outcome = bench.run("refit_best = 'grouped'\n[[setting]]\nname = 'good'\n[[setting]]\nname = 'grouped'\nclean.groups = 'groups.csv'")
    assert len(outcome.table) == 2
    assert outcome.failed == ["'grouped' fitted on everything: the groups cannot be read"]
    assert outcome.failed[0] in outcome.files[1].read_text(encoding="utf-8")


def test_what_people_decided_counts_in_experiments(tmp_path: Path) -> None:
    """A picture that was left out by hand is not learned from, and every run is in the journal of runs with its setting."""
    make_demo_set(tmp_path / "data", seed=0, scale=0.04)
    workspace = Workspace(tmp_path / "data", tmp_path / "artifacts", jobs=1)
    plan = plan_of(tmp_path, f"data = '{tmp_path / 'data'}'\n[base]\nfolds = 2\nclean.skip = ['photos', 'duplicates']\n")
    before = run_plan(workspace, plan).table["pictures"].item()
    manifest = pipeline.update_features(workspace).manifest
    kept = pd.read_parquet(next((tmp_path / "artifacts" / "experiments").rglob("lgbm.oof.parquet")))
    path = str(kept.index[kept["fold"] >= 0][0])
    assert path in manifest.index
    pipeline.record_decision(workspace, path, False, "", "", "")
    assert run_plan(workspace, plan).table["pictures"].item() == before - 1
    runs = list(read_runs(tmp_path / "artifacts" / "runs.jsonl").values())
    assert [(run["experiment"], run["setting"], run["cleaning"]["checks"]) for run in runs] == [("plan", "base", [])] * 2
