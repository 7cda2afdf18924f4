"""The commands as people run them: in a folder of their own, with good input and with every bad input that the README names."""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import cli
from reviewing import commands
from sources.demo import make_demo_set

ROOT = Path(cli.__file__).parent
FOLDS = "3"


class Done(NamedTuple):
    """How a command ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: object, folder: Path | None = None) -> Done:
    """The command, in this process and in ``folder``: what it imports is imported once for all of them."""
    with contextlib.chdir(folder or Path.cwd()), contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = cli.main([str(argument) for argument in arguments])
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``data/training`` (a small generated set) and ``artifacts`` after ``features`` and ``train``."""
    folder = tmp_path_factory.mktemp("trained")
    make_demo_set(folder / "data" / "training", seed=0, scale=0.08)
    for command in (["features"], ["train", "--folds", FOLDS]):
        done = run(*command, folder=folder)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with two labels of eight drawings, in ``tmp_path/data``."""
    rng = np.random.default_rng(0)
    for label in ("disc", "star"):
        for number in range(8):
            write_drawing(tmp_path / "data" / label / f"{number}.png", label, rng)
    return tmp_path / "data"


def write_drawing(file: Path, label: str, rng: np.random.Generator) -> None:
    import cv2

    page = np.full((120, 120, 3), 255, np.uint8)
    color = tuple(int(c) for c in rng.integers(0, 180, 3))
    x, y, size = (int(v) for v in rng.integers([40, 40, 15], [80, 80, 35]))
    if label == "disc":
        cv2.circle(page, (x, y), size, color, -1)
    else:
        for angle in np.arange(5) * 2 * np.pi / 5:
            cv2.line(page, (x, y), (int(x + size * np.cos(angle)), int(y + size * np.sin(angle))), color, 4)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(cv2.imencode(file.suffix, page)[1].tobytes())


def test_features_prints_every_label_and_every_issue(trained: Path) -> None:
    """The table names each label folder, the issues name reason and an example file, and a second run decodes nothing."""
    done = run("features", folder=trained)
    assert done.returncode == 0
    for label in os.listdir(trained / "data" / "training"):
        if not label.startswith("."):
            assert unicodedata.normalize("NFC", label) in done.stdout
    assert "issue: empty file" in done.stdout
    assert "; 0 decoded," in done.stdout
    assert {"counts.png", "width.png", "height.png", "mean_pixel.png"} <= set(os.listdir(trained / "artifacts" / "figures"))


def test_train_saves_what_later_stages_need(trained: Path) -> None:
    """Model, sidecar, split, decisions and out-of-fold probabilities are there; every kept picture has one row of probabilities that sum to 1."""
    card = json.loads((trained / "artifacts" / "lgbm.json").read_text(encoding="utf-8"))
    assert {"classes", "parameters", "versions", "sha256", "data_digest", "metrics", "extraction", "refit"} <= set(card)
    table = pd.read_parquet(trained / "artifacts" / "lgbm.oof.parquet")
    proba = table[["p__" + c for c in card["classes"]]].to_numpy()
    assert np.allclose(proba.sum(axis=1), 1)
    assert set(table["fold"]) == {-1, 0, 1, 2}
    decisions = decisions_of(trained)
    assert set(decisions.index[decisions["keep"]]) == set(table.index)
    assert {"unreadable", "exact_duplicate", "near_duplicate", "label_conflict"} <= set(decisions["reason"])
    assert card["metrics"]["out_of_fold"]["accuracy"] > 0.3  # chance is about 0.15 here


def test_copies_never_straddle_the_split(trained: Path) -> None:
    """Nothing that is linked by duplicates is in two parts, and of the same bytes one file at most is kept."""
    manifest = pd.read_parquet(trained / "artifacts" / "manifest.parquet")
    dealt = manifest[manifest["fold"].notna()]
    assert manifest.loc[manifest["issue"] == "", "group"].duplicated().any()
    assert (dealt.groupby("group")["fold"].nunique() == 1).all()
    assert not dealt["sha256"].duplicated().any()


def test_clean_flags_labels_and_people_overrule(trained: Path, tmp_path: Path) -> None:
    """Decisions come with evidence; a person's word wins, survives another run and a moved file, and can be taken back."""
    shutil.copytree(trained, tmp_path / "copy")
    folder = tmp_path / "copy"
    done = run("clean", "--json", "--allow-empty", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "training lgbm" not in done.stderr, "the probabilities of train are used again"
    decisions = decisions_of(folder)
    assert (decisions.loc[~decisions["keep"], "evidence"] != "").all()
    assert decisions.loc[decisions["keep"] & (decisions["reason"] != ""), "reason"].eq("wrong_label").all(), "labels are flagged, not removed"
    assert decisions["label_score"].dropna().between(0, 1).all()
    repeated = decisions.index[decisions["reason"] == "exact_duplicate"][0]
    assert "left out (exact_duplicate), decided by machine" in run("clean", "--explain", repeated, folder=folder).stdout
    assert run("decide", repeated, "--keep", "--note", "원본", folder=folder).returncode == 0
    moved = f"{repeated.split('/')[0]}/moved{Path(repeated).suffix}"
    shutil.move(folder / "data" / "training" / repeated, folder / "data" / "training" / moved)
    assert run("clean", "--skip", "labels", "--allow-empty", folder=folder).returncode == 0
    row = decisions_of(folder).loc[moved]
    assert (row["keep"], row["decided_by"]) == (True, "person")
    assert row["evidence"].startswith("원본")
    assert run("decide", moved, folder=folder).returncode == 0
    assert run("clean", "--skip", "labels", "--allow-empty", folder=folder).returncode == 0
    assert decisions_of(folder).loc[moved, "decided_by"] == "machine"


@pytest.mark.parametrize(("suspected", "sure", "left_out", "said"), [
    (0, 0, 0, "none suspected"),
    (11, 0, 0, "11 suspected, all kept; by planted wrong labels at least 52% of them are wrong; none is sure enough for --drop-wrong-labels"),
    (11, 7, 7, "11 suspected, 7 left out of training; by planted wrong labels at least 52% of them are wrong, and 96% of the 7 that"),
])
def test_shares_of_no_labels_are_not_told(suspected: int, sure: int, left_out: int, said: str) -> None:
    told = {"suspected": suspected, "precision": 0.52 if suspected else None, "sure": sure, "sure_precision": 0.96 if sure else None}
    assert cli._wrong_labels_line(told, left_out).startswith(f"wrong labels: {said}")


def test_dropped_labels_stay_dropped(trained: Path, tmp_path: Path) -> None:
    """Suspected labels leave what is learned from, never the held-out part; a model of the rest does not make the next cleaning train again."""
    folder = tmp_path / "copy"
    shutil.copytree(trained, folder)
    before = pd.read_parquet(folder / "artifacts" / "lgbm.oof.parquet")
    assert run("clean", "--drop-wrong-labels", "--label-precision", "0", "--allow-empty", folder=folder).returncode == 0
    first = decisions_of(folder)
    wrong = first.index[first["reason"] == "wrong_label"]
    assert first.loc[wrong, "keep"].tolist() == (before.loc[wrong, "fold"] == -1).tolist()
    assert not first.loc[wrong, "keep"].all()
    assert run("train", "--folds", FOLDS, folder=folder).returncode == 0
    learned = pd.read_parquet(folder / "artifacts" / "lgbm.oof.parquet")
    assert set(learned.index) == set(first.index[first["keep"]])
    again = run("clean", "--drop-wrong-labels", "--label-precision", "0", "--allow-empty", folder=folder)
    assert again.returncode == 0
    assert "training lgbm" not in again.stderr
    assert decisions_of(folder).equals(first)


def test_the_cleaned_folder_holds_what_is_kept(trained: Path, tmp_path: Path) -> None:
    """One file per kept picture, in its label's folder; the data folder is as before; a second time into the same folder is refused."""
    before = sorted((trained / "data" / "training").rglob("*"))
    arguments = ("clean", "--skip", "labels", "--allow-empty", "--artifacts", tmp_path / "artifacts", "--apply", tmp_path / "clean")
    done = run(*arguments, folder=trained)
    assert done.returncode == 0, done.stderr
    decisions = pd.read_csv(tmp_path / "artifacts" / "decisions.csv", keep_default_na=False)
    written = list((tmp_path / "clean").glob("*/*"))
    assert len(written) == decisions["keep"].sum()
    assert {file.parent.name for file in written} == set(decisions.loc[decisions["keep"], "label"])
    assert sorted((trained / "data" / "training").rglob("*")) == before
    again = run(*arguments, folder=trained)
    assert again.returncode == 1
    assert "is not empty; give --apply a new folder" in again.stderr


@pytest.mark.parametrize(("arguments", "said"), [
    pytest.param(["decide", "arrow/nothing.png", "--drop"], "arrow/nothing.png is not in", id="unknown-path"),
    pytest.param(["clean", "--explain", "arrow/nothing.png"], "arrow/nothing.png has no row in", id="explain-unknown-path"),
    pytest.param(["clean", "--skip", "labels", "--groups", "absent.csv"], "--groups absent.csv cannot be read", id="no-groups-file"),
])
def test_cleaning_with_bad_input_says_so_in_one_line(arguments: list[str], said: str, trained: Path) -> None:
    """Exit code 1 and one line."""
    done = run(*arguments, folder=trained)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def decisions_of(folder: Path) -> pd.DataFrame:
    empty = {"photo_score": [""], "label_score": [""]}
    return pd.read_csv(folder / "artifacts" / "decisions.csv", keep_default_na=False, na_values=empty).set_index("path")


def test_evaluate_json_has_the_promised_keys(trained: Path) -> None:
    """One object with macro_f1, micro_f1, weighted_f1, accuracy, log_loss, n and per_class, equal to what train said of the held-out part."""
    done = run("evaluate", "--json", folder=trained)
    figures = json.loads(done.stdout)
    assert {"macro_f1", "micro_f1", "weighted_f1", "accuracy", "log_loss", "n", "per_class"} <= set(figures)
    card = json.loads((trained / "artifacts" / "lgbm.json").read_text(encoding="utf-8"))
    assert {name: figures[name] for name in card["metrics"]["held_out"]} == card["metrics"]["held_out"]
    for name in ("macro_f1", "micro_f1", "log_loss"):
        assert figures["intervals"][name][0] <= figures[name] <= figures["intervals"][name][1]


def test_evaluate_scores_a_folder_and_reports_strange_labels(trained: Path, tmp_path: Path) -> None:
    """A test folder is scored from files alone; a label that the model does not know is told apart, not dropped and not a crash."""
    table = pd.read_parquet(trained / "artifacts" / "lgbm.oof.parquet")
    held_out = table[table["fold"] == -1]
    for path, label in held_out["label"].items():
        target = tmp_path / "test" / label / Path(path).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(trained / "data" / "training" / path, target)
    shutil.copytree(tmp_path / "test" / held_out["label"].iloc[0], tmp_path / "test" / "unheard-of")
    done = run("evaluate", "--data", tmp_path / "test", folder=trained)
    assert done.returncode == 0, done.stderr
    assert "'unheard-of', which the model does not know" in done.stderr
    assert "macro-F1" in done.stdout
    figures = json.loads((trained / "artifacts" / "evaluation.json").read_text(encoding="utf-8"))
    assert figures["n"] == len(held_out)
    assert set(figures["unknown_labels"]) == {"unheard-of"}
    expected = json.loads((trained / "artifacts" / "lgbm.json").read_text(encoding="utf-8"))["metrics"]["held_out"]
    assert figures["macro_f1"] == pytest.approx(expected["macro_f1"])
    assert figures["log_loss"] == pytest.approx(expected["log_loss"], rel=1e-4)


def test_evaluate_tells_slices_comparison_and_missing_labels(trained: Path, tmp_path: Path) -> None:
    """The user's own column is a slice; a model compared with itself gains nothing; a label without a picture is named."""
    table = pd.read_parquet(trained / "artifacts" / "lgbm.oof.parquet")
    held_out = table[(table["fold"] == -1) & (table["label"] != table["label"].iloc[0])]
    for path, label in held_out["label"].items():
        target = tmp_path / "test" / label / Path(path).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(trained / "data" / "training" / path, target)
    names = [f"{label}/{Path(path).name}" for path, label in held_out["label"].items()]
    pd.DataFrame({"path": names, "half": [i % 2 for i in range(len(names))]}).to_csv(tmp_path / "own.csv", index=False)
    model = "artifacts/lgbm.joblib"
    done = run("evaluate", "--data", tmp_path / "test", "--slice-by", tmp_path / "own.csv", "--compare", model, "--average-groups", folder=trained)
    assert done.returncode == 0, done.stderr
    assert f"no picture has the label {table['label'].iloc[0]!r}" in done.stderr
    assert "no more than chance may do; it alone is right on 0, the other alone on 0 (McNemar p = 1)" in done.stdout
    slices = pd.read_csv(trained / "artifacts" / "slices.csv")
    own = slices[slices["attribute"] == "own: half"]
    assert own["n"].sum() == len(names)
    assert (own["low"] <= own["difference"]).all()
    figures = json.loads((trained / "artifacts" / "evaluation.json").read_text(encoding="utf-8"))
    every, met, present = (figures[f"macro_f1{of}"] for of in ("_of_all_classes", "", "_of_present_classes"))
    assert every <= met <= present
    assert every < present
    assert "photo score" not in set(slices[slices["value"] == ""]["attribute"])
    (tmp_path / "bad.csv").write_text("path\nx\n")
    refused = run("evaluate", "--slice-by", tmp_path / "bad.csv", folder=trained)
    assert refused.returncode == 1
    assert "needs the columns path and at least one more; it has path" in refused.stderr


def test_pictures_that_were_learned_from_are_said_to_flatter(trained: Path, tmp_path: Path) -> None:
    """Scoring the training folder itself: said at once, in the JSON and, with the same number, in the report; so is how labels were decided."""
    done = run("evaluate", "--data", "data/training", "--errors", "--together", folder=trained)
    learned = json.loads((trained / "artifacts" / "evaluation.json").read_text(encoding="utf-8"))["learned_from"]
    assert re.search(rf"\w+\.joblib had learned from {learned:,} of the [0-9]+ pictures: its figures are flattered", done.stderr)
    run("report", "--out", tmp_path / "report.html", folder=trained)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    called = f"folder training (flattered: {learned:,} learned from), labels decided together"
    assert page.count(called) == page.count(f"(flattered: {learned:,} learned from)") > 2
    assert "which it was evaluated on; its figures there are flattered" in page
    assert not re.search(r"test folder training(?! \(flattered)", page)  # slices and errors of the same folder are called so too
    assert "labels are decided for the macro-F1 of just these pictures" in done.stderr


def test_predict_gives_one_row_per_picture(trained: Path, tmp_path: Path) -> None:
    """Unlabelled folders and single files: probabilities sum to 1, an unreadable file keeps a row with its issue."""
    pictures = tmp_path / "새 폴더 🙂"
    pictures.mkdir()
    source = next((trained / "data" / "training").rglob("*.png"))
    shutil.copy(source, pictures / "그림 하나.png")
    (pictures / "broken.jpg").write_bytes(b"<html>404</html>")
    done = run("predict", pictures, source, "--out", tmp_path / "probabilities.csv", folder=trained)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "probabilities.csv", index_col="path", keep_default_na=False)
    assert len(table) == 3
    bad = [path for path in table.index if path.endswith("broken.jpg")]
    assert table.loc[bad, "issue"].str.contains("HTML").all()
    card = json.loads((trained / "artifacts" / "lgbm.json").read_text(encoding="utf-8"))
    good = table.drop(index=bad)[card["classes"]].astype(float)
    assert np.allclose(good.sum(axis=1), 1, atol=1e-4)
    assert np.allclose(good.iloc[0], good.iloc[1])


