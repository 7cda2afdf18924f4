"""Figures of merit: scikit-learn's on anything, and a table small enough to check by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from features.errors import ScratchworkError
from models.decision import log_softmax
from models.evaluation import calibration, calibration_figures, confusion, metrics, report_text, top_confusions
from models.intervals import DRAWS, Judged
from models.slices import bands, slice_table

CLASSES = ["L2_3", "L2_10", "고양이", "dog"]  # in their natural order, which is not the alphabet's
pairs = st.lists(st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1, max_size=40)


def probabilities(n: int, seed: int = 0, k: int = len(CLASSES)) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(k), n)


def by_hand() -> dict:
    """cat, cat, cat, dog against cat, cat, dog, dog; "emu" is met by nobody."""
    proba = np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.2, 0.6, 0.2], [0.1, 0.8, 0.1]])
    return metrics(np.array(["cat", "cat", "cat", "dog"]), np.array(["cat", "cat", "dog", "dog"]), proba, ["cat", "dog", "emu"])


@given(pairs=pairs, seed=st.integers(0, 100), kind=st.sampled_from([str, object]))
def test_figures_are_scikit_learns(pairs: list[tuple[str, str]], seed: int, kind: type) -> None:
    """All figures, whichever way numpy holds the labels, are those of scikit-learn's own functions and plain Python's numbers."""
    truth, predicted = (np.array(side, dtype=kind) for side in zip(*pairs, strict=True))
    proba = probabilities(len(pairs), seed)
    found = metrics(truth, predicted, proba, CLASSES)
    for average in ("macro", "micro", "weighted"):
        assert found[f"{average}_f1"] == pytest.approx(oracle.f1_score(truth, predicted, average=average))
    assert found["accuracy"] == pytest.approx(oracle.accuracy_score(truth, predicted))
    assert found["micro_f1"] == pytest.approx(found["accuracy"])
    assert found["n"] == len(pairs)
    assert list(found["per_class"]) == CLASSES
    for label, figures in found["per_class"].items():
        one = {"y_true": truth == label, "y_pred": predicted == label, "zero_division": 0.0}
        assert figures["precision"] == pytest.approx(oracle.precision_score(**one))
        assert figures["recall"] == pytest.approx(oracle.recall_score(**one))
        assert figures["support"] == (truth == label).sum()
        if label in truth or label in predicted:
            assert figures["f1"] == pytest.approx(oracle.f1_score(**one))
        else:
            assert figures["f1"] is None
    numbers = [found[key] for key in found if key != "per_class"] + [f for row in found["per_class"].values() for f in row.values() if f is not None]
    assert {type(number) for number in numbers} == {float, int}


@given(pairs=pairs, seed=st.integers(0, 100))
def test_macro_f1_is_the_mean_of_the_classes_that_were_met(pairs: list[tuple[str, str]], seed: int) -> None:
    """The mean is over every class whose F1 is not None, and over no other."""
    truth, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    found = metrics(truth, predicted, probabilities(len(pairs), seed), CLASSES)
    assert found["macro_f1"] == pytest.approx(np.mean([row["f1"] for row in found["per_class"].values() if row["f1"] is not None]))


def test_a_tiny_table_by_hand() -> None:
    """Three cats of which one is taken for a dog, and a dog: every figure as worked out on paper."""
    found = by_hand()
    assert found["per_class"]["cat"] == {"precision": 1.0, "recall": pytest.approx(2 / 3), "f1": pytest.approx(0.8), "support": 3}
    assert found["per_class"]["dog"] == {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1}
    assert found["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert found["weighted_f1"] == pytest.approx((3 * 0.8 + 2 / 3) / 4)
    assert found["accuracy"] == found["micro_f1"] == 0.75
    assert found["log_loss"] == pytest.approx(-(math.log(0.7) + math.log(0.5) + math.log(0.2) + math.log(0.8)) / 4)


def test_a_class_that_nobody_met_has_no_f1() -> None:
    """Its key is there, its F1 is None and not 0, and it does not count in the mean."""
    assert by_hand()["per_class"]["emu"] == {"precision": 0.0, "recall": 0.0, "f1": None, "support": 0}


def test_a_class_only_predicted_counts_as_zero() -> None:
    """A class that the truth lacks and the model predicted has F1 0 and pulls the mean down."""
    found = metrics(np.array(["cat", "cat"]), np.array(["cat", "dog"]), probabilities(2, k=2), ["cat", "dog"])
    assert found["per_class"]["dog"]["f1"] == 0.0
    assert found["macro_f1"] == pytest.approx((2 / 3 + 0) / 2)


def test_log_loss_follows_the_order_of_the_classes() -> None:
    """The columns of the probabilities are the given classes', not the alphabet's."""
    proba = np.array([[0.9, 0.06, 0.03, 0.01]])
    label = np.array(["L2_3"])
    assert metrics(label, label, proba, CLASSES)["log_loss"] == pytest.approx(-math.log(0.9))


def test_nothing_to_score_is_said() -> None:
    """Without any picture there are no figures but an error that says why."""
    nothing = np.array([], dtype=str)
    with pytest.raises(ScratchworkError, match="no readable picture with a known label"):
        metrics(nothing, nothing, np.empty((0, 4)), CLASSES)


@given(pairs=pairs)
def test_confusion_counts_pairs(pairs: list[tuple[str, str]]) -> None:
    """Row by truth, column by prediction, in the given order, each pair is counted once."""
    truth, predicted = (np.array(side) for side in zip(*pairs, strict=True))
    counts = confusion(truth, predicted, CLASSES)
    assert counts.tolist() == [[pairs.count((row, column)) for column in CLASSES] for row in CLASSES]


def test_the_report_names_classes_in_their_order() -> None:
    """The text has a line per class, in the given order and not the alphabet's, also for those without support."""
    lines = report_text(np.array(["dog", "L2_3"]), np.array(["dog", "L2_10"]), CLASSES).splitlines()
    assert [line.split()[0] for line in lines if line.split() and line.split()[0] in CLASSES] == CLASSES


