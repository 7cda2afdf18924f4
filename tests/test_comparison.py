"""The table of an experiment is arithmetic: means, what chance may do, differences on the pictures that both judged."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, ttest_rel

from models.comparison import Run, result_table
from reports.experiments import how_sure

PICTURES = 400


def made_run(setting: str, seed: int, right: np.ndarray, shown: slice = slice(None)) -> Run:
    """A run on two labels: ``right`` (n,) bool says which pictures it got right; it judged only those ``shown``."""
    truth = np.where(np.arange(len(right)) % 2, "나", "가")
    judged = pd.DataFrame({"sha256": [f"{i:03}" for i in range(len(right))], "label": truth,
                           "predicted": np.where(right, truth, np.where(truth == "가", "나", "가")), "group": [f"{i:03}" for i in range(len(right))],
                           "loss": np.where(right, 0.1, 2.0), "part": "out_of_fold"}).iloc[shown]
    own = right[shown]
    figures = {"macro_f1": own.mean(), "micro_f1": own.mean(), "log_loss": judged["loss"].mean(), "n": len(own)}
    return Run(setting, f"d, seed {seed}", {"out_of_fold": figures}, judged, 1.0)


@pytest.fixture
def right() -> Callable[[float, int], np.ndarray]:
    return lambda share, seed: np.random.default_rng(seed).random(PICTURES) < share


def test_means_and_intervals_over_runs() -> None:
    """Two settings by two seeds, by hand: means, Student's interval, best first, differences by seed, the common column on what all judged."""
    shares = {("plain", 0): 0.5, ("smote", 0): 0.8, ("plain", 1): 0.7, ("smote", 1): 0.9}
    runs = [made_run(name, seed, np.arange(20) < 20 * share, slice(10 if (name, seed) == ("smote", 0) else None))
            for (name, seed), share in shares.items()]
    table = result_table(runs, "micro_f1", "out_of_fold")
    assert table.index.tolist() == ["smote", "plain"]
    assert table["micro_f1"].tolist() == pytest.approx([(1 + 0.9) / 2, 0.6])
    assert table.loc["plain", "high"] - 0.6 == pytest.approx(12.706 * 0.1, rel=1e-3)
    assert table["common"].tolist() == pytest.approx([(1 + 0.9) / 2, (1 + 0.7) / 2])
    assert table.loc["smote", "difference"] == pytest.approx(((1 - 1) + (0.9 - 0.7)) / 2)
    assert table.loc["plain", "difference"] == 0
    assert math.isnan(table.loc["plain", "difference_low"])


def test_differences_over_runs_are_the_paired_t_test(right: Callable) -> None:
    """scipy's, over five seeds; a seed that only one of the settings was run with does not count."""
    runs = [made_run(name, seed, right(share, 10 * seed + bool(name))) for seed in range(5) for name, share in (("", 0.6), ("more", 0.66))]
    lonely = made_run("more", 9, right(1.0, 9))
    table = result_table([*runs, lonely], "log_loss", "out_of_fold")
    values = [[run.metrics["out_of_fold"]["log_loss"] for run in runs if run.setting == name] for name in ("more", "")]
    oracle = ttest_rel(*values)
    assert table.loc["more", "difference"] == pytest.approx(np.mean(values[0]) - np.mean(values[1]))
    assert table.loc["more", ["difference_low", "difference_high"]].tolist() == pytest.approx(list(oracle.confidence_interval(0.95)))


def test_one_run_has_the_interval_of_its_pictures(right: Callable) -> None:
    """As wide as the binomial one; a difference from what is right on the same pictures is narrower than from what is as good on others."""
    first = right(0.7, 0)
    better, other = first | (np.arange(PICTURES) < 40), np.random.default_rng(1).permutation(first)
    table = result_table([made_run("first", 0, first), made_run("better", 0, better), made_run("other", 0, other)], "micro_f1", "out_of_fold")
    theory = binomtest(int(first.sum()), PICTURES).proportion_ci(0.95)
    assert table.loc["first", ["low", "high"]].tolist() == pytest.approx([theory.low, theory.high], abs=0.012)
    width = table["difference_high"] - table["difference_low"]
    assert width["better"] < width["other"] / 2
    assert table.loc["better", "difference_low"] > 0
    assert table.loc["other", "difference_low"] < 0 < table.loc["other", "difference_high"]


def test_runs_without_a_picture_in_common_cannot_be_compared() -> None:
    """NaN, not an error; and a copy of a picture does not count twice."""
    right = np.arange(20) < 15
    apart = [made_run("a", 0, right, slice(0, 10)), made_run("b", 0, right, slice(10, 20))]
    table = result_table(apart, "macro_f1", "out_of_fold")
    assert table.loc["b", ["difference", "difference_low", "common"]].isna().all()
    one, two = made_run("a", 0, right), made_run("b", 0, right[::-1])
    twice = two._replace(judged=pd.concat([two.judged, two.judged]))
    pd.testing.assert_frame_equal(result_table([one, two], "macro_f1", "out_of_fold"), result_table([one, twice], "macro_f1", "out_of_fold"))


def test_it_is_told_what_the_intervals_are_made_of(right: Callable) -> None:
    """One run, several, or both in one table, since a time limit may have cut a plan short."""
    one = [made_run("a", 0, right(0.7, 0))]
    both = [*one, made_run("a", 1, right(0.7, 1)), made_run("b", 0, right(0.7, 2))]
    assert "does not know what another seed would do. Diff" in how_sure(result_table(one, "macro_f1", "out_of_fold"))
    assert "over the runs (Student); or by drawing" in how_sure(result_table(both, "macro_f1", "out_of_fold"))
    assert "bootstrap" not in how_sure(result_table(both[:2], "macro_f1", "out_of_fold"))
