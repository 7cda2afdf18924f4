"""Photographs among drawings, without a label and without a pretrained network.

What no drawing does by chance makes the *seeds*: grain nearly everywhere (almost no pixel whose Laplacian is exactly 0), many
colours of which none prevails, and a border that is not flat. A Gaussian mixture (rank-Gaussianised features, components by BIC)
adds the members of components whose middle picture is such a seed; it needs some 5 % of photographs to have one, the seeds need
five. From them trees learn, in rounds of self-training across folds, what else is a photograph: on white, in gray, recompressed.
No seeds, no photographs. Features: Lienhart & Hartmann 2002; Athitsos, Swain & Frankel 1997; research figures in docs/lab-notes.md.

The contest team's three methods (source A, row A5) stand beside it: k-means with two clusters on the pixels, after a random
projection, after PCA, in the code of an autoencoder; the cluster with less flat area is called photographs.
"""

import warnings
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.stats import norm, rankdata
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import davies_bouldin_score, silhouette_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPRegressor
from sklearn.random_projection import GaussianRandomProjection

from features.families import feature_names
from features.processes import one_thread

METHODS = ("gmm", "kmeans-random", "kmeans-pca", "kmeans-autoencoder")
COLUMNS = ("noise__zero_share", "noise__quiet_share", "noise__soft_share", "noise__log_median", "palette__top1", "palette__top2", "palette__top4",
           "palette__top8", "palette__top16", "palette__entropy", "palette__log_present", "palette__log_any", "palette__flat_share",
           "moments__gray_share", "moments__mean_L", "moments__saturation_mean", "moments__chroma", "background__white_share",
           "background__border_white_share", "background__border_flat_share", "background__box_area", "edges__density")
SEED_LIMITS = {"noise__zero_share": (0.0, 0.1), "palette__top16": (0.0, 0.9), "palette__entropy": (3.2, 12.0),
               "background__border_flat_share": (0.0, 0.9)}
DRAWN_ZERO_SHARE = 0.25  # from here on a picture is a drawing to begin with
EVIDENCE_COLUMNS = ("noise__zero_share", "palette__top16", "palette__entropy", "background__border_flat_share")  # told of a photograph
MIN_SEEDS = 5
COMPONENTS = range(1, 9)
MIXED_AXES = 5
MIN_ROUNDS, MAX_ROUNDS = 3, 10
SETTLED = 0.01  # a round that changes so small a share of the photographs is the last
SURE_PHOTO, SURE_DRAWING = 0.6, 0.2  # of a round, for the next
CUT = 0.8  # of ``photo_score``: below it a picture is a photograph
PIXELS_PX = 32  # side at which source A's methods see a picture
SAMPLE = 2000  # pictures for the silhouette, whose cost grows with the square


@dataclass(frozen=True)
class Photos:
    """``score`` (n,) in [0, 1], low = photograph, and what the method says of its own split."""

    score: np.ndarray
    seeds: int
    components: int
    silhouette: float  # nan where there is only one side
    davies_bouldin: float


def photo_scores(features: np.ndarray, tiles: np.ndarray, rows: np.ndarray, method: str = "gmm", seed: int = 0, jobs: int = 1) -> Photos:
    """``features`` (n, n_features) and the tiles (``rows`` (n,) of ``tiles``) of n pictures → how little each looks like a photograph."""
    X = features[:, [feature_names().index(name) for name in COLUMNS]].astype(np.float64)
    if method == "gmm":
        with one_thread():  # small products: threads that wait for each other take four times as long where something else is computing
            mixed = _mixed(X)
            score, seeds, components = _self_trained(X, mixed, seed, jobs)
    else:
        mixed = _projected(np.stack([_pixels(tiles[row]) for row in rows]), method, seed)
        cluster = KMeans(2, n_init=10, random_state=seed).fit_predict(mixed)
        flat = [X[cluster == k, COLUMNS.index("noise__zero_share")].mean() for k in (0, 1)]
        score, seeds, components = (cluster != int(np.argmin(flat))).astype(float), 0, 2
    photo = score < CUT
    if photo.all() or not photo.any():
        return Photos(score, seeds, components, np.nan, np.nan)
    rows = _sampled(photo, seed)
    silhouette = float(silhouette_score(mixed[rows], photo[rows])) if len(rows) > 2 else np.nan
    return Photos(score, seeds, components, silhouette, float(davies_bouldin_score(mixed, photo)))


def _sampled(photo: np.ndarray, seed: int) -> np.ndarray:
    """At most `SAMPLE` positions of (n,) bool at random, and some of the smaller side where chance would leave it out."""
    rows = np.random.RandomState(seed).permutation(len(photo))
    inside, fewer = rows[:SAMPLE], photo if photo.sum() * 2 <= len(photo) else ~photo
    return np.union1d(inside, rows[fewer[rows]][:MIN_SEEDS]) if not fewer[inside].any() else inside


def scores_beside(features: np.ndarray, photo: np.ndarray, others: np.ndarray, seed: int = 0, jobs: int = 1) -> np.ndarray:
    """(m,) score of ``others`` (m, n_features) by what was found among other pictures: their ``features`` (n, n_features), and which of them are
    photographs, (n,) bool."""
    if photo.all() or not photo.any():
        return np.full(len(others), float(not photo.any()))
    columns = [feature_names().index(name) for name in COLUMNS]
    return 1 - _learned(features[:, columns], photo, others[:, columns], seed, jobs, _leaf(photo))


