"""Calibration and decision: what was distorted on purpose is found again, and rare classes gain by the decision."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special
from sklearn.metrics import f1_score, log_loss

from models.decision import Decision, highest_expected_f1, log_softmax

BIAS = np.log([0.55, 0.25, 0.15, 0.05])
tables = hnp.arrays(np.float64, st.tuples(st.integers(1, 30), st.integers(2, 6)), elements=st.floats(-50, 50))


def honest(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities (n, 4) and codes that were drawn from them; class 0 is frequent, class 3 rare."""
    rng = np.random.default_rng(seed)
    log_proba = log_softmax(rng.normal(0, 1.5, (n, len(BIAS))) + BIAS)
    codes = (rng.random((n, 1)) > np.exp(log_proba).cumsum(axis=1)[:, :-1]).sum(axis=1)
    return log_proba, codes


def rare_classes(n: int = 3000, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities of overlapping Gaussians on a line, of which the outer two are rare."""
    rng = np.random.default_rng(seed)
    prior, centres = np.array([0.94, 0.04, 0.02]), np.array([0.0, 1.8, -1.8])
    codes = rng.choice(3, n, p=prior)
    x = rng.normal(centres[codes], 1)
    return log_softmax(np.log(prior) - (x[:, None] - centres) ** 2 / 2), codes


@given(z=tables)
def test_log_softmax_is_scipys(z: np.ndarray) -> None:
    """The same as scipy's, row by row."""
    np.testing.assert_allclose(log_softmax(z), special.log_softmax(z, axis=1), atol=1e-10)


@given(z=tables, seed=st.integers(0, 100))
def test_probabilities_are_probabilities(z: np.ndarray, seed: int) -> None:
    """Whatever it was fitted on, even with classes that were never met, probabilities are positive and sum to 1, and codes are codes."""
    codes = np.random.default_rng(seed).integers(0, z.shape[1], len(z)) // 2
    fitted = Decision().fit(log_softmax(z), codes)
    proba = fitted.proba(log_softmax(z))
    assert (proba > 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-12)
    assert fitted.prior_.sum() == pytest.approx(1)
    for decided in (fitted.codes(proba), fitted.codes_together(proba)):
        assert decided.shape == (len(z),)
        assert ((decided >= 0) & (decided < z.shape[1])).all()


@pytest.mark.parametrize("sharper", [3.0, 0.5], ids=["overconfident", "timid"])
def test_a_wrong_sharpness_is_found(sharper: float) -> None:
    """Log-probabilities made too sharp, or too blunt, are brought back: the factor is found, and log loss nears that of the honest ones."""
    log_proba, codes = honest()
    raw = log_softmax(log_proba * sharper)
    fitted = Decision().fit(raw, codes)
    before, after, best = (log_loss(codes, p) for p in (np.exp(raw), fitted.proba(raw), np.exp(log_proba)))
    assert fitted.sharpness_ * sharper == pytest.approx(1, abs=0.1)
    assert fitted.shift_ == pytest.approx(0, abs=0.15)
    assert after < before
    assert after == pytest.approx(best, abs=0.005)


def test_a_missing_prior_is_found() -> None:
    """Log-probabilities that took all classes for equally frequent get the prior back, as a balanced training's need it."""
    log_proba, codes = honest(n=8000)
    prior = np.bincount(codes) / len(codes)
    raw = log_softmax(log_proba - np.log(prior))
    fitted = Decision().fit(raw, codes)
    assert fitted.sharpness_ == pytest.approx(1, abs=0.1)
    assert fitted.shift_ == pytest.approx(1, abs=0.15)
    assert log_loss(codes, fitted.proba(raw)) < log_loss(codes, np.exp(raw))


def test_calibration_helps_on_other_pictures() -> None:
    """What was fitted on one half lowers the log loss of the other half too."""
    log_proba, codes = honest()
    raw = log_softmax(log_proba * 3)
    fitted = Decision().fit(raw[:2000], codes[:2000])
    assert log_loss(codes[2000:], fitted.proba(raw[2000:])) < log_loss(codes[2000:], np.exp(raw[2000:])) - 0.1


def expected_f1(proba: np.ndarray, codes: np.ndarray) -> float:
    """The macro-F1 that calibrated probabilities promise of ``codes``, with one picture of each class that nobody finds."""
    n_classes = proba.shape[1]
    found = np.bincount(codes, proba[np.arange(len(codes)), codes], minlength=n_classes)
    return float((2 * found / (np.bincount(codes, minlength=n_classes) + proba.sum(0) + 1)).mean())


def few_pictures(seed: int) -> np.ndarray:
    """Probabilities of 2 to 7 pictures in 2 or 3 classes, sharp ones and blunt ones."""
    rng = np.random.default_rng(seed)
    n, n_classes = rng.integers(2, 8), rng.integers(2, 4)
    return rng.dirichlet(np.full(n_classes, rng.choice([0.3, 1, 3])), n)


def test_the_decision_is_the_best_of_all() -> None:
    """Of all ways to decide for a few pictures, every one tried, it finds one of the best nine times in ten, and never one much under it."""
    shares = []
    for proba in map(few_pictures, range(100)):
        best = max(expected_f1(proba, np.array(codes)) for codes in itertools.product(range(proba.shape[1]), repeat=len(proba)))
        shares.append(expected_f1(proba, highest_expected_f1(proba).codes(proba)) / best)
    assert np.mean(np.array(shares) > 1 - 1e-9) >= 0.85
    assert min(shares) > 0.75


def test_the_cut_of_two_classes_is_the_best_of_all_cuts() -> None:
    """Many pictures, two classes: no cut of the probability promises more, but for what one picture is worth."""
    proba = np.exp(honest(n=2000)[0])
    proba = np.column_stack([proba[:, :3].sum(1), proba[:, 3]])
    best = max(expected_f1(proba, (proba[:, 1] >= cut).astype(int)) for cut in proba[:, 1])
    assert expected_f1(proba, highest_expected_f1(proba).codes(proba)) == pytest.approx(best, abs=1e-3)


@given(z=tables)
def test_the_decision_never_promises_less_than_the_largest_probability(z: np.ndarray) -> None:
    """Expected macro-F1 of what is decided together is at least that of the likeliest class, or short of it by a rounding."""
    proba = np.maximum(special.softmax(z, axis=1), 1e-7)
    proba /= proba.sum(axis=1, keepdims=True)
    decided = highest_expected_f1(proba).codes(proba)
    assert expected_f1(proba, decided) >= expected_f1(proba, proba.argmax(axis=1)) - 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_rare_classes_gain_by_the_decision(seed: int) -> None:
    """On imbalanced classes macro-F1 of the decision is above that of the largest probability, on the fitting pictures and on others, and of
    those together not below."""
    log_proba, codes = rare_classes(seed=seed)
    fitted = Decision().fit(log_proba, codes)
    for z, truth in ((log_proba, codes), rare_classes(seed=seed + 10)):
        proba = fitted.proba(z)
        alone, together, likeliest = (f1_score(truth, c, average="macro") for c in (fitted.codes(proba), fitted.codes_together(proba), z.argmax(1)))
        assert alone > likeliest + 0.02
        assert together > likeliest + 0.02


@pytest.mark.parametrize("seed", range(8))
def test_the_decision_costs_nothing_where_there_is_nothing_to_gain(seed: int) -> None:
    """On any honest probabilities macro-F1 of the decision is at most 0.01, what chance may cost, under the largest probability's."""
    log_proba, codes = honest(n=600, seed=seed)
    fitted = Decision().fit(log_proba, codes)
    proba = fitted.proba(log_proba)
    assert f1_score(codes, fitted.codes(proba), average="macro") >= f1_score(codes, proba.argmax(axis=1), average="macro") - 0.01


def test_a_label_does_not_depend_on_the_others_unless_decided_together() -> None:
    """Alone every picture gets the code it has among all; together, in parts of the set, some do not."""
    log_proba, codes = rare_classes()
    fitted = Decision().fit(log_proba, codes)
    proba = fitted.proba(log_proba)
    assert (np.concatenate([fitted.codes(part) for part in np.array_split(proba, 60)]) == fitted.codes(proba)).all()
    assert (np.concatenate([fitted.codes_together(part) for part in np.array_split(proba, 60)]) != fitted.codes_together(proba)).any()


def test_a_class_that_nobody_expects_is_no_place_for_doubtful_pictures() -> None:
    """A class of which a thousandth of a picture is expected is not decided for, though it costs the others nothing; where it is sure, it is."""
    log_proba, _ = honest(n=300)
    proba = np.column_stack([np.exp(log_proba) * (1 - 1e-5), np.full(300, 1e-5)])
    gains = highest_expected_f1(proba)
    assert (gains.codes(proba) != 4).all()
    assert gains.codes(np.array([[0.1, 0.05, 0.03, 0.02, 0.8]])) == [4]


def test_fitting_is_deterministic() -> None:
    """The same pictures give the same constants, and a pickled decision is the same."""
    first, second = (Decision().fit(*rare_classes()) for _ in range(2))
    for other in (second, pickle.loads(pickle.dumps(first))):
        assert (first.sharpness_, first.shift_) == (other.sharpness_, other.shift_)
        np.testing.assert_array_equal(first.gains_, other.gains_)


def test_a_decision_of_an_earlier_version_is_refused() -> None:
    """A model saved before decisions were made in this way does not load, and says why."""
    old = Decision().fit(*honest(n=50))
    del old.gains_
    with pytest.raises(ValueError, match="earlier version of scratchwork"):
        pickle.loads(pickle.dumps(old))
