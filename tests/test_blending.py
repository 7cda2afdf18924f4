"""Blends, their leaderboard and the intervals: known weights come back, nothing leaks between folds, chance is told as what it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss

from features.errors import ScratchworkError
from features.extract import ExtractionSettings
from features.families import feature_names
from models.blending import BLENDS, LEAST, Blend, Said, blended_out_of_fold
from models.decision import log_softmax
from models.intervals import Judged, difference, f1_of_counts, figures, interval, macro_f1, mcnemar, resampled
from models.pictures import Examples, Pictures, Unlabelled
from models.stack import SCALARS, StackParameters
from models.stacking import Base, taught_by_stack, train_stack
from models.trained import Trained

CLASSES = 4


def two_models(n: int = 1200, seed: int = 0, scalars: int = 2) -> tuple[Said, np.ndarray, np.ndarray]:
    """Independent evidence of strength 2 and 1 for the true class, as two models' log-probabilities; codes and folds."""
    rng = np.random.default_rng(seed)
    codes, fold = rng.integers(0, CLASSES, n), rng.integers(0, 3, n)
    z = [log_softmax(strength * np.eye(CLASSES)[codes] + rng.normal(size=(n, CLASSES))) for strength in (2.0, 1.0)]
    return Said(np.stack(z), rng.normal(size=(n, scalars))), codes, fold


def test_the_weights_are_those_of_the_evidence() -> None:
    """Unit noise around strengths 2 and 1: the best weights are 2 and 1, and every blend finds about them."""
    said, codes, fold = two_models(6000)
    assert Blend("mean").fit(said, codes, fold).common_.tolist() == [0.5, 0.5]
    for kind in BLENDS[1:]:
        assert Blend(kind).fit(said, codes, fold).common_ == pytest.approx([2, 1], abs=0.15)


def test_a_free_meta_model_is_scikit_learns_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    """With next to no ridge the meta-model predicts as multinomial logistic regression without a penalty does."""
    monkeypatch.setattr("models.blending.RIDGES", np.array([1e-9]))
    said, codes, fold = two_models(3000)
    ours = Blend("stack").fit(said, codes, fold).log_proba(said)
    X = np.hstack([*np.maximum(said.log_proba, LEAST), said.scalars])
    oracle = LogisticRegression(C=1e9, max_iter=5000, tol=1e-8).fit(X, codes).predict_log_proba(X)
    assert np.exp(ours) == pytest.approx(np.exp(oracle), abs=0.02)


def test_a_scalar_that_tells_the_class_is_used_by_the_meta_model_only() -> None:
    """Evidence that no base model has lowers the log loss of ``stack`` and of nothing else; pure noise costs next to nothing."""
    said, codes, fold = two_models()
    told = said._replace(scalars=np.hstack([said.scalars, (codes == 1)[:, None] + 0.3 * np.random.default_rng(1).normal(size=(len(codes), 1))]))
    loss = {name: {kind: log_loss(codes, np.exp(blended_out_of_fold(kind, s, codes, fold))) for kind in BLENDS[1:]}
            for name, s in (("noise", said), ("told", told))}
    assert loss["told"]["weighted"] == loss["noise"]["weighted"]
    assert loss["told"]["stack"] < loss["noise"]["stack"] - 0.1
    assert loss["noise"]["stack"] < loss["noise"]["weighted"] + 0.01


@pytest.mark.parametrize("kind", BLENDS)
def test_a_fold_is_blended_by_the_others_alone(kind: str) -> None:
    """Changing the labels of one fold changes nothing that is said of that fold; labels at random leave every blend at chance."""
    said, codes, fold = two_models(600)
    before = blended_out_of_fold(kind, said, codes, fold)
    rng = np.random.default_rng(3)
    other = np.where(fold == 1, rng.permutation(codes), codes)
    after = blended_out_of_fold(kind, said, other, fold)
    assert np.array_equal(before[fold == 1], after[fold == 1])
    assert kind == "mean" or not np.array_equal(before[fold == 0], after[fold == 0])
    shuffled = rng.permutation(codes)
    right = (blended_out_of_fold(kind, said, shuffled, fold).argmax(1) == shuffled).mean()
    assert right == pytest.approx(1 / CLASSES, abs=0.06)


