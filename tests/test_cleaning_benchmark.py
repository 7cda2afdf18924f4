"""The cleaning benchmark: its interval is the paired t-test's, and its random folds are even."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel

from benchmarks.cleaning import paired_interval, random_folds


@pytest.mark.parametrize("n", [2, 3, 10])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_interval_is_that_of_the_paired_t_test(n: int, level: float) -> None:
    """The same as scipy's, of the same scores."""
    rng = np.random.default_rng(n)
    reference = rng.normal(0.6, 0.02, n)
    scores = reference + rng.normal(0.01, 0.01, n)
    mean, low, high = paired_interval(scores, reference, level)
    expected = ttest_rel(scores, reference).confidence_interval(level)
    assert (low, high) == pytest.approx((expected.low, expected.high))
    assert mean == pytest.approx((scores - reference).mean())


def test_one_set_has_a_difference_and_no_interval() -> None:
    """Nothing is made up where nothing can be known."""
    assert paired_interval([0.75], [0.5]) == (0.25, None, None)


def test_equal_differences_leave_no_doubt() -> None:
    """An interval of no width, where scipy's test warns of lost precision."""
    assert paired_interval([0.5, 0.75], [0.25, 0.5]) == (0.25, 0.25, 0.25)


def test_random_folds_are_even_within_each_label() -> None:
    """As many of each label in each fold."""
    labels = pd.Series(np.repeat(["a", "b", "c"], [30, 12, 8]), index=[f"{i}.png" for i in range(50)])
    assert pd.crosstab(labels, random_folds(labels)).to_numpy().tolist() == [[15] * 2, [6] * 2, [4] * 2]
