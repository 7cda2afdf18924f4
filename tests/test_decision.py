"""Calibration and decision: what was distorted on purpose is found again, and rare classes gain by the decision."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special
from sklearn.metrics import f1_score, log_loss

from models.decision import Decision, log_softmax

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
    """Whatever it was fitted on, even with classes that were never met, probabilities are positive and sum to 1, and ``tau_`` is in [0, 1]."""
    codes = np.random.default_rng(seed).integers(0, z.shape[1], len(z)) // 2
    fitted = Decision().fit(log_softmax(z), codes)
    proba = fitted.proba(log_softmax(z))
    assert (proba > 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-12)
    assert 0 <= fitted.tau_ <= 1
    assert fitted.prior_.sum() == pytest.approx(1)
    assert ((fitted.codes(proba) >= 0) & (fitted.codes(proba) < z.shape[1])).all()


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


def test_rare_classes_gain_by_the_decision() -> None:
    """On imbalanced classes macro-F1 of the decision is above that of the largest probability, on the fitting pictures and on others."""
    log_proba, codes = rare_classes()
    fitted = Decision().fit(log_proba, codes)
    assert fitted.tau_ > 0
    for z, truth in ((log_proba, codes), rare_classes(seed=2)):
        decided, likeliest = fitted.codes(fitted.proba(z)), z.argmax(axis=1)
        assert f1_score(truth, decided, average="macro") > f1_score(truth, likeliest, average="macro") + 0.02


@pytest.mark.parametrize("seed", range(8))
def test_the_decision_costs_nothing_where_there_is_nothing_to_gain(seed: int) -> None:
    """On any honest probabilities macro-F1 of the decision is at most 0.01, what smoothing over ``tau`` may cost, under the largest probability's."""
    log_proba, codes = honest(n=600, seed=seed)
    fitted = Decision().fit(log_proba, codes)
    proba = fitted.proba(log_proba)
    assert f1_score(codes, fitted.codes(proba), average="macro") >= f1_score(codes, proba.argmax(axis=1), average="macro") - 0.01


def test_without_adjustment_the_decision_is_the_largest_probability() -> None:
    """With ``tau_`` 0 the likeliest class is decided for; with 1, every class that is likelier than usual the most."""
    log_proba, codes = honest()
    fitted = Decision().fit(log_proba, codes)
    proba = fitted.proba(log_proba)
    fitted.tau_ = 0.0
    assert (fitted.codes(proba) == proba.argmax(axis=1)).all()
    fitted.tau_ = 1.0
    assert (fitted.codes(proba) == (proba / fitted.prior_).argmax(axis=1)).all()


def test_fitting_is_deterministic() -> None:
    """The same pictures give the same three numbers."""
    first, second = (Decision().fit(*rare_classes()) for _ in range(2))
    assert (first.sharpness_, first.shift_, first.tau_) == (second.sharpness_, second.shift_, second.tau_)
