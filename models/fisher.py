"""Fisher vectors of dense local descriptors: what small pieces a picture is made of, and roughly where they are.

Each tile gives up to 1,131 overlapping pieces at three sizes, described either by gradients (a SIFT-like 4 x 4 grid of 8
orientations) or by colour (means and deviations of Lab on the same grid). Principal components, the piece's place and a
diagonal Gaussian mixture turn the pieces into one vector: how they deviate, per component, in mean and in variance.

Sources: Lowe 2004 (SIFT); Arandjelović & Zisserman 2012 (root); Perronnin, Sánchez & Mensink 2010 (improved Fisher vectors);
Clinchant et al. 2007 (local colour statistics). On hand-drawn sketches Fisher vectors were the best hand-made features (69 %
against 56 % for bags of words and 75 % for a network, TU-Berlin; research note §3.1). No label is used to fit them.
"""

import warnings
from functools import cache, cached_property, reduce
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from features.hog import cell_histograms, every_gradient, gradient_sums, hog
from features.processes import one_thread
from features.tile import TILE_PX
from models.prepared import Prepares

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

BASE_PX = 4  # side of a base cell, and the stride of the pieces
BASE_CELLS = TILE_PX // BASE_PX
ORIENTATIONS = 8
GRID = 4  # a piece is 4 x 4 cells
CELL_SIZES = (1, 2, 3)  # in base cells: pieces of 16, 32 and 48 px
STRIDES = {1: 1, 2: 2, 3: 2}  # base cells between neighbouring pieces
QUIET_GRADIENT = 2.0  # mean magnitude per pixel, in gray levels, under which a piece shows nothing
QUIET_COLOR = 0.01  # likewise, standard deviation of the cell means over the piece, in [0, 1]
LOG_FLOOR = -30.0  # of a share: smaller ones are subnormal numbers, on which a matrix product takes ten times as long
SAMPLES_PER_TILE = 24


class Layout(NamedTuple):
    """Where pieces lie. Cells of all sizes are the rows of one table: size by size, row by row of the tile."""

    cells: np.ndarray  # (pieces, 16): rows of that table
    centres: np.ndarray  # (pieces, 2) in [-0.5, 0.5]
    area: np.ndarray  # (pieces,) px


