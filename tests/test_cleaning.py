"""Decisions: what each check leaves out, the journal of people's decisions, photographs and wrong labels."""

import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cleaning import photos
from cleaning.decisions import CleaningSettings, decide
from cleaning.folds import held_out_and_folds, merged_groups
from cleaning.labels import check_labels
from cleaning.overrides import Override, append_override, read_overrides, resolve
from cleaning.photos import METHODS, photo_scores
from features.errors import ScratchworkError
from features.families import feature_matrix
from features.images import Picture
from features.view import make_view

NOTHING = pd.DataFrame(columns=["keep", "label", "note", "reviewer"])


def manifest_of(rows: dict[str, str]) -> pd.DataFrame:
    """path → sha256; the label is the first folder."""
    labels = [path.split("/")[0] for path in rows]
    return pd.DataFrame({"label": labels, "sha256": list(rows.values()), "issue": ""}, index=pd.Index(rows, name="path"))


def found_of(manifest: pd.DataFrame, stars: dict[str, str], photo: dict[str, float] | None = None) -> pd.DataFrame:
    star = [stars.get(path, path) for path in manifest.index]
    return pd.DataFrame({"group": star, "star": star, "similarity": 0.99, "turn": 0, "equal_pixels": False, "photo_evidence": "grain",
                         "photo_score": [(photo or {}).get(path, 1.0) for path in manifest.index]}, index=manifest.index)


def test_the_majority_label_of_a_picture_wins() -> None:
    """Two files under one label outvote one under another; the best of the two stays, the third is a conflict."""
    manifest = manifest_of({"a/1": "x", "a/2": "y", "b/3": "z", "b/4": "w"})
    table = decide(manifest, found_of(manifest, {"a/1": "a/1", "a/2": "a/1", "b/3": "a/1"}), None, NOTHING, CleaningSettings())
    assert table["reason"].to_dict() == {"a/1": "", "a/2": "near_duplicate", "b/3": "label_conflict", "b/4": ""}
    assert table["keep"].tolist() == [True, False, False, True]
    assert table.loc["a/2", "evidence"] == "repeats a/1"
    assert table.loc["a/1", "duplicate_group"] == table.loc["b/3", "duplicate_group"] != ""
    assert table.loc["b/4", "duplicate_group"] == ""


def test_without_a_majority_nobody_knows_the_label() -> None:
    """One file under each of two labels: both are set aside, and each names the other."""
    manifest = manifest_of({"a/1": "x", "b/2": "x", "a/3": "y", "b/4": "z"})
    table = decide(manifest, found_of(manifest, {"b/2": "a/1"}), None, NOTHING, CleaningSettings())
    assert table["reason"].tolist() == ["label_conflict", "label_conflict", "", ""]
    assert "b/2" in table.loc["a/1", "evidence"]
    assert "a/1" in table.loc["b/2", "evidence"]


def test_the_same_bytes_are_an_exact_duplicate() -> None:
    """Equal digests under one label: one stays."""
    manifest = manifest_of({"a/1": "x", "a/2": "x", "b/3": "y"})
    table = decide(manifest, found_of(manifest, {"a/2": "a/1"}), None, NOTHING, CleaningSettings())
    assert table["reason"].tolist() == ["", "exact_duplicate", ""]
    assert table["score"].tolist() == [1.0, 0.0, 1.0]


