"""The boosted model: what it may learn from, and that it learns nothing where there is nothing to learn."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps
from threadpoolctl import ThreadpoolController, threadpool_info

from cleaning.folds import TEST, draw_parts
from cleaning.labels import check_labels
from features.errors import ScratchworkError, UnreadablePicture
from features.extract import ExtractionSettings
from features.families import family_columns, feature_names
from features.scan import natural_order, scan_folder
from models import lgbm
from models.doubt import doubted_labels
from models.fisher import FisherEncoder, fisher_vectors, mirrored_blocks
from models.kernel import KernelRidge, thinned_rows
from models.lgbm import ENCODED, TREE_FAMILIES, BoostedKernel, LgbmParameters, draw_samples
from models.pictures import Examples, Pictures, read_pictures
from models.training import best_rounds, train_lgbm
from sources.demo import make_demo_set


def test_rounds_are_read_off_the_mean_curve() -> None:
    """The best round is the lowest of the mean as far as all curves go, counted from 1."""
    assert best_rounds([np.array([3.0, 1.0, 2.0, 0.0]), np.array([3.0, 2.0, 0.5])]) == 3
    assert best_rounds([np.array([1.0])]) == 1


def test_doubt_is_for_wrong_labels_and_not_for_what_a_person_decided() -> None:
    """What the check of labels calls wrong among the judged pictures, without those that a person decided."""
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1, 2], 100)
    codes = np.where(np.arange(300) < 10, 1, truth)
    proba = rng.dirichlet([1, 1, 1], 300) * 0.2 + 0.8 * np.eye(3)[truth]
    wrong = np.flatnonzero(check_labels(codes, proba).wrong)
    assert 1 < len(wrong) <= 10
    assert wrong.max() < 10
    own, everything = np.arange(300), np.ones(300, bool)
    examples = Examples(Pictures(np.empty((0, 0)), np.empty((0, 0)), own), codes, own, np.zeros(300, int), ~everything)
    assert np.flatnonzero(doubted_labels(examples, proba, everything)).tolist() == wrong.tolist()
    trusting = examples._replace(trusted=own == wrong[0])
    assert np.flatnonzero(doubted_labels(trusting, proba, everything)).tolist() == wrong[1:].tolist()
    assert not doubted_labels(examples, proba, own >= 10).any()


def test_a_label_that_is_doubted_more_than_half_is_learned_from_whole() -> None:
    """Ten pictures of their own label among thirty of another: the check doubts most of them, the training none."""
    rng = np.random.default_rng(1)
    truth = np.repeat([0, 1, 2], [10, 400, 300])
    codes = np.where(np.arange(710) >= 680, 0, truth)
    proba = rng.dirichlet([1, 1, 1], 710) * 0.2 + 0.8 * np.eye(3)[truth]
    assert check_labels(codes, proba).wrong[codes == 0].mean() > 0.5
    own = np.arange(710)
    examples = Examples(Pictures(np.empty((0, 0)), np.empty((0, 0)), own), codes, own, np.zeros(710, int), np.zeros(710, bool))
    assert not doubted_labels(examples, proba, np.ones(710, bool))[codes == 0].any()


@pytest.mark.parametrize(("few", "alone"), [(1000, True), (1, False)])
def test_few_pictures_are_learned_from_by_one_thread(few: int, alone: bool, drawing: Callable[..., Image.Image], tmp_path: Path,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """Products and trees; where there are many, everybody helps. What was set before is set afterwards."""
    files = [tmp_path / f"{seed}.png" for seed in range(12)]
    for seed, file in enumerate(files):
        drawing(seed).save(file)
    pictures = read_pictures(files, ExtractionSettings())
    codes, own = np.arange(len(pictures.rows)) % 2, np.arange(len(pictures.rows))
    seen: list[int] = []
    fit, train = KernelRidge.fit, lightgbm.train
    monkeypatch.setattr(lgbm, "FEW_PICTURES", few)
    monkeypatch.setattr(KernelRidge, "fit", lambda *a: seen.append(max(blas_threads())) or fit(*a))
    monkeypatch.setattr(lightgbm, "train", lambda settings, *a, **k: seen.append(settings["num_threads"]) or train(settings, *a, **k))
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        before = blas_threads()
        parameters = LgbmParameters()
        BoostedKernel(parameters).fit(pictures, codes, 2, own, draw_samples(pictures, parameters, 1), 2, 3)
        assert blas_threads() == before
    assert set(seen[:-1]) == {1 if alone else max(before)}
    assert seen[-1] == (1 if alone else 3)


def blas_threads() -> list[int]:
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@given(counts=st.lists(st.integers(1, 60), min_size=1, max_size=8), limit=st.integers(1, 200))
def test_thinning_cuts_large_classes_and_keeps_small_ones_whole(counts: list[int], limit: int) -> None:
    """No more rows than the limit allows (one a class at least), and a class loses rows only if no kept class is larger by more than none."""
    codes = np.repeat(np.arange(len(counts)), counts)
    kept = np.bincount(codes[thinned_rows(codes, limit, 0)], minlength=len(counts))
    assert kept.sum() <= max(limit, len(counts))
    thinned = kept < np.array(counts)
    if thinned.any():
        assert len(set(kept[thinned])) == 1
        assert (kept[~thinned] <= kept[thinned][0]).all()


def test_an_unknown_balance_is_refused() -> None:
    """The parameters name the choices."""
    with pytest.raises(ScratchworkError, match="choose one of none, undersample, smote, class-weight"):
        LgbmParameters(balance="magic")


def test_a_file_without_pixels_is_named(tmp_path: Path) -> None:
    """Predicting from paths stops at an unreadable file with its path and the reason."""
    (tmp_path / "bad.png").write_bytes(b"<html>")
    with pytest.raises(UnreadablePicture, match=r"bad\.png: not a picture: HTML"):
        read_pictures([tmp_path / "bad.png"], ExtractionSettings())


def test_trees_see_every_family_but_hog() -> None:
    """The wide gradient block goes to the kernel machine only."""
    seen = {feature_names()[i].split("__")[0] for i in family_columns(list(TREE_FAMILIES))}
    assert seen == {name.split("__")[0] for name in feature_names()} - {"hog"}


def test_what_is_left_out_is_not_looked_at(tmp_path: Path) -> None:
    """With a family's columns made anew at random the predictions stay as they were, and do not where the family is used."""
    made = make_demo_set(tmp_path / "set", scale=0.05)
    clean = [row for row in made.truth if row.kind == "clean"][:80]
    pictures = read_pictures([tmp_path / "set" / row.path for row in clean], ExtractionSettings())
    codes = np.unique([Path(row.path).parent.name for row in clean], return_inverse=True)[1]
    columns = family_columns(["noise", "hsv"])
    other = pictures.features.copy()
    other[:, columns] = np.random.default_rng(0).random((len(other), len(columns)))
    for left_out in ((), ("noise", "hsv", "color")):
        p = LgbmParameters(leave_out=left_out, gaussians=4, min_rows_per_leaf=3)
        machine = BoostedKernel(p).fit(pictures, codes, codes.max() + 1, np.arange(len(codes)), draw_samples(pictures, p, 1), 5, 1)
        same = np.array_equal(machine.log_proba(pictures), machine.log_proba(pictures._replace(features=other)))
        assert same == bool(left_out)
        assert set(machine.importance()) == {"kernel", *p.tree_families}