def test_labels_decided_together_are_those_of_the_models_own_probabilities(trained: Path, tmp_path: Path) -> None:
    """``--together`` moves labels only, `predict` and `evaluate` alike, and evaluation.json says which way it was."""
    model = joblib.load(trained / "artifacts" / "lgbm.joblib")
    tables = {}
    for together in ((), ("--together",)):
        done = run("evaluate", *together, folder=trained)
        assert done.returncode == 0, done.stderr
        evaluated = pd.read_csv(trained / "artifacts" / "evaluation.csv", index_col="path")
        assert json.loads((trained / "artifacts" / "evaluation.json").read_text(encoding="utf-8"))["decided_together"] == bool(together)
        expected = model.labels_of(evaluated[list(model.classes_)].to_numpy(), together=bool(together))
        assert evaluated["predicted"].tolist() == expected.tolist()
        done = run("predict", "data/training", *together, "--out", tmp_path / "probabilities.csv", folder=trained)
        assert done.returncode == 0, done.stderr
        tables[bool(together)] = pd.read_csv(tmp_path / "probabilities.csv", index_col="path", keep_default_na=False)
    good = tables[True]["issue"] == ""
    proba = tables[True].loc[good, list(model.classes_)]
    pd.testing.assert_frame_equal(proba, tables[False].loc[good, list(model.classes_)])
    assert tables[True].loc[good, "predicted"].tolist() == model.labels_of(proba.to_numpy(float), together=True).tolist()
    assert tables[False].loc[good, "predicted"].tolist() == model.labels_of(proba.to_numpy(float)).tolist()