def test_a_suspected_label_is_flagged_and_in_the_held_out_part_never_removed() -> None:
    """By default all stay; with drop_wrong_labels those that are learned from go."""
    manifest = manifest_of({"a/1": "x", "a/2": "y", "b/3": "z"}).assign(fold=pd.array([-1, 0, 1], dtype="Int64"))
    labels = pd.DataFrame({"score": [0.1, 0.1, 0.9], "suggested": ["b", "b", "a"], "proba": [0.8, 0.8, 0.1],
                           "precision": [0.9, 0.9, 0.0], "wrong": [True, True, False]}, index=manifest.index)
    flagged = decide(manifest, found_of(manifest, {}), labels, NOTHING, CleaningSettings())
    assert flagged["reason"].tolist() == ["wrong_label", "wrong_label", ""]
    assert flagged["keep"].all()
    assert flagged.loc["a/1", "evidence"] == "perhaps b (probability 0.80)"
    dropped = decide(manifest, found_of(manifest, {}), labels, NOTHING, CleaningSettings(drop_wrong_labels=True))
    assert dropped["keep"].tolist() == [True, False, True]
    unsure = decide(manifest, found_of(manifest, {}), labels, NOTHING, CleaningSettings(drop_wrong_labels=True, label_precision=0.95))
    assert unsure["keep"].all()


def test_cleaning_refuses_to_lose_a_label_or_most_of_the_set() -> None:
    """Counts and the option that allows it are named."""
    manifest = manifest_of({"a/1": "x", "a/2": "y", "b/3": "z", "b/4": "w", "b/5": "v"})
    with pytest.raises(ScratchworkError, match=r"nothing of label 'a' \(2 readable pictures, all left out: photo\); give --allow-empty"):
        decide(manifest, found_of(manifest, {}, {"a/1": 0.1, "a/2": 0.2}), None, NOTHING, CleaningSettings())
    everything = found_of(manifest, {}, dict.fromkeys(manifest.index, 0.1))
    with pytest.raises(ScratchworkError, match="5 of 5 pictures look like photographs, more than half"):
        decide(manifest, everything, None, NOTHING, CleaningSettings())
    assert not decide(manifest, everything, None, NOTHING, CleaningSettings(allow_photos=True, allow_empty=True))["keep"].any()


def test_a_person_wins_over_every_check() -> None:
    """Keep, drop and relabel; only a file without pixels stays out."""
    manifest = manifest_of({"a/1": "x", "a/2": "y", "b/3": "z", "b/4": "w"})
    manifest.loc["b/4", "issue"] = "empty file"
    people = pd.DataFrame([[True, "", "a drawing", ""], [False, "", "", "kim"], [None, "a", "", ""], [True, "", "", ""]], index=manifest.index,
                          columns=["keep", "label", "note", "reviewer"])
    table = decide(manifest, found_of(manifest, {}, {"a/1": 0.1}), None, people, CleaningSettings(allow_empty=True))
    assert table["keep"].tolist() == [True, False, True, False]
    assert table["label"].tolist() == ["a", "a", "a", "b"]
    assert table["decided_by"].tolist() == ["person", "person kim", "person", "machine"]
    assert table.loc["a/1", "evidence"] == "a drawing; the machine said photo"
    assert table.loc["b/3", "evidence"] == "relabelled, was b"


def test_a_loose_copy_takes_no_picture_from_its_label() -> None:
    """What lies in no label's folder has no vote: one copy or two of it, the labelled picture stays and they repeat it."""
    manifest = manifest_of({"a/1": "x", "1": "x", "2": "x", "b/3": "y"})
    manifest.loc[["1", "2"], "label"] = ""
    table = decide(manifest, found_of(manifest, {"a/1": "1", "2": "1"}), None, NOTHING, CleaningSettings())
    assert table["reason"].to_dict() == {"a/1": "", "1": "exact_duplicate", "2": "exact_duplicate", "b/3": ""}


# The journal


def test_the_journal_gives_back_what_was_written(tmp_path: Path) -> None:
    """Round trip, in order, with Korean, commas, quotes and line ends in notes."""
    written = [Override("가방/1.png", "ab", True, "", 'a "b", c\nd', "김"), Override("x/2.png", "", None, "가방"),
               Override("x/2.png", "cd", False, "")]
    for override in written:
        append_override(tmp_path / "overrides.csv", override)
    assert read_overrides(tmp_path / "overrides.csv") == written
    assert read_overrides(tmp_path / "absent.csv") == []


