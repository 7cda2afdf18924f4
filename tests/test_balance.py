"""Class imbalance: the majorities are cut as source A did, weights are fair, and made-up rows stay among their class."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cleaning.balance import class_weights, smote, undersampled_rows

OTHERS = [180, 195, 240, 300, 355, 410, 470, 520, 600, 660, 720, 800, 920, 1066, 1200, 1450, 1500, 1500]  # mean 727
MAJORITIES = {4: 6189, 11: 6206}  # class code → pictures, as in source A
class_counts = st.lists(st.integers(0, 60), min_size=1, max_size=8).filter(any)


def codes_of(counts: list[int], seed: int = 0) -> np.ndarray:
    """Shuffled codes with so many rows of class 0, 1, …"""
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


@pytest.fixture
def source_a() -> np.ndarray:
    counts = list(OTHERS)
    for code, count in sorted(MAJORITIES.items()):
        counts.insert(code, count)
    return codes_of(counts)


def test_the_two_majorities_of_source_a_are_cut_to_the_mean_of_the_rest(source_a: np.ndarray) -> None:
    """Of 20 classes exactly the two majorities are cut, to the mean of the 18 others, which stay whole."""
    before, after = np.bincount(source_a), np.bincount(source_a[undersampled_rows(source_a, 0)])
    rest = [code for code in range(20) if code not in MAJORITIES]
    assert after[list(MAJORITIES)].tolist() == [round(np.mean(OTHERS))] * 2 == [727, 727]
    assert after[rest].tolist() == before[rest].tolist()


def test_the_seed_decides_which_rows_stay(source_a: np.ndarray) -> None:
    """The same seed keeps the same rows, another one others, of the same number."""
    first, again, other = (undersampled_rows(source_a, seed) for seed in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
    assert len(first) == len(other)


@pytest.mark.parametrize("counts", [[50, 40, 30], [7], [90, 30, 30], [0, 20, 0, 20], [1, 1]],
                         ids=["uneven", "one class", "three times the rest is not more", "empty classes", "one row each"])
def test_without_a_majority_everything_stays(counts: list[int]) -> None:
    """Classes that are merely uneven are left alone."""
    codes = codes_of(counts)
    assert undersampled_rows(codes, 0).tolist() == list(range(len(codes)))


@pytest.mark.parametrize(("counts", "left"), [([91, 30, 30], [30, 30, 30]), ([10, 31], [10, 10]), ([2000, 500, 50, 60], [55, 55, 50, 60])],
                         ids=["just above three times the rest", "two classes", "one majority behind another"])
def test_a_majority_is_measured_against_the_smaller_classes(counts: list[int], left: list[int]) -> None:
    """A class of more than three times the mean of all smaller ones is cut to the mean of those that are none."""
    codes = codes_of(counts)
    assert np.bincount(codes[undersampled_rows(codes, 0)]).tolist() == left


@given(counts=class_counts, seed=st.integers(0, 100))
def test_undersampling_only_ever_cuts_large_classes(counts: list[int], seed: int) -> None:
    """Positions are sorted and unique, no class vanishes or grows, none is cut below the mean of those left whole, and those are the smaller ones."""
    codes = codes_of(counts, seed)
    stay = undersampled_rows(codes, seed)
    assert (np.diff(stay) > 0).all()
    before, after = np.array(counts), np.bincount(codes[stay], minlength=len(counts))
    assert ((after > 0) == (before > 0)).all()
    cut, whole = after < before, (after == before) & (before > 0)
    assert (after <= before).all()
    assert whole.any()
    assert (after[cut] == round(before[whole].mean())).all()
    assert not cut.any() or before[cut].min() > before[whole].max()


@given(counts=class_counts)
def test_power_0_weighs_all_rows_alike(counts: list[int]) -> None:
    """Without power every weight is 1."""
    codes = codes_of(counts)
    assert class_weights(codes, 0).tolist() == [1.0] * len(codes)


@given(counts=class_counts)
def test_power_1_weighs_all_classes_alike(counts: list[int]) -> None:
    """With full power every class that has rows has the same total weight, and the total is the number of rows."""
    codes = codes_of(counts)
    weights = class_weights(codes, 1)
    totals = np.bincount(codes, weights, len(counts))[np.array(counts) > 0]
    np.testing.assert_allclose(totals, totals[0])
    assert weights.sum() == pytest.approx(len(codes))


@given(counts=class_counts, power=st.floats(0.05, 0.95))
def test_powers_between_are_between(counts: list[int], power: float) -> None:
    """A rarer class never weighs less per row, and a more frequent one never less in total."""
    assume(len(set(counts) - {0}) > 1)
    codes = codes_of(counts)
    present = np.flatnonzero(counts)
    of_row = np.array([class_weights(codes, power)[codes == c][0] for c in present])
    number = np.array(counts)[present]
    order = np.argsort(number, kind="stable")
    assert (np.diff(of_row[order]) <= 1e-9).all()
    assert (np.diff((of_row * number)[order]) >= -1e-9).all()


@pytest.mark.parametrize("counts", [[30, 12, 2, 7], [30, 1, 2], [5, 5, 5], [9], [1, 1], [0, 6, 0, 3]],
                         ids=["fewer than the neighbours", "one row stays one", "even already", "one class", "one row each", "empty classes"])
def test_smote_brings_every_class_to_the_largest(counts: list[int]) -> None:
    """Made rows bring each class of two rows or more to the largest count; a class of one row, or none, stays."""
    codes = codes_of(counts)
    X = np.random.default_rng(1).normal(codes[:, None], 1, (len(codes), 4)).astype(np.float32)
    made, made_codes = smote(X, codes, 0)
    after = np.bincount(np.concatenate([codes, made_codes]), minlength=len(counts))
    assert after.tolist() == [max(counts) if count >= 2 else count for count in counts]
    assert made.shape == (len(made_codes), 4)
    assert made.dtype == X.dtype
    assert made_codes.dtype.kind == "i"


def test_smote_interpolates_within_a_class() -> None:
    """Every made row lies in the box around its class's own rows, and the class is not merely copied."""
    codes = codes_of([40, 15, 6])
    X = np.random.default_rng(2).normal(codes[:, None] * 10, 1, (len(codes), 3)).astype(np.float32)
    made, made_codes = smote(X, codes, 0)
    for c in (1, 2):
        own, new = X[codes == c], made[made_codes == c]
        assert (new >= own.min(axis=0) - 1e-4).all()
        assert (new <= own.max(axis=0) + 1e-4).all()
        assert len(np.unique(new, axis=0)) == len(new)


def test_smote_depends_on_its_seed_only() -> None:
    """The same seed makes the same rows, another one others."""
    codes = codes_of([20, 8, 5])
    X = np.random.default_rng(3).normal(size=(len(codes), 3)).astype(np.float32)
    first, again, other = (smote(X, codes, seed)[0].tobytes() for seed in (4, 4, 5))
    assert first == again
    assert first != other