def test_a_model_that_means_what_it_says_is_calibrated() -> None:
    """Right as often as it claims: an error near 0; always sure and right half of the time: one half."""
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 1, 20_000)
    error, table = calibration(rng.random(20_000) < confidence, confidence)
    assert error < 0.01
    assert table["n"].sum() == 20_000
    assert calibration(np.arange(10) < 5, np.ones(10))[0] == pytest.approx(0.5)


def test_calibration_is_told_before_and_after() -> None:
    """Scores that claim three times too much: the log loss of scikit-learn before and after, and an error that goes away."""
    rng = np.random.default_rng(1)
    fair = log_softmax(rng.normal(size=(6000, 4)) * 1.5)
    codes = (np.exp(fair).cumsum(axis=1) < rng.random((6000, 1))).sum(axis=1).clip(max=3)
    told = calibration_figures(3 * fair + 7, np.exp(fair), codes)
    assert told["log_loss_before"] == pytest.approx(oracle.log_loss(codes, np.exp(log_softmax(3 * fair))))
    assert told["log_loss_after"] == pytest.approx(oracle.log_loss(codes, np.exp(fair)))
    assert told["error_after"] < 0.02 < 0.1 < told["error_before"]


def test_confusions_are_counted_and_ranked() -> None:
    """Two cats taken for dogs come before one dog taken for a cat; right ones are none."""
    found = top_confusions(np.array(["cat", "cat", "cat", "dog"]), np.array(["dog", "dog", "cat", "cat"]))
    assert found == [{"true": "cat", "predicted": "dog", "pictures": 2, "share": pytest.approx(2 / 3)},
                     {"true": "dog", "predicted": "cat", "pictures": 1, "share": 1.0}]
    assert top_confusions(np.array(["cat"]), np.array(["cat"])) == []


def test_the_worst_slice_comes_first() -> None:
    """Every picture of one value is wrong: its row is first and its interval below 0; a slice of nine pictures has no row."""
    right = np.arange(200) >= 40
    codes = np.arange(200) % 2
    judged = Judged(codes, np.where(right, codes, 1 - codes), np.ones(200), np.arange(200))
    attributes = pd.DataFrame({"kind": np.where(right, "good", "bad"), "coin": np.where(np.random.default_rng(0).random(200) < 0.5, "a", "b"),
                               "rare": np.where(np.arange(200) < 9, "few", "")})
    table = slice_table(attributes, judged, 2)
    assert (table["attribute"] != "rare").all()
    assert table.loc[0, ["attribute", "value", "n"]].tolist() == ["kind", "bad", 40]
    assert table.loc[0, "difference"] == table.loc[0, "high"] == -1
    coin = table[table["attribute"] == "coin"]
    assert (coin["low"] < 0).all()
    assert (coin["high"] > 0).all()
    assert slice_table(attributes[[]], judged, 2).empty


def test_slices_are_drawn_as_by_hand() -> None:
    """A brute-force twin that draws groups one by one and counts; a slice that a draw leaves empty is passed over in it."""
    rng = np.random.default_rng(3)
    codes, chosen, groups = rng.integers(3, size=60), rng.integers(3, size=60), rng.integers(25, size=60)
    kind = np.where(np.arange(60) < 12, "a", "b")
    groups[kind == "a"] = 99  # one group: many draws have none of it
    table = slice_table(pd.DataFrame({"kind": kind}), Judged(codes, chosen, np.ones(60), groups), 3, seed=5)
    draws, names, differences = np.random.default_rng(5), np.unique(groups), []
    for _ in range(DRAWS):
        drawn = np.concatenate([np.flatnonzero(groups == names[g]) for g in draws.integers(len(names), size=len(names))])
        inside = kind[drawn] == "a"
        if 0 < inside.sum() < len(inside):
            right = (codes == chosen)[drawn]
            differences.append(right[inside].mean() - right[~inside].mean())
    assert len(differences) < DRAWS
    own = table[table["value"] == "a"].iloc[0]
    assert [own["low"], own["high"]] == pytest.approx(np.quantile(differences, [0.025, 0.975]).tolist())


def test_bands_are_thirds() -> None:
    """A third of the pictures each; missing stays empty; a number of two values is its own band."""
    values = pd.Series([*range(99), np.nan])
    found = bands(values)
    assert found.value_counts().drop("").tolist() == [33, 33, 33]
    assert found.iloc[-1] == ""
    assert set(bands(pd.Series([1.0, 2.0, 1.0]))) == {"1", "2"}
