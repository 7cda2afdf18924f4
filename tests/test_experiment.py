"""Experiment plans: what is wrong in one is named, crossing gives every combination, runs are not repeated, and the files are there."""

import json
from pathlib import Path

import pandas as pd
import pytest

import experiment
from experiment import Plan, main_effects, read_plan, run_plan
from features.errors import ScratchworkError
from models.artifacts import write_json
from pipeline import Workspace
from sources.demo import make_demo_set

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
    def run(workspace: Workspace, *_: object) -> None:
        workspace.artifacts.mkdir(parents=True)
        pd.DataFrame({"part": ["out_of_fold"]}).to_parquet(workspace.artifacts / experiment.JUDGED)
        write_json({"metrics": {"out_of_fold": {"macro_f1": 0.5}, "held_out": None}, "seconds": 1}, workspace.artifacts / experiment.RESULT)

    monkeypatch.setattr(experiment, "_one_run", run)
    plan = plan_of(tmp_path, f"data = '{small_set}'\njudged_on = 'held_out'")
    with pytest.raises(ScratchworkError, match=r'judged_on = "held_out", but no picture of .* was held out.*judge on "out_of_fold"'):
        run_plan(Workspace(small_set, tmp_path / "artifacts"), plan)