def gradient_descriptors(tile: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(128, 128, 3) uint8 → (n, 128) float32 unit vectors and their centres (n, 2) in [-0.5, 0.5]; n = 0 for a flat tile."""
    gray = cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY)
    base = gradient_sums(gray, BASE_PX, _signed_bins(), ORIENTATIONS).astype(np.float32)  # (32, 32, 8)
    cells = [_summed(base, size) for size in CELL_SIZES]
    total = _piece_sums([np.einsum("ijc->ij", cell) for cell in cells])
    kept = total > QUIET_GRADIENT * _layout().area
    pieces = _pieces([np.sqrt(cell) for cell in cells], kept)  # roots of few cells, not of many pieces
    pieces /= np.sqrt(total[kept])[:, None]
    return pieces, _layout().centres[kept]


def color_descriptors(tile: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(128, 128, 3) uint8 → (n, 96) float32 in [0, 1]: mean and deviation of L, a, b in 4 x 4 cells; centres as above."""
    lab = cv2.cvtColor(tile, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab *= np.float32(1 / 255)
    small = (BASE_CELLS, BASE_CELLS)
    base = np.concatenate([cv2.resize(lab, small, interpolation=cv2.INTER_AREA),
                           cv2.resize(lab * lab, small, interpolation=cv2.INTER_AREA)], axis=2)  # (32, 32, 6)
    moments = [_summed(base, size) * np.float32(1 / size**2) for size in CELL_SIZES]
    means = [cell[..., :3] for cell in moments]
    squares = [mean * mean for mean in means]
    cells = [np.concatenate([mean, np.sqrt(np.maximum(cell[..., 3:] - square, 0))], axis=2)
             for cell, mean, square in zip(moments, means, squares, strict=True)]
    variance = _piece_sums(squares) / GRID**2 - (_piece_sums(means) / GRID**2) ** 2
    kept = np.logical_or.reduce((variance > QUIET_COLOR**2).T)
    return _pieces(cells, kept), _layout().centres[kept]


DESCRIPTORS = {"gradient": gradient_descriptors, "color": color_descriptors}


class FisherEncoder(Prepares):
    """Learns components and a mixture from tiles, then turns a tile into one unit vector.

    ``kind``: ``gradient`` or ``color``; ``components``: Gaussians; ``dimensions``: principal components kept.
    """

    def __init__(self, kind: str, components: int = 64, dimensions: int = 64, seed: int = 0) -> None:
        self.kind = kind
        self.components = components
        self.dimensions = dimensions
        self.seed = seed

    def sample(self, tile: np.ndarray, number: int) -> np.ndarray:
        """Up to `SAMPLES_PER_TILE` descriptors with their centres, (m, d + 2); ``number`` seeds the choice."""
        descriptors, centres = DESCRIPTORS[self.kind](tile)
        rng = np.random.default_rng([self.seed, number])
        chosen = rng.choice(len(descriptors), min(SAMPLES_PER_TILE, len(descriptors)), replace=False)
        return np.hstack([descriptors[chosen], centres[chosen]])

    def fit(self, samples: np.ndarray) -> "FisherEncoder":
        """(m, d + 2) rows of `sample` of training tiles."""
        from sklearn.cluster import MiniBatchKMeans  # here, as in _mixture: processes that only encode begin a second sooner
        from sklearn.decomposition import PCA

        self.forget()
        descriptors, centres = samples[:, :-2], samples[:, -2:]
        dimensions = min(self.dimensions, *descriptors.shape)
        pca = PCA(dimensions, svd_solver="covariance_eigh").fit(descriptors)
        self.mean_ = pca.mean_.astype(np.float32)
        self.axes_ = (pca.components_.T / np.sqrt(max(pca.explained_variance_[0], 1e-12))).astype(np.float32)  # (d, dimensions)
        points = np.hstack([(descriptors - self.mean_) @ self.axes_, centres]).astype(np.float64)  # in float32 the mixture drowns in subnormals
        components = min(self.components, max(1, len(points) // 20))
        start = MiniBatchKMeans(components, n_init=1, batch_size=4096, max_iter=20, random_state=self.seed).fit(points)
        mixture = _mixture(points, start.cluster_centers_, self.seed)
        self.weights_, self.means_, self.variances_ = (a.astype(np.float32) for a in (mixture.weights_, mixture.means_, mixture.covariances_))
        return self

    def encode(self, tile: np.ndarray) -> np.ndarray:
        """(128, 128, 3) uint8 → (2 * components * (dimensions + 2),) float32 of length 1; zeros for a flat tile."""
        descriptors, centres = DESCRIPTORS[self.kind](tile)
        k, d = self.means_.shape
        if len(descriptors) == 0:
            return np.zeros(2 * k * d, np.float32)
        n = len(descriptors)
        points = np.empty((2 * d + 1, n), np.float32)  # a column per piece: squares, the point itself, 1; what is done to pieces goes along rows
        np.matmul(self.axes_.T, descriptors.T, out=points[d:2 * d - 2])
        points[d:2 * d - 2] -= self._projected_mean
        points[2 * d - 2:2 * d] = centres.T
        np.square(points[d:2 * d], out=points[:d])
        points[2 * d] = 1
        share = self._log_density @ points  # (k, n)
        share -= share.max(axis=0)
        np.exp(np.maximum(share, LOG_FLOOR, out=share), out=share)
        share /= share.sum(axis=0)
        sums = share @ points.T
        squares, firsts, mass = sums[:, :d], sums[:, d:2 * d], sums[:, 2 * d:]
        by_mean, shift, by_square, by_first, by_mass = self._gradients
        vector = np.concatenate([by_mean * firsts - shift * mass, by_square * squares - by_first * firsts + by_mass * mass], axis=None)
        size = np.abs(vector)
        return np.copysign(np.sqrt(size / max(float(size.sum()), 1e-24)), vector)  # of length 1, how many pieces there are does not matter

    @cached_property
    def _projected_mean(self) -> np.ndarray:
        return (self.mean_ @ self.axes_)[:, None]

    @cached_property
    def _log_density(self) -> np.ndarray:
        """(k, 2d + 1) float32: the mixture's log densities as a linear map of [x², x, 1]."""
        precision = 1 / self.variances_
        constant = np.log(self.weights_) - 0.5 * (np.log(self.variances_) + self.means_**2 * precision).sum(axis=1)
        return np.hstack([-0.5 * precision, self.means_ * precision, constant[:, None]])

    @cached_property
    def _gradients(self) -> tuple[np.ndarray, ...]:
        """What the sums of points, of their squares and of shares are multiplied with, five (k, d) float32: the gradients by means and by
        variances are linear in them."""
        weights = np.sqrt(self.weights_)[:, None]
        by_mean, by_square = 1 / (np.sqrt(self.variances_) * weights), 1 / (np.sqrt(2) * self.variances_ * weights)
        parts = by_mean, self.means_ * by_mean, by_square, 2 * self.means_ * by_square, (self.means_**2 - self.variances_) * by_square
        return tuple(part.astype(np.float32) for part in parts)


def fisher_vectors(encoders: list[FisherEncoder], tiles: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Kind → (len(rows), width) float32 of some tiles, by one thread: the same sums in the same order for any number of processes."""
    with one_thread():
        return {encoder.kind: np.stack([encoder.encode(tiles[row]) for row in rows]) for encoder in encoders}


def mirrored_blocks(encoders: list[FisherEncoder], tiles: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Whatever of the blocks is different for the mirror images of some tiles: Fisher vectors and ``hog``, (len(rows), width) float32 each."""
    turned = np.ascontiguousarray(tiles[rows][:, :, ::-1])
    cells = [cell_histograms(cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY)) for tile in turned]
    return {**fisher_vectors(encoders, turned, np.arange(len(turned))), "hog": np.stack([hog(own) for own in cells])}


def sampled_tiles(encoder: FisherEncoder, tiles: np.ndarray, rows: np.ndarray, first: int) -> list[np.ndarray]:
    """`FisherEncoder.sample` of some tiles, numbered from ``first``, by one thread."""
    with one_thread():
        return [encoder.sample(tiles[row], first + i) for i, row in enumerate(rows)]


def _mixture(points: np.ndarray, centres: np.ndarray, seed: int) -> "GaussianMixture":
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a few steps suffice: the encoding needs cells, not a converged density
        return GaussianMixture(len(centres), covariance_type="diag", max_iter=8, means_init=centres, reg_covar=1e-4,
                               init_params="random_from_data", random_state=seed).fit(points)


@cache
def _signed_bins() -> np.ndarray:
    """(511 * 511,) uint8: the nearest of 8 directions of every gradient."""
    dy, dx = every_gradient()
    turn = np.arctan2(dy, dx) / (2 * np.pi) % 1
    return (np.round(turn * ORIENTATIONS).astype(np.uint8) % ORIENTATIONS).ravel()


def _summed(base: np.ndarray, size: int) -> np.ndarray:
    """(32, 32, c) → (33 - size, 33 - size, c): sums over size x size base cells at every base cell."""
    if size == 1:
        return base
    places = BASE_CELLS - size + 1
    rows = _added([base[i:i + places] for i in range(size)])
    return _added([rows[:, j:j + places] for j in range(size)])


def _piece_sums(cells: list[np.ndarray]) -> np.ndarray:
    """Maps (m, m, …) of the cells of each size → (pieces, …): the sum over each piece's 4 x 4 cells, by rows and columns."""
    sums = []
    for size, own in zip(CELL_SIZES, cells, strict=True):
        starts = range(0, GRID * size, size)
        places = slice(0, len(own) - (GRID - 1) * size, STRIDES[size])
        rows = _added([own[i:][places] for i in starts])
        sums.append(_added([rows[:, i:][:, places] for i in starts]).reshape(-1, *own.shape[2:]))
    return np.concatenate(sums)


def _added(arrays: list[np.ndarray]) -> np.ndarray:
    """Their sum; ``np.sum`` would copy them into one array first."""
    return reduce(np.add, arrays)


def _pieces(cells: list[np.ndarray], kept: np.ndarray) -> np.ndarray:
    """Maps (m, m, c) of the cells of each size → (n, 16 * c): the cells of the pieces ``kept`` (pieces,) bool, one behind the other."""
    channels = cells[0].shape[2]
    table = np.concatenate([own.reshape(-1, channels) for own in cells])
    return table.take(_layout().cells[kept], axis=0).reshape(-1, GRID**2 * channels)


@cache
def _layout() -> Layout:
    cells, centres, area, first = [], [], [], 0
    for size in CELL_SIZES:
        places = BASE_CELLS - size + 1
        start = np.arange(0, places - (GRID - 1) * size, STRIDES[size])
        row, column = (grid.reshape(-1, 1) for grid in np.meshgrid(start, start, indexing="ij"))
        i, j = (grid.ravel() * size for grid in np.meshgrid(np.arange(GRID), np.arange(GRID), indexing="ij"))
        cells.append(first + (row + i) * places + column + j)
        centres.append(((np.hstack([row, column]) + GRID * size / 2) / BASE_CELLS - 0.5).astype(np.float32))
        area.append(np.full(len(row), (GRID * size * BASE_PX) ** 2))
        first += places**2
    return Layout(np.concatenate(cells), np.concatenate(centres), np.concatenate(area))
