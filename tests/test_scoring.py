"""What saved models are judged by: contents and not names, one truth for two models, the user's columns in any spelling."""

import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pipeline
import scoring
from cleaning.decisions import CleaningSettings
from cleaning.photos import COLUMNS, scores_beside
from features.errors import ScratchworkError
from features.families import feature_names
from models.artifacts import write_json
from reports.evaluation import write_table
from scoring import EvaluationSettings, Predictions
from workspace import Workspace

CLASSES = ["가", "b"]


def predictions(name: str, labels: list[str], predicted: list[str], digests: list[str] | None = None) -> Predictions:
    paths = pd.Index([f"{i}.png" for i in range(len(labels))], name="path")
    digests = digests or [f"sha{i}" for i in range(len(labels))]
    table = pd.DataFrame({"sha256": digests, "label": labels, "predicted": predicted, "group": digests}, index=paths)
    proba = np.array([[0.9, 0.1] if label == CLASSES[0] else [0.1, 0.9] for label in predicted])
    return Predictions(None, {"classes": CLASSES}, table, proba, name, pd.DataFrame(index=paths), pd.DataFrame(index=paths))


@pytest.fixture
def told(tmp_path: Path) -> tuple[Workspace, list[str]]:
    """A workspace and what it says."""
    lines: list[str] = []
    return Workspace(tmp_path / "data", tmp_path, jobs=1, notice=lines.append), lines


def test_two_models_are_judged_by_one_truth(told: tuple[Workspace, list[str]]) -> None:
    """Labels that people changed between two trainings do not make the older model worse; files that were renamed are the same pictures."""
    workspace, lines = told
    new = predictions("new", ["가", "가", "b", "b"], ["가", "가", "b", "가"])
    old = predictions("old", ["b", "b", "b", "가"], ["가", "b", "b", "가"], ["sha3", "sha2", "sha1", "sha0"])
    sentence = scoring._comparison(workspace, new, old, None)
    assert "it alone is right on 1, the other alone on 0" in sentence
    assert lines == ["--compare: 1 picture has had another label since old was trained; both models are judged by the labels of new"]
    with pytest.raises(ScratchworkError, match="held out other pictures"):
        scoring._comparison(workspace, new, predictions("other", ["가"] * 4, ["가"] * 4, ["sha0", "sha1", "sha2", "else"]), None)


def test_groups_are_of_contents_not_of_names(told: tuple[Workspace, list[str]]) -> None:
    """A manifest of another folder has other pictures under the same names: their groups are nobody's."""
    table = predictions("model", ["가", "b"], ["가", "b"]).table.drop(columns="group")
    manifest = pd.DataFrame({"sha256": ["sha0", "another"], "group": ["g", "g"]}, index=table.index)
    assert scoring.with_group(table, manifest)["group"].tolist() == ["g", "sha1"]


def test_copies_share_their_mean_and_pictures_of_one_person_do_not(told: tuple[Workspace, list[str]]) -> None:
    """The user's groups are for folds and intervals; averaged are the copies that cleaning found."""
    workspace, _ = told
    table = predictions("model", ["가", "b", "b"], ["가", "b", "b"]).table
    manifest = pd.DataFrame({"label": table["label"], "bytes": 1, "modified_ns": 1, "sha256": table["sha256"], "issue": "", "group": "driver"})
    manifest.to_parquet(workspace.artifacts / "manifest.parquet")
    pd.DataFrame({"group": ["sha0", "sha1", "sha1"]}, index=table.index).to_parquet(workspace.artifacts / "cleaning.parquet")
    assert scoring._copies_held_out(workspace, table).tolist() == ["sha0", "sha1", "sha1"]


def test_a_photo_score_is_a_contents(told: tuple[Workspace, list[str]]) -> None:
    """Two folders may have the same names: a picture gets the score of its own content, or of none."""
    workspace, _ = told
    paths = pd.Index(["b/1.png", "b/2.png"], name="path")
    pd.DataFrame({"label": "b", "bytes": 1, "modified_ns": 1, "sha256": ["x", "y"], "issue": ""}, index=paths).to_parquet(
        workspace.artifacts / "manifest.parquet")
    decisions = {"label": "b", "keep": True, "reason": "", "evidence": "", "duplicate_group": "", "decided_by": "machine"}
    write_table(pd.DataFrame({**decisions, "photo_score": [0.1, 0.9], "label_score": ""}, index=paths), workspace.artifacts / "decisions.csv")
    found = scoring._photo_scores(workspace, pd.Series(["y", "z", "x"], index=["b/1.png", "b/2.png", "b/3.png"]))
    assert found.tolist()[::2] == [0.9, 0.1]
    assert np.isnan(found.iloc[1])