def test_larger_files_than_ever_count_as_the_largest() -> None:
    """Where odd sizes belong to one label, a size beyond all of training says as much as the largest of them, and no more."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 600)
    size = np.where((codes == 0) & (rng.random(600) < 0.15), 600.0, 300.0)
    log_proba = np.log(rng.dirichlet(np.ones(3), 600) * 0.5 + 0.5 * np.eye(3)[codes])[None]
    blend = Blend("stack").fit(Said(log_proba, size[:, None]), codes, np.arange(600) % 3)
    at = {px: blend.log_proba(Said(log_proba, np.full((600, 1), px))) for px in (300.0, 600.0, 2400.0, 1.0)}
    assert np.array_equal(at[2400.0], at[600.0])
    assert np.array_equal(at[1.0], at[300.0])
    assert not np.array_equal(at[600.0], at[300.0])


def test_an_unknown_blend_is_refused() -> None:
    """Both the blend and the parameters name the choices."""
    for make in (Blend, StackParameters):
        with pytest.raises(ScratchworkError, match="choose one of mean, weighted, per-class, stack"):
            make("magic")


def test_pseudo_labels_of_a_fold_know_nothing_of_it() -> None:
    """What teaches the models of a fold does not change with the fold's own labels; the surest join, up to the cap, none below the floor."""
    said, codes, fold = two_models(600)
    rng = np.random.default_rng(4)
    columns = rng.normal(size=(650, len(feature_names()))).astype(np.float32)
    pictures, loose = (Pictures(columns, np.empty(0), rows) for rows in (np.arange(600), np.arange(600, 650)))
    more = [rng.dirichlet(np.ones(CLASSES), (4, 50)) for _ in range(2)]

    def taught(labels: np.ndarray) -> np.ndarray:
        examples = Examples(pictures, labels, np.arange(600), fold, np.zeros(600, bool))
        bases = [Base(name, None, np.exp(z)) for name, z in zip("ab", said.log_proba, strict=True)]  # type: ignore[arg-type]
        return taught_by_stack(bases, more, loose, examples, "stack")

    before, after = taught(codes), taught(np.where(fold == 1, rng.permutation(codes), codes))
    assert before.shape == (4, 50, CLASSES)
    assert np.array_equal(before[1], after[1])
    assert not np.array_equal(before[0], after[0])
    surest, proba = Unlabelled(loose, before, 0.5, 0.01).joining(1, 600)
    assert len(surest.rows) == len(proba) <= 6
    assert (np.diff(proba.max(1)) <= 0).all()
    assert (proba.max(1) >= 0.5).all()
    assert len(Unlabelled(loose, None, 0.5, 1).joining(0, 600)[1]) == 0


def test_what_a_stack_says_of_a_fold_knows_nothing_of_its_labels() -> None:
    """Neither the blend, nor its calibration, nor the decision: other labels in one fold change nothing there, and something elsewhere."""
    said, codes, fold = two_models(600)
    fold = np.where(np.arange(600) % 5 == 0, -1, fold)
    pictures = Pictures(np.random.default_rng(2).normal(size=(600, len(feature_names()))).astype(np.float32), np.empty(0), np.arange(600))
    bases = [Base(name, None, np.exp(z)) for name, z in zip("ab", said.log_proba, strict=True)]  # type: ignore[arg-type]

    def trained(labels: np.ndarray) -> Trained:
        examples = Examples(pictures, labels, np.arange(600), fold, np.zeros(600, bool))
        return train_stack(bases, examples, [f"L{c}" for c in range(CLASSES)], StackParameters(), ExtractionSettings())

    before, after = trained(codes), trained(np.where(fold == 1, np.random.default_rng(3).integers(0, CLASSES, 600), codes))
    assert np.array_equal(before.proba[fold == 1], after.proba[fold == 1])
    assert np.array_equal(before.predicted[fold == 1], after.predicted[fold == 1])
    assert not np.array_equal(before.proba[fold == 0], after.proba[fold == 0])
    assert not np.isnan(before.proba).any()


def stacked(shuffled: bool = False) -> tuple[dict, np.ndarray, np.ndarray]:
    """The told part, predicted labels and codes of a stack on two made base models."""
    said, codes, fold = two_models(900)
    fold = fold - 1  # 0 becomes the held-out part
    if shuffled:
        codes = np.random.default_rng(5).permutation(codes)
    pictures = Pictures(np.random.default_rng(2).normal(size=(900, len(feature_names()))).astype(np.float32), np.empty(0), np.arange(900))
    examples = Examples(pictures, codes, np.arange(900), fold, np.zeros(900, bool))
    bases = [Base(name, None, np.exp(z)) for name, z in zip(("strong", "weak"), said.log_proba, strict=True)]  # type: ignore[arg-type]
    trained = train_stack(bases, examples, [f"L{c}" for c in range(CLASSES)], StackParameters(), ExtractionSettings())
    return trained.told, trained.predicted, codes