@pytest.mark.parametrize(("left_out", "told"), [(("colour",), "leave_out 'colour' is unknown; choose among gradient, color"),
                                                (("gradient", "color", "hog", "hsv"), "leaves the kernel machine nothing; keep one of gradient")])
def test_what_cannot_be_left_out(left_out: tuple[str, ...], told: str) -> None:
    """Unknown names, and everything that the kernel machine sees."""
    with pytest.raises(ScratchworkError, match=told):
        LgbmParameters(leave_out=left_out)


def test_a_mirror_image_has_the_blocks_of_the_mirrored_file(drawing: Callable[..., Image.Image], tmp_path: Path) -> None:
    """Mirroring a tile is mirroring the picture: its `hog`, and its Fisher vectors; the colours are the same on both sides."""
    files = [tmp_path / "picture.png", tmp_path / "mirror image.png"]
    picture = drawing(3, 128, 128, 0)
    picture.save(files[0])
    ImageOps.mirror(picture).save(files[1])
    both = read_pictures(files, ExtractionSettings())
    p = LgbmParameters(gaussians=4)
    samples = draw_samples(both, p, 1)
    encoders = [FisherEncoder(kind, 4, ENCODED[kind]).fit(np.concatenate(list(drawn.values()))) for kind, drawn in samples.items()]
    seen, own = mirrored_blocks(encoders, both.tiles, both.rows[:1]), fisher_vectors(encoders, both.tiles, both.rows[1:])
    for kind in ENCODED:
        assert np.array_equal(seen[kind], own[kind])
    assert np.array_equal(seen["hog"], both.take(np.array([1])).columns(family_columns(["hog"])))
    assert np.array_equal(*(both.take(np.array([i])).columns(family_columns(["hsv"])) for i in (0, 1)))