def evidence(features: np.ndarray) -> list[str]:
    """The figures that speak for a photograph, one line per row of (n, n_features)."""
    names = feature_names()
    zero, top, entropy, flat = (features[:, names.index(name)] for name in EVIDENCE_COLUMNS)
    return [f"{z:.0%} of the pixels without grain; the 16 commonest colours cover {t:.0%}; colour entropy {e:.1f} bits; {f:.0%} of the border is flat"
            for z, t, e, f in zip(zero, top, entropy, flat, strict=True)]


def _self_trained(X: np.ndarray, mixed: np.ndarray, seed: int, jobs: int) -> tuple[np.ndarray, int, int]:
    """``score`` (n,), the number of seeds, and of mixture components."""
    seeds = _is_seed(X)
    components = 1
    if len(X) >= 10 * MIXED_AXES:
        mixture = _best_mixture(mixed, seed)
        components = mixture.n_components
        member = mixture.predict(mixed)
        unframed = X[:, COLUMNS.index("background__border_flat_share")] < SEED_LIMITS["background__border_flat_share"][1]
        for k in range(components):
            own = member == k
            if own.any() and _is_seed(np.median(X[own], axis=0, keepdims=True))[0]:
                seeds |= own & (mixture.predict_proba(mixed)[:, k] > 0.95) & unframed
    if seeds.sum() < MIN_SEEDS:
        return np.where(seeds, 0.5, 1.0), int(seeds.sum()), components
    photo, drawn = seeds, X[:, COLUMNS.index("noise__zero_share")] > DRAWN_ZERO_SHARE
    found = seeds.astype(float)
    for number in range(1, MAX_ROUNDS + 1):
        if min(photo.sum(), drawn.sum()) < MIN_SEEDS:
            break
        found = _across_folds(X, photo, photo | drawn, seed, jobs)
        before, photo, drawn = photo, found > SURE_PHOTO, found < SURE_DRAWING
        if number >= MIN_ROUNDS and (photo != before).sum() <= SETTLED * photo.sum():
            break
    return 1 - found, int(seeds.sum()), components


def _across_folds(X: np.ndarray, photo: np.ndarray, sure: np.ndarray, seed: int, jobs: int) -> np.ndarray:
    """(n,) probability of a photograph, each from trees that did not see the picture."""
    found = np.empty(len(X))
    for learn, tell in StratifiedKFold(5, shuffle=True, random_state=seed).split(X, photo):
        learn = learn[sure[learn]]
        found[tell] = _learned(X[learn], photo[learn], X[tell], seed, jobs, _leaf(photo))
    return found


def _leaf(photo: np.ndarray) -> int:
    """Pictures in a leaf, at least: one where there are few photographs."""
    return 2 if photo.sum() >= 60 else 1


def _learned(X: np.ndarray, photo: np.ndarray, others: np.ndarray, seed: int, jobs: int, leaf: int) -> np.ndarray:
    """(m,) probability that others are photographs, by trees that learned from (n, columns) and which of them are."""
    trees = ExtraTreesClassifier(300, min_samples_leaf=leaf, max_features=5, class_weight="balanced", random_state=seed, n_jobs=jobs)
    trees.fit(X, photo)
    return trees.predict_proba(others)[:, list(trees.classes_).index(True)]


def _is_seed(X: np.ndarray) -> np.ndarray:
    inside = [(low <= X[:, COLUMNS.index(name)]) & (X[:, COLUMNS.index(name)] < high) for name, (low, high) in SEED_LIMITS.items()]
    return np.logical_and.reduce(inside)


def _mixed(X: np.ndarray) -> np.ndarray:
    """(n, at most 5): ranks as normal quantiles, then the main axes."""
    telling = X[:, np.ptp(X, axis=0) > 0]
    if not telling.size:
        return np.zeros((len(X), 1))
    normal = np.stack([norm.ppf((rankdata(column) - 0.5) / len(X)) for column in telling.T], axis=1)
    return PCA(min(MIXED_AXES, *normal.shape), random_state=0).fit_transform(normal)


def _best_mixture(mixed: np.ndarray, seed: int) -> GaussianMixture:
    mixtures = [GaussianMixture(k, n_init=3, reg_covar=1e-3, random_state=seed).fit(mixed) for k in COMPONENTS]
    return min(mixtures, key=lambda mixture: mixture.bic(mixed))


def _pixels(tile: np.ndarray) -> np.ndarray:
    return cv2.resize(tile, (PIXELS_PX, PIXELS_PX), interpolation=cv2.INTER_AREA).astype(np.float32).ravel() / 255


def _projected(pixels: np.ndarray, method: str, seed: int) -> np.ndarray:
    """(n, d) of one of source A's three ways to make (n, 3072) pixels fewer."""
    if method == "kmeans-random":
        return GaussianRandomProjection(2, random_state=seed).fit_transform(pixels)
    if method == "kmeans-pca":
        return PCA(min(50, *pixels.shape), random_state=seed).fit_transform(pixels)
    network = MLPRegressor(hidden_layer_sizes=(128, 16, 128), max_iter=15, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a few rounds are the method
        network.fit(pixels, pixels)
    code = pixels
    for weights, bias in zip(network.coefs_[:2], network.intercepts_[:2], strict=True):
        code = np.maximum(code @ weights + bias, 0)
    return code
