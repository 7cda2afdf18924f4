"""The kernel machine: its closed-form scores equal refitting, and its projection keeps distances.

The refits are in double precision from the definition, with the whole set's ``base_``, which is what the closed form means.
"""

from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from models.kernel import Block, BlockProjection, KernelRidge

GAMMA, RIDGE, CLASSES = 0.8, 0.15, 3
WIDTHS = {"wide": 12, "narrow": 3, "tiny": 1}


def small_problem(seed: int, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Points (n, 5) about 1 apart, codes, uneven weights and groups of 1 to 4 rows that lie apart from each other."""
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.arange(n) % CLASSES)
    X = (rng.normal(0, 0.3, (n, 5)) + codes[:, None] * 0.2).astype(np.float32)
    sizes = [4, 3, 2, 2, 4, 3] + [1] * (n - 18)
    groups = rng.permutation(np.repeat(rng.permutation(100)[:len(sizes)], sizes))
    return X, codes, rng.uniform(0.2, 5, n), groups


def targets_of(codes: np.ndarray) -> np.ndarray:
    return np.where(np.arange(CLASSES) == codes[:, None], 1, -1 / (CLASSES - 1))


def gaussian(distances: np.ndarray) -> np.ndarray:
    return np.exp(-GAMMA * distances**2)


def refitted_without(out: np.ndarray, X: np.ndarray, codes: np.ndarray, weights: np.ndarray, base: np.ndarray) -> np.ndarray:
    """(out.sum(), CLASSES): scores of the rows ``out`` by a kernel machine that has never seen them."""
    K = gaussian(squareform(pdist(X.astype(np.float64))))
    dual = np.linalg.solve(K[~out][:, ~out] + np.diag(RIDGE / weights[~out]), targets_of(codes[~out]) - base)
    return K[out][:, ~out] @ dual + base


@pytest.mark.parametrize("seed", range(5))
def test_left_out_scores_equal_refits_without_the_group(seed: int) -> None:
    """The left-out scores of every row are those of a fit without its whole group, but for ``base_``, which stays that of all rows."""
    X, codes, weights, groups = small_problem(seed)
    model = KernelRidge(GAMMA, RIDGE).fit(X, codes, CLASSES, weights, groups)
    for group in np.unique(groups):
        out = groups == group
        np.testing.assert_allclose(model.left_out_scores_[out], refitted_without(out, X, codes, weights, model.base_), atol=1e-3)


def test_the_deviation_from_a_full_refit_is_small() -> None:
    """A refit by the class itself, with ``base_`` of the rest only, differs by no more than the group's own part in ``base_``."""
    X, codes, weights, groups = small_problem(0)
    model = KernelRidge(GAMMA, RIDGE).fit(X, codes, CLASSES, weights, groups)
    for group in np.unique(groups):
        out = groups == group
        rest = KernelRidge(GAMMA, RIDGE).fit(X[~out], codes[~out], CLASSES, weights[~out], groups[~out])
        moved = np.abs(rest.base_ - model.base_).max()
        np.testing.assert_allclose(model.left_out_scores_[out], rest.scores(X[out]), atol=moved + 2e-3)


@pytest.mark.parametrize("numbers", [np.arange(40), np.arange(40)[::-1] - 17, np.array([f"g{i}" for i in range(40)])],
                         ids=["rising", "falling and negative", "names"])
def test_single_rows_follow_the_classic_formula(numbers: np.ndarray) -> None:
    """With every row its own group, however it is called, the left-out score is y - alpha / diag(A⁻¹)."""
    X, codes, weights, _ = small_problem(1)
    model = KernelRidge(GAMMA, RIDGE).fit(X, codes, CLASSES, weights, numbers)
    inverse = np.linalg.inv(gaussian(squareform(pdist(X.astype(np.float64)))) + np.diag(RIDGE / weights))
    y = targets_of(codes)
    alpha = inverse @ (y - model.base_)
    np.testing.assert_allclose(model.left_out_scores_, y - alpha / np.diag(inverse)[:, None], atol=1e-3)


def test_the_order_of_rows_does_not_matter() -> None:
    """Shuffled rows get the same left-out scores and give the same predictions."""
    X, codes, weights, groups = small_problem(2)
    shuffled = np.random.default_rng(0).permutation(len(X))
    one = KernelRidge(GAMMA, RIDGE).fit(X, codes, CLASSES, weights, groups)
    other = KernelRidge(GAMMA, RIDGE).fit(X[shuffled], codes[shuffled], CLASSES, weights[shuffled], groups[shuffled])
    np.testing.assert_allclose(other.left_out_scores_, one.left_out_scores_[shuffled], atol=1e-3)
    np.testing.assert_allclose(other.scores(X), one.scores(X), atol=1e-3)


def test_a_copy_gives_its_label_away_only_from_another_group() -> None:
    """A picture among strangers of class 1, labelled 0 as its exact copy is, gets that label's credit only where the copy is another group's."""
    rng = np.random.default_rng(3)
    far, near = rng.normal(0, 0.05, (18, 4)) + 3, rng.normal(0, 0.05, (20, 4))
    X = np.concatenate([near[:1], near[:1], near[1:], far]).astype(np.float32)  # rows 0 and 1 are the copies
    codes = np.concatenate([[0, 0], np.ones(19, int), np.zeros(9, int), np.full(9, 2)])
    apart = np.arange(len(X))
    together = np.where(apart == 1, 0, apart)
    weights = np.ones(len(X))
    credit = {name: KernelRidge(GAMMA, RIDGE).fit(X, codes, CLASSES, weights, groups).left_out_scores_[:2, 0]
              for name, groups in (("apart", apart), ("together", together))}
    without = KernelRidge(GAMMA, RIDGE).fit(X[2:], codes[2:], CLASSES, weights[2:], apart[2:]).scores(X[:2])[:, 0]
    np.testing.assert_allclose(credit["together"], without, atol=0.02)  # base_ has moved by the two labels
    assert (credit["apart"] > credit["together"] + 0.05).all()


def test_weight_counts_as_repetition() -> None:
    """A row of weight 2 predicts as two rows of weight 1 in its place do."""
    X, codes, _, groups = small_problem(4)
    heavy = KernelRidge(GAMMA, RIDGE).fit(X, codes, CLASSES, np.where(np.arange(len(X)) < 9, 2.0, 1.0), groups)
    twice = np.concatenate([np.arange(len(X)), np.arange(9)])
    repeated = KernelRidge(GAMMA, RIDGE).fit(X[twice], codes[twice], CLASSES, np.ones(len(twice)), groups[twice])
    np.testing.assert_allclose(heavy.scores(X), repeated.scores(X), atol=1e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_kernel_is_a_similarity(dtype: type) -> None:
    """The kernel of points with themselves is symmetric, within [0, 1], 1 on the diagonal, and the Gaussian of their distance."""
    X = np.random.default_rng(5).normal(0, 0.5, (60, 8)).astype(dtype)
    model = KernelRidge(GAMMA, RIDGE)
    model.points_ = X
    K = model._kernel(X)
    assert K.dtype == np.float32
    assert K.min() >= 0
    assert K.max() <= 1
    np.testing.assert_allclose(K, K.T, atol=1e-5)
    np.testing.assert_allclose(np.diag(K), 1, atol=1e-5)
    np.testing.assert_allclose(K, gaussian(squareform(pdist(X.astype(np.float64)))), atol=1e-5)


def blocks_of_values(seed: int, n: int = 50) -> dict[str, np.ndarray]:
    """Blocks of very different width, scale and offset."""
    rng = np.random.default_rng(seed)
    return {name: rng.normal(offset, scale, (n, WIDTHS[name])).astype(np.float32)
            for name, offset, scale in (("wide", 0, 1), ("narrow", 300, 20), ("tiny", -1, 0.01))}


def projection(components: int, seed: int = 0) -> BlockProjection:
    return BlockProjection([Block("wide", 2), Block("narrow", 1), Block("tiny", 1)], components, seed)


@pytest.mark.parametrize("seed", range(3))
def test_projected_rows_are_one_apart(seed: int) -> None:
    """With enough components two rows drawn at random are at a squared distance of 1 in the mean, whatever the blocks' scales."""
    X = projection(64).fit_transform(blocks_of_values(seed)).astype(np.float64)
    assert (squareform(pdist(X)) ** 2).mean() == pytest.approx(1, abs=0.01)


def test_projected_distances_are_the_weighted_sum_of_the_blocks() -> None:
    """With enough components squared distances are the blocks' own, each scaled to its share of the mean."""
    values = blocks_of_values(1)
    X = projection(64).fit_transform(values).astype(np.float64)
    own = {name: squareform(pdist(block.astype(np.float64))) ** 2 for name, block in values.items()}
    expected = sum(share / 4 * own[name] / own[name].mean() for name, share in (("wide", 2), ("narrow", 1), ("tiny", 1)))
    np.testing.assert_allclose(squareform(pdist(X)) ** 2, expected, rtol=0.02, atol=0.01)


def test_fewer_components_lose_distance_but_no_more_than_needed() -> None:
    """Distances never grow by leaving components out, and grow with each one that is added."""
    values = blocks_of_values(2)
    means = [(pdist(projection(k).fit_transform(values).astype(np.float64)) ** 2).mean() for k in (1, 2, 4, 8, 16)]
    assert all(few < more for few, more in pairwise(means))


@pytest.mark.parametrize("components", [4, 64], ids=["fewer than the rank", "more than the rank"])
def test_training_rows_are_projected_as_new_ones(components: int) -> None:
    """`transform` of the training rows gives the bytes of `fit_transform`, one row at a time the same values."""
    values = blocks_of_values(3)
    fitted = projection(components)
    X = fitted.fit_transform(values)
    assert X.dtype == np.float16
    assert X.shape == (50, min(components, sum(WIDTHS.values())))
    assert fitted.transform(values).tobytes() == X.tobytes()
    alone = np.concatenate([fitted.transform({name: block[i:i + 1] for name, block in values.items()}) for i in range(50)])
    np.testing.assert_allclose(alone.astype(np.float32), X.astype(np.float32), atol=2e-3)


def test_same_seed_same_bytes() -> None:
    """The projection depends on the values and the seed only."""
    first, second = (projection(6, seed=7).fit_transform(blocks_of_values(4)) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_a_constant_block_says_nothing() -> None:
    """A block without spread adds no distance and no NaN."""
    values = {**blocks_of_values(5), "tiny": np.full((50, 1), 3.3, np.float32)}
    X = projection(64).fit_transform(values).astype(np.float64)
    assert np.isfinite(X).all()
    assert (squareform(pdist(X)) ** 2).mean() == pytest.approx(0.75, abs=0.01)