def sign(rng: np.random.Generator, kind: str) -> Image.Image:
    """A house, or an arrow to the left or to the right, somewhere on a white page, (128, 128) px."""
    image = Image.new("RGB", (128, 128), "white")
    pen = ImageDraw.Draw(image)
    x, y, w, h = rng.integers(10, 30), rng.integers(30, 50), rng.integers(50, 80), rng.integers(20, 40)
    if kind == "house":
        pen.rectangle([x, y, x + w, y + h], outline="black", width=4)
        pen.line([x, y, x + w // 2, y - 25, x + w, y], fill="black", width=4)
        pen.rectangle([x + 8, y + h // 2, x + 20, y + h], fill="black")
    else:
        pen.line([x, y, x + w, y], fill="black", width=4)
        pen.line([x + h // 2, y - h // 2, x, y, x + h // 2, y + h // 2], fill="black", width=4)
    return ImageOps.mirror(image) if kind == "right" else image


@pytest.mark.parametrize(("mirror", "room", "mirrored"), [(True, 8000, [True, False, False]), (True, 90, [True, True, True]),
                                                          (False, 8000, [False, False, False])],
                         ids=["arrows are told from their mirror images", "no room for mirror images", "not wanted"])
def test_arrows_are_not_mirrored(tmp_path: Path, mirror: bool, room: int, mirrored: list[bool]) -> None:
    """The mirror image of an arrow to the left belongs to another label, that of a house does not; arrows stay told apart."""
    rng = np.random.default_rng(0)
    codes = np.arange(120) % 3
    files = [tmp_path / f"{i}.png" for i in range(120)]
    for file, code in zip(files, codes, strict=True):
        sign(rng, ("house", "left", "right")[code]).save(file)
    pictures = read_pictures(files, ExtractionSettings())
    learn, new = np.arange(90), np.arange(90, 120)
    p = LgbmParameters(gaussians=8, min_rows_per_leaf=3, mirror=mirror, kernel_rows=room)
    machine = BoostedKernel(p).fit(pictures.take(learn), codes[learn], 3, learn, draw_samples(pictures.take(learn), p, 1), 5, 1)
    assert machine.mirrored_.tolist() == mirrored
    assert len(machine.kernel_.points_) == 90 + 30 * (mirror and room > 90)
    assert (machine.log_proba(pictures.take(new)).argmax(1) == codes[new]).all()


@pytest.fixture(scope="module")
def signs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pictures, np.ndarray]:
    """90 houses and arrows, and their codes."""
    folder, rng, codes = tmp_path_factory.mktemp("signs"), np.random.default_rng(0), np.arange(90) % 3
    files = [folder / f"{i}.png" for i in range(90)]
    for file, code in zip(files, codes, strict=True):
        sign(rng, ("house", "left", "right")[code]).save(file)
    return read_pictures(files, ExtractionSettings()), codes


def learned(signs: tuple[Pictures, np.ndarray], monkeypatch: pytest.MonkeyPatch, groups: np.ndarray,
            **options: Any) -> tuple[BoostedKernel, Any, int]:
    """A machine, what its trees learned from, and how many pictures taught its dictionary."""
    pictures, codes = signs
    p = LgbmParameters(gaussians=4, min_rows_per_leaf=3, mirror=False, **options)
    seen: list[Any] = []
    real_dataset, real_samples = BoostedKernel._dataset, lgbm._samples_of
    monkeypatch.setattr(BoostedKernel, "_dataset", lambda self, rows: seen.append(rows) or real_dataset(self, rows))
    monkeypatch.setattr(lgbm, "_samples_of", lambda samples, kind, rows: seen.append(len(rows)) or real_samples(samples, kind, rows))
    machine = BoostedKernel(p).fit(pictures, codes, 3, groups, draw_samples(pictures, p, 1), 3, 1)
    return machine, seen[-1], seen[0]


def test_trees_learn_from_scores_of_pictures_that_the_kernel_machine_does_not_know(signs: tuple[Pictures, np.ndarray],
                                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more pictures than the kernel machine takes, the trees see those whose group it has no picture of; the dictionary is taught by all."""
    for groups, rows in ((np.arange(90), 90), (np.arange(90) // 45, 30)):
        machine, trees, taught = learned(signs, monkeypatch, groups, kernel_rows=30)
        assert (len(machine.kernel_.points_), len(trees.codes), taught) == (30, rows, 90)


def test_made_rows_are_for_the_trees(signs: tuple[Pictures, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    """SMOTE's rows do not make the kernel machine larger, and have scores between those that their pictures would have had unseen."""
    pictures, codes = signs
    few = np.flatnonzero((codes != 1) | (np.arange(90) < 20))
    part = pictures.take(few), codes[few]
    plain = learned(part, monkeypatch, few)
    machine, trees, _ = learned(part, monkeypatch, few, balance="smote")
    assert len(machine.kernel_.points_) == len(few)
    assert np.bincount(trees.codes).tolist() == [30, 30, 30]
    own, made = trees.scores[:len(few)], trees.scores[len(few):]
    assert np.array_equal(own, plain[1].scores)
    rare = own[part[1] == 1]
    assert (made >= rare.min(0) - 1e-5).all()
    assert (made <= rare.max(0) + 1e-5).all()


def test_boosting_goes_on_as_if_it_had_not_stopped(signs: tuple[Pictures, np.ndarray]) -> None:
    """A fold whose labels would end its boosting early is told of by as many rounds as the other folds say."""
    pictures, codes = signs
    codes = np.where(np.arange(90) % 4 == 0, (codes + 1) % 3, codes)  # else the kernel machine leaves the trees nothing to do
    learn, watch = np.arange(60), np.arange(60, 90)
    p = LgbmParameters(gaussians=4, min_rows_per_leaf=3, mirror=False, patience=2)
    samples = draw_samples(pictures, p, 1)
    stopped, whole = (BoostedKernel(p).fit(pictures.take(learn), codes[learn], 3, learn, samples, 60, 1, watch=watched)
                      for watched in ((pictures.take(watch), np.roll(codes[watch], 1)), None))
    assert len(stopped.curve_) < 20
    stopped.boost_on(60)
    assert stopped.booster_.current_iteration() == 60
    np.testing.assert_allclose(stopped.watched_log_proba(pictures.take(watch), 60), whole.log_proba(pictures.take(watch)), atol=1e-6)


def test_reasons_are_told_in_parts(signs: tuple[Pictures, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pictures at a time, the contributions are the same; of none there are none."""
    machine, _, _ = learned(signs, monkeypatch, np.arange(90))
    pictures, codes = signs
    names, whole = machine.contributions(pictures, codes, (codes + 1) % 3, 1, list("abc"))
    monkeypatch.setattr(lgbm, "CHUNK", 7)
    assert np.allclose(machine.contributions(pictures, codes, (codes + 1) % 3, 1, list("abc"))[1], whole, atol=1e-5)
    none = np.arange(0)
    assert machine.contributions(pictures.take(none), codes[none], codes[none], 1, list("abc"))[1].shape == (0, len(names))


@pytest.mark.slow
@pytest.mark.parametrize("shuffled", [True, False], ids=["labels shuffled: chance", "labels as drawn: far above chance"])
def test_nothing_is_learned_from_shuffled_labels(tmp_path: Path, shuffled: bool) -> None:
    """A leak anywhere would lift shuffled labels above chance, out-of-fold or held out."""
    made = make_demo_set(tmp_path / "set", scale=0.2)
    clean = [row for row in made.truth if row.kind == "clean"]
    paths = [str(tmp_path / "set" / row.path) for row in clean]
    files = scan_folder(tmp_path / "set").files
    labels = files["label"].loc[[row.path for row in clean]]
    if shuffled:
        labels[:] = np.random.default_rng(0).permutation(labels.to_numpy())
    groups = labels.index.to_series()
    fold = draw_parts(labels, groups, [0.25] * 4, 0) - 1
    assert (fold == TEST).any()
    pictures = read_pictures(paths, ExtractionSettings(), jobs=2)
    classes = natural_order(labels.tolist())
    examples = Examples(pictures, np.array([classes.index(label) for label in labels]), groups.to_numpy(), fold.to_numpy(),
                        np.zeros(len(labels), bool))
    trained = train_lgbm(examples, classes, LgbmParameters(), ExtractionSettings(), refit=False, jobs=2, stage=lambda name: None)
    majority = labels.value_counts(normalize=True).iloc[0]
    chance = (labels.value_counts(normalize=True) ** 2).sum()
    for part in (fold == TEST, fold != TEST):
        accuracy = (trained.predicted[part] == labels[part]).mean()
        noise = 4 * np.sqrt(majority * (1 - majority) / part.sum())
        assert (accuracy < majority + noise) if shuffled else (accuracy > chance + 0.3)