def test_the_leaderboard_says_what_stacking_bought() -> None:
    """Two independent models together are better than the better one, out of fold and in the held-out part, beyond chance."""
    told, predicted, codes = stacked()
    rows = {row["name"]: row for row in told["leaderboard"]}
    assert list(rows) == ["strong", "weak", *BLENDS]
    assert told["best_base"] == "strong"
    assert told["calibration"]["log_loss_after"] <= told["calibration"]["log_loss_before"] + 0.01
    assert told["calibration"]["error_after"] < 0.06
    assert rows["stack"]["calibration"] == told["calibration"]
    assert rows["strong"]["calibration"] is None  # its training told of none
    assert rows["strong"]["out_of_fold"]["gain"]["macro_f1"] == 0
    for part in ("out_of_fold", "held_out"):
        assert rows["stack"][part]["log_loss"] < rows["strong"][part]["log_loss"] - 0.03
    assert rows["stack"]["out_of_fold"]["gain"]["log_loss_interval"][1] < 0
    assert (predicted == np.array([f"L{c}" for c in codes], dtype=object)).mean() > 0.8


def test_shuffled_labels_bring_the_stack_to_chance() -> None:
    """Whatever leaks would show here: every row of the leaderboard is at one in four."""
    told, predicted, codes = stacked(shuffled=True)
    for row in told["leaderboard"]:
        assert row["out_of_fold"]["micro_f1"] == pytest.approx(1 / CLASSES, abs=0.06), row["name"]
    assert (predicted == np.array([f"L{c}" for c in codes], dtype=object)).mean() == pytest.approx(1 / CLASSES, abs=0.06)


def test_the_scalars_are_columns() -> None:
    """Every raw scalar of the meta-model is one that extraction makes."""
    assert set(SCALARS) <= set(feature_names())


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60))
def test_figures_of_counts_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    """F1 per class, macro and micro, of the classes that were met."""
    truth, chosen = np.array(pairs).T
    f1, macro, micro = f1_of_counts(np.bincount(truth * 5 + chosen, minlength=25).reshape(5, 5))
    met = np.unique([truth, chosen])
    assert f1[met] == pytest.approx(f1_score(truth, chosen, average=None, labels=met, zero_division=0.0))
    assert np.isnan(np.delete(f1, met)).all()
    assert macro == pytest.approx(f1_score(truth, chosen, average="macro", zero_division=0.0))
    assert micro == pytest.approx((truth == chosen).mean())


def judged_of(right: np.ndarray, groups: np.ndarray | None = None) -> Judged:
    codes = np.arange(len(right)) % 2
    return Judged(codes, np.where(right, codes, 1 - codes), np.where(right, 0.1, 2.0), np.arange(len(right)) if groups is None else groups)


def test_an_interval_is_as_wide_as_the_binomial_one() -> None:
    """For the share of right pictures, theory knows the width; pictures that are one group twice count once."""
    right = np.random.default_rng(0).random(400) < 0.7
    low, high = figures(judged_of(right), 2)["micro_f1_interval"]
    theory = binomtest(int(right.sum()), 400).proportion_ci(0.95)
    assert (low, high) == pytest.approx((theory.low, theory.high), abs=0.012)
    doubled = figures(judged_of(np.repeat(right, 2), np.repeat(np.arange(400), 2)), 2)["micro_f1_interval"]
    assert doubled[1] - doubled[0] == pytest.approx(high - low, rel=0.15)
    assert interval(np.array([np.nan, np.nan]))[0] != interval(np.array([np.nan, np.nan]))[0]  # nothing is known: NaN


def test_a_model_beside_itself_gains_nothing() -> None:
    """Pairs are drawn alike: the difference is 0 in every draw; a model that is right where the other is not wins."""
    right = np.random.default_rng(0).random(300) < 0.6
    same = difference(judged_of(right), judged_of(right), 2)
    names = ("macro_f1", "micro_f1", "log_loss")
    assert same == {**dict.fromkeys(names, 0), **{f"{name}_interval": (0, 0) for name in names}, "mcnemar": 1.0}
    better = difference(judged_of(right | (np.arange(300) < 60)), judged_of(right), 2)
    assert better["macro_f1_interval"][0] > 0 > better["log_loss_interval"][1]
    assert better["mcnemar"] < 0.001


def test_mcnemar_by_hand() -> None:
    """Three against one among four differing pictures: 2 * (1 + 4) / 16."""
    first = np.array([True, True, True, False, True, False])
    second = np.array([False, False, False, True, True, False])
    assert mcnemar(first, second) == pytest.approx(0.625)
    assert macro_f1(judged_of(np.ones(10, bool)), 2) == 1
    assert resampled(judged_of(np.ones(10, bool)), 2, draws=5).f1.shape == (5, 2)