@pytest.mark.parametrize("cut", range(1, 40, 3))
def test_a_crash_while_writing_loses_one_row_at_most(cut: int, tmp_path: Path) -> None:
    """A journal that ends anywhere in its last row is readable, and takes the next decision."""
    file = tmp_path / "overrides.csv"
    first, second = Override("a/1.png", "ab" * 8, True, "x"), Override("a/2.png", "cd" * 8, False, "")
    append_override(file, first)
    whole = file.stat().st_size
    append_override(file, second)
    with file.open("r+b") as journal:
        journal.truncate(min(whole + cut, file.stat().st_size))
    assert read_overrides(file)[0] == first
    append_override(file, second)
    assert read_overrides(file)[0] == first
    assert set(read_overrides(file)[1:]) == {second}, "a row is whole or gone"


def test_a_journal_by_hand_may_be_short(tmp_path: Path) -> None:
    """Path and keep are enough, without a line end and with a spreadsheet's byte order mark."""
    (tmp_path / "o.csv").write_bytes("\ufeffpath,keep\na/1.png,yes\na/2.png,drop".encode())
    assert read_overrides(tmp_path / "o.csv") == [Override("a/1.png", "", True, ""), Override("a/2.png", "", False, "")]


@pytest.mark.parametrize(("text", "said"), [
    ("file,keep\na,1\n", "needs a first line with path or sha256"), ("path,keep\na,perhaps\n", "line 2: keep is 'perhaps'"),
    ("path,keep\na,1,2\n", "line 2: 3 fields where the first line has 2"), ("path,keep\n,1\n", "line 2: neither path nor sha256"),
])
def test_a_row_that_makes_no_sense_is_named(text: str, said: str, tmp_path: Path) -> None:
    """The line and what is wrong with it."""
    (tmp_path / "o.csv").write_text(text)
    with pytest.raises(ScratchworkError, match=said):
        read_overrides(tmp_path / "o.csv")


def test_a_decision_follows_the_picture() -> None:
    """By path while the file is the same, by digest when it was moved or replaced; the last word counts; strangers are handed back."""
    manifest = manifest_of({"a/1": "x", "a/moved": "y", "b/3": "z"})
    rows = [Override("a/1", "x", False, ""), Override("a/1", "", True, ""), Override("a/2", "y", False, ""), Override("b/9", "q", True, ""),
            Override("b/3", "z", False, ""), Override("b/3", "z", None, "")]
    table, lost = resolve(rows, manifest, ["a", "b"])
    assert table["keep"].to_dict() == {"a/1": True, "a/moved": False}
    assert lost == [rows[3]]
    with pytest.raises(ScratchworkError, match=r"the label 'c', which no folder has; known labels: a, b; .*cli\.py decide a/1"):
        resolve([Override("a/1", "", None, "c")], manifest, ["a", "b"])


def test_a_label_that_no_folder_has_any_more_matters_where_it_counts() -> None:
    """Undone, said otherwise since, or of a picture that is gone, it stops nothing."""
    manifest = manifest_of({"a/1": "x", "b/3": "z"})
    rows = [Override("a/1", "", None, "gone", reviewer="kim"), Override("a/1", "", None, "", reviewer="kim", undo=True),
            Override("b/3", "", None, "gone"), Override("b/3", "", None, "a"), Override("c/1", "", None, "gone")]
    table, lost = resolve(rows, manifest, ["a", "b"])
    assert table["label"].to_dict() == {"b/3": "a"}
    assert lost == rows[-1:]


def test_a_click_that_was_written_twice_counts_once() -> None:
    """Two copies of one undo take back one row."""
    manifest = manifest_of({"a/1": "x"})
    undo = Override("a/1", "", None, "", reviewer="kim", click="c2", undo=True)
    rows = [Override("a/1", "", False, "", reviewer="kim", click="c0"), Override("a/1", "", True, "", reviewer="kim", click="c1"), undo, undo]
    assert resolve(rows, manifest, ["a"])[0]["keep"].to_dict() == {"a/1": False}