def test_model_works_in_a_script_elsewhere_without_torch(trained: Path, tmp_path: Path) -> None:
    """``joblib.load`` from another folder predicts from paths, like the commands do, and imports no torch."""
    picture = next((trained / "data" / "training").rglob("*.png"))
    script = ("import joblib, sys\n"
              f"model = joblib.load({str(trained / 'artifacts' / 'lgbm.joblib')!r})\n"
              f"paths = [{str(picture)!r}] * 2\n"
              "print(model.predict(paths)[0] in set(model.classes_), model.predict_proba(paths).shape == (2, len(model.classes_)),\n"
              "      'torch' in sys.modules)")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["True", "True", "False"], done.stderr


def test_a_changed_model_file_is_refused(trained: Path, tmp_path: Path) -> None:
    """A model whose digest is not its sidecar's is not loaded."""
    for name in ("lgbm.joblib", "lgbm.json", "lgbm.oof.parquet"):
        shutil.copy(trained / "artifacts" / name, tmp_path)
    with (tmp_path / "lgbm.joblib").open("ab") as file:
        file.write(b"!")
    done = run("evaluate", "--model", tmp_path / "lgbm.joblib", folder=trained)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "its sha256 differs" in done.stderr


def test_refit_keeps_the_scores_from_before(data: Path, tmp_path: Path) -> None:
    """After ``--refit`` evaluate gives the held-out scores of the model that had not seen the held-out part, and says so."""
    plain = json.loads(run("train", "--data", data, "--folds", 2, "--json", folder=tmp_path).stdout)
    nothing_wrong = run("evaluate", "--errors", folder=tmp_path)
    assert nothing_wrong.returncode == 0, nothing_wrong.stderr
    assert "no picture was wrong" in nothing_wrong.stderr
    refitted = json.loads(run("train", "--data", data, "--folds", 2, "--refit", "--json", folder=tmp_path).stdout)
    assert refitted["held_out"] == plain["held_out"]
    assert refitted["trained_on"] == decisions_of(tmp_path)["keep"].sum() > plain["trained_on"]
    done = run("evaluate", "--json", folder=tmp_path)
    figures = json.loads(done.stdout)
    assert {name: figures[name] for name in plain["held_out"]} == plain["held_out"]
    assert "refitted on everything" in done.stderr


