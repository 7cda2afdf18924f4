"""What the stages keep straight: nothing of the user's is written over, memory is of contents, copies share their part."""

import os
import shutil
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

import pipeline
from cleaning.decisions import CleaningSettings
from cleaning.folds import TEST
from features.errors import ScratchworkError
from models import training
from models.lgbm import LgbmParameters
from pipeline import Cleaned
from sources.demo import make_demo_set
from splitting import draw_split, remembered_fold
from workspace import Workspace, predictions_file


def decisions_of(labels: dict[str, str]) -> pd.DataFrame:
    """path → label, all kept."""
    return pd.DataFrame({"label": list(labels.values()), "keep": True, "reason": "", "decided_by": "machine"}, index=pd.Index(labels, name="path"))


def manifest_of(labels: dict[str, str], groups: list[str] | None = None) -> pd.DataFrame:
    """path → label; each picture has a content of its own, ``sha-`` and its path."""
    digests = [f"sha-{path}" for path in labels]
    return pd.DataFrame({"label": list(labels.values()), "bytes": 1, "modified_ns": 1, "sha256": digests, "issue": "", "group": groups or digests},
                        index=pd.Index(labels, name="path"))


@pytest.mark.parametrize("links", [True, False], ids=["links", "copies"])
def test_the_cleaned_folder_writes_over_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    """Files whose places in it would be the same: both spellings of a Korean label, sub-folders that join to one name, one that a person moved
    here. Every picture is there, and the user's are what they were, whether the disk links or not."""
    nfc, nfd = (unicodedata.normalize(form, "가방") for form in ("NFC", "NFD"))
    labels = {f"{nfc}/1.png": nfc, f"{nfd}/1.png": nfc, "L/scan/1_5.png": "L", "L/scan_1/5.png": "L", "a/1.png": "b", "b/a_1.png": "b"}
    for path in labels:
        (tmp_path / "data" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / path).write_text(path, encoding="utf-8")
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
    decisions = decisions_of(labels)
    written = pipeline.write_cleaned_folder(Workspace(tmp_path / "data"), Cleaned(decisions, decisions, {}, 0.0), tmp_path / "clean")
    found = {file.read_text(encoding="utf-8") for file in (tmp_path / "clean").rglob("*.png")}
    assert written == 6
    assert found == set(labels)
    assert all((tmp_path / "data" / path).read_text(encoding="utf-8") == path for path in labels)
    assert len(list((tmp_path / "clean" / nfc).iterdir())) == 2


def test_probabilities_follow_renamed_files() -> None:
    """Rows are those of the contents that have the names now, also where two files of a label changed names and where copies are alike."""
    rows: dict[str, Any] = {"sha256": ["x", "y", "z", "z"], "label": ["a", "a", "b", "b"], "fold": [0, 1, 1, 1]}
    oof = pd.DataFrame({**rows, "p__a": [0.1, 0.2, 0.3, 0.3]}, index=["a/1", "a/2", "b/old", "b/4"])
    kept = pd.DataFrame({name: [values[i] for i in (1, 2, 3, 0)] for name, values in rows.items()}, index=["a/1", "b/new", "b/4", "a/2"])
    told = pipeline._under_present_names(oof, kept)
    assert told["p__a"].to_dict() == {"a/1": 0.2, "b/new": 0.3, "b/4": 0.3, "a/2": 0.1}
    assert told["sha256"].tolist() == kept["sha256"].tolist()


def test_labels_are_judged_after_a_file_was_renamed(tmp_path: Path) -> None:
    """The probabilities of before are used, without another training and without a crash, whichever file it was."""
    make_demo_set(tmp_path / "data", seed=0, scale=0.08)
    lines: list[str] = []
    workspace = Workspace(tmp_path / "data", tmp_path / "artifacts", jobs=1, notice=lines.append)
    pipeline.train(workspace, 2)
    first = pipeline.clean(workspace, CleaningSettings()).decisions
    suspects = first.index[first["reason"] == "wrong_label"]
    assert len(suspects)
    renamed = [str(path) + ".new" + Path(path).suffix for path in suspects]
    for old, new in zip(suspects, renamed, strict=True):
        (tmp_path / "data" / old).rename(tmp_path / "data" / new)
    lines.clear()
    again = pipeline.clean(workspace, CleaningSettings()).decisions
    assert not [line for line in lines if "training lgbm" in line]
    assert set(again.index[again["reason"] == "wrong_label"]) == set(renamed)


class LearnedAnew(Exception):
    """Folds were about to be learned from."""