def test_new_pictures_are_scored_as_their_like_were() -> None:
    """By trees that learned from what was found; where nothing or everything was a photograph, so are they."""
    rng = np.random.default_rng(0)
    photo = np.arange(100) % 4 == 0
    features = rng.random((100, len(feature_names())))
    features[:, feature_names().index(COLUMNS[0])] += 5 * photo
    score = scores_beside(features, photo, features, jobs=1)
    assert score[photo].max() < score[~photo].min()
    assert [set(scores_beside(features, np.full(100, of), features)) for of in (False, True)] == [{1.0}, {0.0}]


def test_own_columns_in_any_spelling_and_numbers_in_bands(told: tuple[Workspace, list[str]], tmp_path: Path) -> None:
    """Paths match however their Hangul is spelled; a number of many values becomes bands; what has no value and what is too small is said."""
    workspace, lines = told
    paths = pd.Index([unicodedata.normalize("NFD", f"가방/{i}.png") for i in range(60)])
    own = pd.DataFrame({"path": [f"가방/{i}.png" for i in range(50)], "age": [str(i) for i in range(50)], "who": ["a"] * 45 + ["b"] * 5,
                        "driver": [str(i % 3) for i in range(50)]})
    own.to_csv(tmp_path / "own.csv", index=False)
    found = scoring._own_columns(workspace, paths, tmp_path / "own.csv")
    assert found["own: age"].nunique() == 4  # three bands and nothing
    assert set(found["own: driver"]) == {"0", "1", "2", ""}  # numbers that name somebody
    assert found["own: who"].value_counts().to_dict() == {"a": 45, "": 10, "b": 5}
    assert lines == [f"--slice-by: 10 of 60 pictures have no value in {tmp_path / 'own.csv'}",
                     "--slice-by: 1 value of who has fewer than 10 pictures and is left out"]


def test_what_was_kept_on_purpose_is_no_cause(told: tuple[Workspace, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """An error is not blamed on being a photograph where cleaning was told to skip photographs, or where most pictures are such."""
    workspace, _ = told
    pictures = pipeline.Pictures(np.zeros((4, 1)), np.zeros((4, 8, 8, 3), np.uint8), np.arange(4))

    def found(scores: list[float], settings: CleaningSettings) -> list[bool]:
        monkeypatch.setattr(scoring, "photo_scores", lambda *_: type("Found", (), {"score": np.array(scores)}))
        write_json({"settings": {**settings.__dict__}, "digest": ""}, workspace.artifacts / "cleaning.json")
        return scoring._photographs(workspace, pictures.take(np.arange(2)), pictures.take(np.arange(2, 4))).tolist()

    assert found([1, 0.1, 0.1, 1], CleaningSettings()) == [True, False]
    assert found([0.1, 0.1, 0.1, 1], CleaningSettings()) == [False, False]
    assert found([1, 0.1, 0.1, 1], CleaningSettings(checks=("duplicates",))) == [False, False]


def test_a_label_may_be_called_as_a_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its probability is there beside the column of that name."""
    class Model:
        settings, classes_ = pipeline.ExtractionSettings(), np.array(["a", "issue", "predicted"])

    (tmp_path / "1.png").write_bytes(b"")
    monkeypatch.setattr(scoring, "load_model", lambda _: (Model(), {}))
    table = scoring.predict(Workspace(tmp_path, tmp_path, jobs=1), tmp_path / "m.joblib", [tmp_path / "1.png"])
    assert list(table.columns) == ["a", "p__issue", "p__predicted", "predicted", "issue"]
    assert table["issue"].item()


def test_a_folder_without_known_labels_is_sent_to_predict(told: tuple[Workspace, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is promised and nothing written; what was found is named."""
    workspace, lines = told
    monkeypatch.setattr(scoring, "_predictions", lambda *_: predictions("model", ["", "c"], ["가", "b"]))
    with pytest.raises(ScratchworkError, match=r"that the model knows \(found: (none, 'c'|'c', none)\).*cli\.py predict exam"):
        scoring.evaluate(workspace, tmp_path / "lgbm.joblib", Path("exam"), EvaluationSettings())
    assert lines == []
    assert list(tmp_path.iterdir()) == []