def test_same_seed_same_model_for_any_number_of_workers(data: Path, tmp_path: Path) -> None:
    """Two trainings in two folders, with one and with two workers, give the same probabilities to the last bit."""
    tables = []
    for jobs in (1, 2):
        done = run("train", "--data", data, "--artifacts", tmp_path / f"jobs{jobs}", "--folds", 2, "--jobs", jobs)
        assert done.returncode == 0, done.stderr
        tables.append(pd.read_parquet(tmp_path / f"jobs{jobs}" / "lgbm.oof.parquet"))
    pd.testing.assert_frame_equal(tables[0], tables[1], check_exact=True)


@pytest.mark.parametrize("balance", ["none", "undersample", "smote"])
def test_every_balance_trains(data: Path, tmp_path: Path, balance: str) -> None:
    """Each remedy for imbalance runs to the end on a label of three pictures beside one of eight, and says what it made of the counts."""
    for number in range(3, 8):
        (data / "star" / f"{number}.png").unlink()
    done = run("train", "--data", data, "--folds", 2, "--balance", balance, "--refit", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    card = json.loads((tmp_path / "artifacts" / "lgbm.json").read_text(encoding="utf-8"))
    assert card["metrics"]["out_of_fold"]["n"] + card["metrics"]["held_out"]["n"] == 11
    assert card["learned_from"] == {"disc": 8, "star": 3}
    assert card["balanced_to"] == {"disc": 8, "star": 8 if balance == "smote" else 3}  # eight is not a majority: less than thrice three
    assert "balanced to" in done.stdout


def test_the_held_out_part_is_remembered(data: Path, tmp_path: Path) -> None:
    """New pictures join, old ones keep their part, another seed does not redraw, ``--redraw`` does and says so."""
    assert "drawn once and remembered" in run("train", "--data", data, "--folds", 2, folder=tmp_path).stderr
    before = pd.read_csv(tmp_path / "artifacts" / "split.csv").set_index("sha256")["fold"]
    rng = np.random.default_rng(5)
    for number in range(20, 26):
        write_drawing(data / "disc" / f"{number}.png", "disc", rng)
    done = run("train", "--data", data, "--folds", 2, "--seed", 7, folder=tmp_path)
    assert "6 new pictures joined" in done.stderr
    after = pd.read_csv(tmp_path / "artifacts" / "split.csv").set_index("sha256")["fold"]
    assert (after.loc[before.index] == before).all()
    assert "not comparable" in run("train", "--data", data, "--folds", 2, "--seed", 7, "--redraw", folder=tmp_path).stderr


def test_a_label_of_broken_files_only_is_looked_at(data: Path, tmp_path: Path) -> None:
    """The first command of all shows what is wrong with it, and draws the others."""
    (data / "가방").mkdir()
    (data / "가방" / "1.png").write_bytes(b"")
    done = run("features", "--data", data, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "artifacts" / "figures" / "width.png").exists()
    assert "가방/1.png" in done.stdout


def test_groups_stay_until_somebody_says_none(data: Path, tmp_path: Path) -> None:
    """A cleaning without groups, as after a review, keeps those of before and says so; the review's own commands keep the rest of the options."""
    (tmp_path / "g.csv").write_text("path,group\ndisc/0.png,x\nstar/0.png,x\n")
    clean = ("clean", "--data", data, "--skip", "labels", "--turned")
    run(*clean, "--groups", tmp_path / "g.csv", folder=tmp_path)
    again = run(*clean, folder=tmp_path)
    assert f"groups as before: --groups {tmp_path / 'g.csv'}" in again.stderr
    with contextlib.chdir(tmp_path):
        assert commands(data, Path("artifacts"))[0] == f"python cli.py clean --data {data} --skip labels --turned --groups {tmp_path / 'g.csv'}"
    run(*clean, "--group-level", 0, folder=tmp_path)
    assert "groups as before" not in run(*clean, folder=tmp_path).stderr


def test_two_spellings_of_a_korean_label_are_one(tmp_path: Path) -> None:
    """A label folder in NFC and one in NFD (as some systems write it) count as one label."""
    rng = np.random.default_rng(1)
    for number, form in enumerate(["NFC", "NFD"] * 3):
        write_drawing(tmp_path / "data" / unicodedata.normalize(form, "가방") / f"{number}.png", "disc", rng)
    done = run("features", "--json", folder=tmp_path)
    assert json.loads(done.stdout)["labels"] == {"가방": 6}


def test_a_larger_picture_than_allowed_is_a_row_until_the_limit_is_raised(data: Path, tmp_path: Path) -> None:
    """``--max-pixels`` refuses with a word that names the option, and a later run with a higher limit reads the same file."""
    low = json.loads(run("features", "--data", data, "--max-pixels", 14_399, "--json", folder=tmp_path).stdout)
    assert all("--max-pixels" in issue for issue in low["issues"])
    assert sum(map(len, low["issues"].values())) == 16
    assert json.loads(run("features", "--data", data, "--json", folder=tmp_path).stdout)["issues"] == {}


def _one_label(data: Path) -> None:
    shutil.rmtree(data / "star")


def _no_label(data: Path) -> None:
    for picture in list(data.rglob("*.png")):
        picture.rename(data / f"{picture.parent.name}{picture.name}")


def _empty(data: Path) -> None:
    shutil.rmtree(data)
    data.mkdir()


def _only_text(data: Path) -> None:
    _empty(data)
    (data / "notes.txt").write_text("hello")


def _all_broken(data: Path) -> None:
    for picture in data.rglob("*.png"):
        picture.write_bytes(b"")


def _copies_of_one(data: Path) -> None:
    for picture in data.rglob("*.png"):
        if picture != data / "disc" / "0.png":
            shutil.copy(data / "disc" / "0.png", picture)


@pytest.mark.parametrize(("spoil", "said"), [
    pytest.param(_copies_of_one, "cleaning would leave nothing of label 'disc'", id="one picture copied over all labels"),
    pytest.param(_one_label, "the one label 'disc'", id="one label only"),
    pytest.param(_no_label, "has a label", id="pictures directly in the data folder"),
    pytest.param(_empty, "no pictures in", id="an empty data folder"),
    pytest.param(_only_text, "1 .txt file passed over", id="nothing but a text file"),
    pytest.param(_all_broken, "can be read; python cli.py features says why", id="no file can be read"),
    pytest.param(shutil.rmtree, "does not exist", id="no data folder"),
])
def test_training_on_bad_data_says_so_in_one_line(data: Path, tmp_path: Path, spoil: object, said: str) -> None:
    """Exit code 1 and one line that names what was found; no traceback."""
    spoil(data)  # type: ignore[operator]
    done = run("train", "--data", data, folder=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


NETWORK = ("train", "--model", "cnn", "--size", 16, "--width", 8, "--folds", 2, "--jobs", 1, "--deterministic")


def test_a_network_is_trained_scored_and_predicts(data: Path, tmp_path: Path) -> None:
    """``train --model cnn`` leaves model, card, history, curves and probabilities; evaluate and predict take its file."""
    done = run(*NETWORK, "--data", data, "--epochs", 3, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"network 2 of 2  epoch 3/3  16 px  loss [\d.]+  validation macro-F1 [\d.]+ .* pictures/s  about \d+ min left", done.stderr)
    assert "out-of-fold" in done.stdout
    artifacts = tmp_path / "artifacts"
    card = json.loads((artifacts / "cnn.json").read_text(encoding="utf-8"))
    assert {"classes", "parameters", "versions", "sha256", "data_digest", "metrics", "extraction", "refit", "networks"} <= set(card)
    assert card["parameters"]["augmentation"]["mirror"] is True
    assert len(pd.read_csv(artifacts / "cnn.history.csv")) == 6
    assert (artifacts / "figures" / "cnn.png").stat().st_size > 1000
    assert list(artifacts.glob("*.checkpoint")) == []
    figures = json.loads(run("evaluate", "--model", "artifacts/cnn.joblib", "--json", folder=tmp_path).stdout)
    assert {name: figures[name] for name in card["metrics"]["held_out"]} == card["metrics"]["held_out"]
    rows = json.loads(run("predict", data / "disc", "--model", "artifacts/cnn.joblib", "--json", folder=tmp_path).stdout)
    assert len(rows) == 8
    assert all(abs(row["disc"] + row["star"] - 1) < 1e-6 for row in rows)


def test_a_stack_brings_its_bases_along(data: Path, tmp_path: Path) -> None:
    """``train --model stack`` trains what is missing, takes what is there, predicts from one file elsewhere, and refuses foreign bases."""
    stack = ("train", "--model", "stack", *NETWORK[3:], "--epochs", 2, "--edge-networks", "--data", data)
    done = run(*stack, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "stack: training lgbm, since there is no artifacts/lgbm.joblib" in done.stderr
    assert "leaderboard: out-of-fold, with 95 % intervals" in done.stdout
    card = json.loads((tmp_path / "artifacts" / "stack.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in card["leaderboard"]] == ["lgbm", "cnn", "mean", "weighted", "per-class", "stack"]
    for row in card["leaderboard"][:2]:
        own = json.loads((tmp_path / "artifacts" / f"{row['name']}.json").read_text(encoding="utf-8"))
        assert own["calibration"] == row["calibration"]
        assert own["calibration"]["log_loss_after"] == pytest.approx(own["metrics"]["out_of_fold"]["log_loss"])
    again = run(*stack, "--blend", "mean", folder=tmp_path)
    assert again.stderr.count("is up to date") == 2
    assert "stack on its held-out part" not in run("evaluate", folder=tmp_path).stderr
    assert json.loads((tmp_path / "artifacts" / "evaluation.json").read_text(encoding="utf-8"))["model"].endswith("stack.joblib")
    table = run("runs", "--json", folder=tmp_path)
    assert [found["model"] for found in json.loads(table.stdout).values()] == ["lgbm", "cnn", "stack", "stack"]
    assert re.search(r"parameters\.blend +stack +mean", run("runs", "--diff", 3, 4, folder=tmp_path).stdout)
    wrong = data.parent / "swapped"
    for one, other in (("disc", "star"), ("star", "disc")):
        shutil.copytree(data / one, wrong / other)
    explained = run("evaluate", "--data", wrong, "--errors", folder=tmp_path)
    assert explained.returncode == 0, explained.stderr
    errors = pd.read_csv(tmp_path / "artifacts" / "errors.csv")
    assert {"path", "true", "predicted", "p_true", "lgbm_says", "cnn_says", "spoke_for_it", "nearest", "cause"} <= set(errors.columns)
    assert len(errors) == (~pd.read_csv(tmp_path / "artifacts" / "evaluation.csv")["correct"]).sum()
    assert (tmp_path / "artifacts" / "errors.html").read_text(encoding="utf-8").count("<article>") == len(errors) > 0
    told = run("report", "--json", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    assert set(json.loads(told.stdout)["missing"]) == {"ablation", "autoencoder"}
    report = (tmp_path / "artifacts" / "report.html").read_text(encoding="utf-8")
    for said in ("test folder swapped", "where the network looked", "Inside the stack", "How the network learned", "Which features matter"):
        assert said in report
    shutil.copy(tmp_path / "artifacts" / "stack.joblib", tmp_path / "elsewhere.joblib")
    script = f"import joblib; print(joblib.load('elsewhere.joblib').predict_proba([r'{data / 'disc' / '0.png'}']).shape)"
    alone = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert alone.stdout.strip() == "(1, 2)", alone.stderr
    write_drawing(data / "disc" / "new.png", "disc", np.random.default_rng(9))
    refused = run(*stack, "--keep-bases", folder=tmp_path)
    assert refused.returncode == 1
    assert re.search(r"--keep-bases: .*lgbm\.joblib was trained on other pictures, labels or folds \(data digest \w{12}, here \w{12}\)",
                     refused.stderr)


def test_pictures_without_labels_join_training(data: Path, tmp_path: Path) -> None:
    """``--pseudo-label`` warns, says how many joined, marks the models, and never lets them be judged; a folder of nothing new is refused."""
    rng = np.random.default_rng(5)
    for number in range(6):
        write_drawing(tmp_path / "loose" / f"{number}.png", ("disc", "star")[number % 2], rng)
    stack = ("train", "--model", "stack", *NETWORK[3:], "--epochs", 2, "--data", data)
    done = run(*stack, "--pseudo-label", tmp_path / "loose", "--pseudo-floor", 0, "--pseudo-cap", 0.25, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "some contests forbid learning from test pictures" in done.stderr
    assert "pseudo-labels: 3 of 6 pictures without labels join training (at least 0% sure, at most 0.25 per labelled picture)" in done.stderr
    artifacts = tmp_path / "artifacts"
    cards = {name: json.loads((artifacts / f"{name}.json").read_text(encoding="utf-8")) for name in ("lgbm", "cnn", "stack")}
    assert [card["pseudo_labels"] for card in cards.values()] == [3, 3, 3]
    assert len(pd.read_parquet(artifacts / "stack.oof.parquet")) == 14  # two of the sixteen repeat others
    again = run(*stack, folder=tmp_path)
    assert again.stderr.count("was trained with pseudo-labels") == 2
    refused = run(*stack, "--pseudo-label", data, folder=tmp_path)
    assert refused.returncode == 1
    assert "none of its 16 files is a readable picture that is not in" in refused.stderr


def test_a_killed_training_with_pseudo_labels_is_resumed(data: Path, tmp_path: Path) -> None:
    """Killed in its second half, it goes on with the networks of the first, and of the second as far as they were; what joined is remembered, so
    that scores on it are said to flatter; no checkpoint is left."""
    rng = np.random.default_rng(5)
    for number in range(6):
        write_drawing(tmp_path / "loose" / "disc" / f"{number}.png", "disc", rng)
    arguments = ("train", "--model", "stack", *NETWORK[3:], "--epochs", 3, "--data", data, "--pseudo-label", tmp_path / "loose", "--pseudo-floor", 0)
    process = subprocess.Popen([sys.executable, str(ROOT / "cli.py"), *map(str, arguments)], cwd=tmp_path, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    assert process.stderr
    second = False
    for line in process.stderr:
        second |= "join training" in line
        if second and "epoch 2/3" in line:
            process.kill()
    process.communicate(timeout=60)
    resumed = run(*arguments, "--resume", folder=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    first, rest = resumed.stderr.split("join training")
    assert first.count("going on after epoch 3") == int(NETWORK[NETWORK.index("--folds") + 1])
    assert "epoch 1/3" not in first
    assert "going on after epoch" in rest
    assert "would have gone on from it" not in resumed.stderr
    assert not list((tmp_path / "artifacts").rglob("*.checkpoint"))
    scored = run("evaluate", "--data", tmp_path / "loose", folder=tmp_path)
    assert re.search(r"\w+\.joblib had learned from [1-9] of the 6 pictures: its figures are flattered", scored.stderr)


def test_a_killed_training_is_resumed(data: Path, tmp_path: Path) -> None:
    """After kill -9 in the middle, --resume goes on from the last whole epoch and ends with the probabilities of a run that was left alone."""
    arguments = (*NETWORK, "--data", data, "--epochs", 12)
    whole = run(*arguments, "--artifacts", tmp_path / "whole", folder=tmp_path)
    assert whole.returncode == 0, whole.stderr
    process = subprocess.Popen([sys.executable, str(ROOT / "cli.py"), *map(str, arguments)], cwd=tmp_path, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    assert process.stderr
    for line in process.stderr:
        if "epoch 4/12" in line:
            process.kill()
    process.communicate(timeout=60)
    assert list((tmp_path / "artifacts").glob("cnn.*.checkpoint"))
    resumed = run(*arguments, "--resume", folder=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert "epoch 3/12" not in resumed.stderr.split("network 2")[0]
    tables = [pd.read_parquet(tmp_path / folder / "cnn.oof.parquet") for folder in ("whole", "artifacts")]
    pd.testing.assert_frame_equal(tables[0], tables[1], check_exact=True)


def test_augmentation_can_be_looked_at(data: Path, tmp_path: Path) -> None:
    """``augment-preview`` writes a sheet and names its pictures."""
    done = run("augment-preview", "--data", data, "--pictures", 3, "--versions", 2, "--cutmix", 1, "--gray", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len([line for line in done.stdout.splitlines() if line.endswith(".png") and not line.startswith("written")]) == 3
    sheet = np.asarray(Image.open(tmp_path / "artifacts" / "figures" / "augmentation.png"))
    assert sheet.shape[0] > 3 * 64
    assert sheet.shape[1] > 3 * 64


@pytest.mark.parametrize(("arguments", "said"), [
    pytest.param(["train", "--model", "stack", "--keep-bases"], "--keep-bases: there is no ", id="no models to stack"),
    pytest.param(["train", "--blend", "mean"], "--blend: for --model stack only", id="an option of the stack"),
    pytest.param(["train", "--model", "cnn", "--balance", "smote"], "--balance smote is for --model lgbm", id="a remedy of the other model"),
    pytest.param(["train", "--epochs", "3", "--resume"], "--epochs, --resume: for --model cnn and stack only", id="options of the other model"),
    pytest.param(["train", "--no-mirror", "--views", "3"], "error: --views: for --model cnn and stack only", id="one option of both"),
    pytest.param(["evaluate"], "make it with: python cli.py train", id="no model"),
    pytest.param(["predict", "missing.png"], "does not exist", id="no model and no picture"),
    pytest.param(["train", "--folds", "1"], "at least 2", id="one fold"),
])
def test_requests_that_cannot_be_met(data: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    """Exit code 1 and the reason."""
    more = ["--data", str(data)] if arguments[0] == "train" else []
    done = run(*arguments, *more, folder=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr


def test_wrong_usage_is_exit_code_2(tmp_path: Path) -> None:
    """An unknown option and an unknown balance are usage errors."""
    assert run("features", "--colour", folder=tmp_path).returncode == 2
    assert run("train", "--balance", "magic", folder=tmp_path).returncode == 2


def test_a_small_label_is_announced_not_refused(data: Path, tmp_path: Path) -> None:
    """A label with fewer pictures than folds trains with a notice; a lone picture is learned from, not held out."""
    for number in range(1, 8):
        (data / "star" / f"{number}.png").unlink()
    done = run("train", "--data", data, "--folds", 2, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "label 'star' has only 1 different picture" in done.stderr
    split = pd.read_csv(tmp_path / "artifacts" / "split.csv")
    assert (split.loc[split["label"] == "star", "fold"] >= 0).all()


def test_an_index_of_another_version_is_named(data: Path, tmp_path: Path) -> None:
    """A cache whose journal has other columns is not guessed at."""
    assert run("features", "--data", data, folder=tmp_path).returncode == 0
    index = next((tmp_path / "artifacts" / "cache").rglob("index.csv"))
    index.write_text("a,b\n1,2\n")
    done = run("features", "--data", data, folder=tmp_path)
    assert done.returncode == 1
    assert "is not an index of this version; delete the folder" in done.stderr


def test_a_folder_that_changed_is_read_again_and_the_files_are_named(data: Path, tmp_path: Path) -> None:
    """New, changed and gone files since the last scan, by name; nothing is said of a folder that did not change, or of another one."""
    assert "last scan" not in run("features", "--data", data, folder=tmp_path).stderr
    assert "last scan" not in run("clean", "--skip", "labels", "--data", data, folder=tmp_path).stderr
    shutil.copy(data / "disc" / "1.png", data / "disc" / "fresh.png")
    (data / "disc" / "2.png").write_bytes((data / "star" / "2.png").read_bytes())
    (data / "star" / "0.png").unlink()
    said = run("clean", "--skip", "labels", "--data", data, folder=tmp_path)
    assert said.returncode == 0, said.stderr
    assert "1 new (disc/fresh.png); 1 changed (disc/2.png); 1 gone (star/0.png)" in said.stderr
    other = shutil.copytree(data, tmp_path / "other")
    assert "last scan" not in run("features", "--data", other, folder=tmp_path).stderr


def test_read_only_data_is_enough(data: Path, tmp_path: Path) -> None:
    """Nothing is written into the data folder: its content and times stay."""
    before = {path: path.stat().st_mtime_ns for path in [data, *data.rglob("*")]}
    for path in before:
        path.chmod(0o555 if path.is_dir() else 0o444)
    done = run("train", "--data", data, "--folds", 2, folder=tmp_path)
    for path in before:
        path.chmod(0o755)
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in [data, *data.rglob("*")]} == before


def test_ctrl_c_exits_130_and_the_next_run_goes_on(tmp_path: Path) -> None:
    """An interrupt during extraction keeps whole chunks; the next run decodes only the rest."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (1600, 1600, 3), np.uint8)).save(buffer, "JPEG", quality=90, progressive=True)
    for number in range(160):
        file = tmp_path / "data" / "ab"[number % 2] / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(buffer.getvalue() + number.to_bytes(2, "big"))  # other bytes behind the same slow picture
    process = subprocess.Popen([sys.executable, str(ROOT / "cli.py"), "features", "--jobs", "1"], cwd=tmp_path, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # a suite in the background ignores it
    deadline = time.monotonic() + 60
    while not list((tmp_path / "artifacts").rglob("index.csv")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    rest = json.loads(run("features", "--json", folder=tmp_path).stdout)
    assert 0 < rest["decoded"] < 160
    assert rest["decoded"] + rest["unchanged"] == 160


def test_the_demo_set_is_nobody_s_label(data: Path, tmp_path: Path) -> None:
    """The generated set inside ``data`` is passed over beside labels of one's own, and is the default as long as there are none."""
    demo = data / "demo"
    shutil.copytree(data / "disc", demo / "moon")
    (demo / ".scratchwork-demo").write_text("")
    assert json.loads(run("features", "--json", folder=tmp_path).stdout)["labels"] == {"disc": 8, "star": 8}
    shutil.rmtree(data / "disc")
    shutil.rmtree(data / "star")
    assert json.loads(run("features", "--json", folder=tmp_path).stdout)["labels"] == {"moon": 8}