def test_folds_are_learned_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second training of the same pictures takes what the first found across the folds, and makes the very model that it would have made
    without; other options, other groups and a file that is not whole are learned anew."""
    make_demo_set(tmp_path / "data", seed=0, scale=0.05)
    workspace, fresh = (Workspace(tmp_path / "data", tmp_path / name, jobs=1) for name in ("artifacts", "fresh"))
    pipeline.train(workspace, 2)
    shutil.copytree(workspace.artifacts, fresh.artifacts, ignore=shutil.ignore_patterns("lgbm.*"))
    wanted = pipeline.train(fresh, 2, refit=True)

    def learn_anew(*_: object) -> None:
        raise LearnedAnew

    monkeypatch.setattr(training, "boosted_folds", learn_anew)
    found = pipeline.train(workspace, 2, refit=True)
    assert {**found.card, "sha256": ""} == {**wanted.card, "sha256": ""}
    pd.testing.assert_frame_equal(*(pd.read_parquet(predictions_file(outcome.model_file)) for outcome in (found, wanted)))
    pictures = pipeline.learning_data(workspace, 2).pictures
    one, two = (joblib.load(outcome.model_file).proba_of(pictures) for outcome in (found, wanted))
    np.testing.assert_array_equal(one, two)
    (workspace.artifacts / "lgbm.folds.npz").write_bytes((workspace.artifacts / "lgbm.folds.npz").read_bytes()[:-300])
    with pytest.raises(LearnedAnew):
        pipeline.train(workspace, 2)
    data = pipeline.learning_data(workspace, 2)
    grouped, turned = (replace(data, kept=kept) for kept in (data.kept.assign(group="one"), data.kept[::-1]))
    usual, weighted, trusting = LgbmParameters(), LgbmParameters(balance="class-weight"), LgbmParameters(trust_labels=True)
    keys = [pipeline._folds_key(workspace, *of) for of in ((data, usual), (grouped, usual), (turned, usual), (data, weighted), (data, trusting))]
    assert keys[0] == keys[4]
    assert len(set(keys)) == 4


LABELS = {f"{label}/{number}.png": label for label in "ab" for number in range(30)}


def test_another_number_of_folds_forgets_the_old_numbers(tmp_path: Path) -> None:
    """Pictures that were left out meanwhile keep being learned from or held out, and get a fold of the present number."""
    workspace, manifest, decisions = Workspace(tmp_path / "data", tmp_path / "artifacts"), manifest_of(LABELS), decisions_of(LABELS)
    first = draw_split(workspace, manifest, decisions, 5)["fold"]
    fewer = decisions.assign(keep=[i % 3 > 0 for i in range(len(decisions))])
    assert draw_split(workspace, manifest, fewer, 3)["fold"].max() == 2
    assert remembered_fold(workspace, manifest).max() == 2
    last = draw_split(workspace, manifest, decisions, 3)["fold"]
    assert sorted(last.unique()) == [TEST, 0, 1, 2]
    assert (last[last >= 0].value_counts() > 10).all()
    assert ((last == TEST) == (first == TEST)).all()


def test_a_better_copy_of_a_held_out_picture_is_held_out(tmp_path: Path) -> None:
    """It takes the place of what is left out now; so does one of a learned picture, in its fold."""
    workspace, manifest, decisions = Workspace(tmp_path / "data", tmp_path / "artifacts"), manifest_of(LABELS), decisions_of(LABELS)
    first = draw_split(workspace, manifest, decisions, 3)["fold"]
    new = {f"{label}/new{number}.png": label for label in "ab" for number in range(17)}  # which move what would be drawn
    labels = {**LABELS, **new, **{path.replace(".png", ".better.png"): label for path, label in LABELS.items()}}
    more = manifest_of(labels, [f"sha-{path.replace('.better', '')}" for path in labels])
    better = decisions_of(labels).assign(keep=["better" in path or "new" in path for path in labels])
    fold = draw_split(workspace, more, better, 3)["fold"].dropna()
    assert {path.replace(".better", ""): part for path, part in fold.items() if "better" in path} == first.to_dict()


def test_a_label_that_a_person_gave_counts_for_a_loose_picture(tmp_path: Path) -> None:
    """What lies directly in the data folder is left out, unless somebody said what it is."""
    lines: list[str] = []
    workspace = Workspace(tmp_path / "data", tmp_path / "artifacts", notice=lines.append)
    labels = {**LABELS, "loose.png": "", "other.png": ""}
    decisions = decisions_of({**labels, "loose.png": "a"})
    fold = draw_split(workspace, manifest_of(labels), decisions, 3)["fold"]
    assert fold.index[fold.isna()].tolist() == ["other.png"]
    assert any("1 pictures lie directly in" in line for line in lines)


def test_groups_that_group_nothing_are_refused(tmp_path: Path) -> None:
    """Both ways at once, a level that no folder has, a column without a word; names of folders in both spellings are one group."""
    paths = pd.Index([f"a/{unicodedata.normalize('NFC', '김')}/1.png", f"a/{unicodedata.normalize('NFD', '김')}/2.png", "a/3.png"])
    assert pipeline._own_groups(paths, CleaningSettings(group_level=2)).tolist() == ["김", "김", ""]
    with pytest.raises(ScratchworkError, match="--group-level 5: no picture lies so deep"):
        pipeline._own_groups(paths, CleaningSettings(group_level=5))
    with pytest.raises(ScratchworkError, match="give one of them"):
        pipeline._own_groups(paths, CleaningSettings(groups="g.csv", group_level=1))
    (tmp_path / "g.csv").write_text("path,group,note\na/3.png,,something\n")
    for asked in (paths, paths[:0]):
        with pytest.raises(ScratchworkError, match="is one of this folder's"):
            pipeline._own_groups(asked, CleaningSettings(groups=str(tmp_path / "g.csv")))


def test_looking_at_a_folder_needs_no_groups(tmp_path: Path) -> None:
    """`features` of another folder, after a cleaning with groups, says that they do not fit and goes on."""
    make_demo_set(tmp_path / "data", seed=0, scale=0.04)
    first = next((tmp_path / "data").rglob("*.png")).relative_to(tmp_path / "data").as_posix()
    (tmp_path / "g.csv").write_text(f"path,group\n{first},one\n")
    lines: list[str] = []
    workspace = Workspace(tmp_path / "data", tmp_path / "artifacts", jobs=1, notice=lines.append)
    pipeline.clean(workspace, CleaningSettings(("duplicates",), groups=str(tmp_path / "g.csv")))
    assert any("pictures have no group in" in line for line in lines)
    (tmp_path / "loose").mkdir()
    shutil.copy(tmp_path / "data" / first, tmp_path / "loose" / "1.png")
    pipeline.update_features(Workspace(tmp_path / "loose", tmp_path / "artifacts", jobs=1, notice=lines.append))