def test_hangul_by_hand_is_the_folders_in_any_spelling(tmp_path: Path) -> None:
    """Paths and labels of a journal match however they are spelled."""
    nfc, nfd = (unicodedata.normalize(form, "가방") for form in ("NFC", "NFD"))
    manifest = manifest_of({f"{nfd}/1": "x", "b/2": "y"}).assign(label=[nfc, "b"])
    (tmp_path / "o.csv").write_text(f"path,label\n{nfc}/1,b\nb/2,{nfd}\n", encoding="utf-8")
    assert resolve(read_overrides(tmp_path / "o.csv"), manifest, [nfc, "b"])[0]["label"].to_dict() == {f"{nfd}/1": "b", "b/2": nfc}


def test_a_short_journal_takes_a_whole_decision(tmp_path: Path) -> None:
    """Columns that a journal begun by hand lacks are added before a row that needs them."""
    (tmp_path / "o.csv").write_text("path,label\na/2,b\n")
    append_override(tmp_path / "o.csv", Override("a/2", "y", False, "", "no bag", "kim"))
    assert read_overrides(tmp_path / "o.csv") == [Override("a/2", "", None, "b"), Override("a/2", "y", False, "", "no bag", "kim")]


# Photographs


def features_of(pictures: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    views = [make_view(Picture("PNG", "RGB", rgb.shape[1], rgb.shape[0], rgb)) for rgb in pictures]
    return feature_matrix(views), np.array([view.tile.rgb for view in views])


def grainy(seed: int) -> np.ndarray:
    """Soft shades in many colours with a sensor's grain, to the border."""
    import cv2

    rng = np.random.default_rng(seed)
    shades = cv2.resize(rng.integers(20, 235, (5, 6, 3)).astype(np.float32), (240, 200), interpolation=cv2.INTER_CUBIC)
    return np.clip(shades + rng.normal(0, 6, shades.shape), 0, 255).astype(np.uint8)


def test_photographs_are_found_and_drawings_are_not(drawing: Callable) -> None:
    """Eight grainy pictures among eighty drawings score low, no drawing does."""
    features, tiles = features_of([grainy(k) for k in range(8)] + [np.asarray(drawing(k, 240, 200, 20)) for k in range(80)])
    found = photo_scores(features, tiles, np.arange(88))
    assert (found.score[:8] < 0.5).all()
    assert (found.score[8:] > 0.9).all()


def test_without_photographs_none_is_found(drawing: Callable) -> None:
    """The method does not split what is all of one kind."""
    features, tiles = features_of([np.asarray(drawing(k, 240, 200, 20)) for k in range(80)])
    assert (photo_scores(features, tiles, np.arange(80)).score == 1).all()


def test_a_few_photographs_among_many_drawings_stop_nothing() -> None:
    """The figures that describe the split are made of a sample; a side that chance would leave out of it is in it."""
    for positions in ([7], [5_000, 19_999], list(range(19_000))):
        photo = np.isin(np.arange(20_000), positions)
        rows = photos._sampled(photo, 0)
        assert len(rows) <= photos.SAMPLE + photos.MIN_SEEDS
        assert 0 < photo[rows].sum() < len(rows)
        assert len(set(rows.tolist())) == len(rows)


@pytest.mark.parametrize("method", METHODS[1:])
def test_the_contest_methods_name_the_grainy_side_photographs(method: str, drawing: Callable) -> None:
    """Whatever number k-means gives the cluster, the side with less flat area is called photographs."""
    features, tiles = features_of([grainy(k) for k in range(30)] + [np.asarray(drawing(k, 240, 200, 20)) for k in range(60)])
    found = photo_scores(features, tiles, np.arange(90), method)
    assert set(found.score) == {0.0, 1.0}
    assert found.score[:30].mean() < found.score[30:].mean()
    assert np.isfinite([found.silhouette, found.davies_bouldin]).all()


# Wrong labels and groups


def test_planted_wrong_labels_rank_lowest() -> None:
    """Five of 200 labels are changed: they have the five lowest scores, their true label is suggested, and they are called wrong."""
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, 200)
    proba = np.full((200, 4), 0.04)
    proba[np.arange(200), true] = 0.88
    given = true.copy()
    planted = np.array([3, 50, 77, 120, 199])
    given[planted] = (true[planted] + 1) % 4
    check = check_labels(given, proba)
    assert set(np.argsort(check.score)[:5]) == set(planted)
    assert (check.suggested[planted] == true[planted]).all()
    assert set(np.flatnonzero(check.wrong)) == set(planted)
    assert ((check.score >= 0) & (check.score <= 1)).all()


def test_a_label_of_few_pictures_is_not_judged() -> None:
    """Nine pictures of a label get no score, and the label is named."""
    codes = np.r_[np.zeros(50, int), np.ones(9, int)]
    proba = np.full((59, 2), 0.5)
    check = check_labels(codes, proba)
    assert check.small == [1]
    assert np.isnan(check.score[50:]).all()
    assert not check.wrong[50:].any()


def test_a_copy_in_train_and_test_is_impossible() -> None:
    """Whatever the groups of duplicates and of the user, a linked pair is in one part, for any seed."""
    rng = np.random.default_rng(1)
    for seed in range(20):
        n = 200
        labels = pd.Series(rng.choice(["a", "b", "c"], n))
        duplicates, own = pd.Series(rng.integers(0, 120, n).astype(str)), pd.Series(rng.choice(["", *map(str, range(40))], n))
        groups = merged_groups(duplicates, own)
        fold = held_out_and_folds(labels, groups, 3, seed, pd.Series(dtype=int))
        assert (fold.groupby(duplicates).nunique() == 1).all()
        assert (fold[own != ""].groupby(own[own != ""]).nunique() == 1).all()


def made_predictions(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (n, 8) of a calibrated model, and the true codes (n,)."""
    proba = rng.dirichlet(np.full(8, 0.08), n)
    return proba, np.array([rng.choice(8, p=p) for p in proba])


def with_wrong_labels(rng: np.random.Generator, true: np.ndarray, planted: int) -> np.ndarray:
    """The first ``planted`` codes become another one at random."""
    given = true.copy()
    given[:planted] = (true[:planted] + rng.integers(1, 8, planted)) % 8
    return given


@pytest.mark.parametrize("planted", [0, 60, 200])
def test_the_stated_precision_of_suspects_holds(planted: int) -> None:
    """Of 2,000 made pictures whose class is known as well as a calibrated model knows it: as many are wrong as is said, at least; where
    no label is wrong, ten are suspected at most, and none is left out."""
    rng = np.random.default_rng(planted)
    proba, true = made_predictions(rng, 2000)
    given = with_wrong_labels(rng, true, planted)
    check = check_labels(given, proba)
    sure = check.wrong & (check.precision >= 0.7)
    assert sure.any() == (planted > 0)
    assert planted or check.wrong.sum() <= 10
    for least in (0.5, 0.7):
        listed = check.wrong & (check.precision >= least)
        if planted:
            assert (given != true)[listed].mean() >= least
            assert listed.sum() > 0.1 * planted


def test_the_list_of_suspects_hangs_little_on_chance() -> None:
    """Sixteen sets of one kind: the lists are about as long each time, and as precise as is said."""
    length, right = [], []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        proba, true = made_predictions(rng, 2000)
        given = with_wrong_labels(rng, true, 100)
        wrong = check_labels(given, proba).wrong
        length.append(wrong.sum())
        right.append((given != true)[wrong].mean())
    assert np.std(length) < 0.25 * np.mean(length)
    assert np.mean(length) > 100
    assert min(right) > 0.5
