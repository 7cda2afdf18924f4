"""Fisher vectors: descriptors equal the slow definition and move with the drawing; the encoding equals its textbook formula."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import stats

from features.tile import TILE_PX
from models.fisher import DESCRIPTORS, FisherEncoder, color_descriptors, gradient_descriptors

KINDS = ("gradient", "color")
WIDTH = {"gradient": 128, "color": 96}
STRIDE_PX = {16: 4, 32: 8, 48: 8}  # by the side of a piece
Drawing = Callable[..., Image.Image]


@pytest.fixture(scope="module")
def tiles(drawing: Drawing) -> list[np.ndarray]:
    return [np.asarray(drawing(seed, TILE_PX, TILE_PX)) for seed in range(16)]


@pytest.fixture(scope="module", params=KINDS)
def encoder(request: pytest.FixtureRequest, tiles: list[np.ndarray]) -> FisherEncoder:
    untrained = FisherEncoder(request.param, components=6, dimensions=10, seed=0)
    return untrained.fit(samples_of(untrained, tiles))


def samples_of(encoder: FisherEncoder, tiles: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([encoder.sample(tile, i) for i, tile in enumerate(tiles)])


def slow_descriptors(kind: str, tile: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Piece by piece from the pixels."""
    planes = np.zeros((TILE_PX, TILE_PX, 8))
    if kind == "gradient":
        gray = cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY).astype(int)
        dy, dx = np.zeros((2, TILE_PX, TILE_PX))
        dy[1:-1], dx[:, 1:-1] = gray[2:] - gray[:-2], gray[:, 2:] - gray[:, :-2]
        direction = np.round(np.degrees(np.arctan2(dy, dx)) / 45).astype(int) % 8
        np.put_along_axis(planes, direction[..., None], np.hypot(dy, dx)[..., None], axis=2)
    else:
        planes = cv2.cvtColor(tile, cv2.COLOR_RGB2LAB) / 255
    pieces, centres = [], []
    for side, stride in STRIDE_PX.items():
        for top in range(0, TILE_PX - side + 1, stride):
            for left in range(0, TILE_PX - side + 1, stride):
                cells = planes[top:top + side, left:left + side].reshape(4, side // 4, 4, side // 4, -1)
                if kind == "gradient":
                    d = cells.sum(axis=(1, 3)).ravel()
                    shows = d.sum() > 2 * side * side
                    d = np.sqrt(d / max(d.sum(), 1))
                else:
                    d = np.concatenate([cells.mean(axis=(1, 3)), cells.std(axis=(1, 3))], axis=2).ravel()
                    shows = cells.mean(axis=(1, 3)).std(axis=(0, 1)).max() > 0.01
                if shows:
                    pieces.append(d)
                    centres.append(((top + side / 2) / TILE_PX - 0.5, (left + side / 2) / TILE_PX - 0.5))
    return np.array(pieces), np.array(centres)


def smallest_pieces(centres: np.ndarray) -> int:
    """How many of the pieces, which come size by size and row by row, are of the first size."""
    falls = np.flatnonzero(np.diff(centres @ [1000, 1]) < 0)
    return int(falls[0]) + 1


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", KINDS)
def test_descriptors_equal_the_slow_definition(kind: str, seed: int, tiles: list[np.ndarray]) -> None:
    """Every piece of 16, 32 and 48 px that shows something is described, in order, as the definition says."""
    descriptors, centres = DESCRIPTORS[kind](tiles[seed])
    expected, expected_centres = slow_descriptors(kind, tiles[seed])
    np.testing.assert_allclose(centres, expected_centres, atol=1e-6)
    np.testing.assert_allclose(descriptors, expected, atol=2e-3)  # a deviation near 0 is the root of a rounding error


@pytest.mark.parametrize("kind", KINDS)
def test_descriptors_keep_their_ranges(kind: str, tiles: list[np.ndarray], noise_pixels: Callable[..., np.ndarray]) -> None:
    """Drawings and noise alike give float32 rows in [0, 1] with centres in [-0.5, 0.5], the gradient ones of length 1."""
    for tile in (*tiles[:4], noise_pixels(0, TILE_PX, TILE_PX)):
        descriptors, centres = DESCRIPTORS[kind](tile)
        assert len(descriptors) > 0
        assert descriptors.dtype == np.float32
        assert descriptors.shape == (len(centres), WIDTH[kind])
        assert descriptors.min() >= 0
        assert descriptors.max() <= 1
        assert centres.shape[1] == 2
        assert np.abs(centres).max() <= 0.5
        if kind == "gradient":
            np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("color", [(255, 255, 255), (0, 0, 0), (200, 30, 90)], ids=["white", "black", "red"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_flat_tile_shows_nothing(kind: str, color: tuple[int, int, int]) -> None:
    """One colour gives no descriptor, an empty sample and no error."""
    tile = np.full((TILE_PX, TILE_PX, 3), color, np.uint8)
    descriptors, centres = DESCRIPTORS[kind](tile)
    assert descriptors.shape == (0, WIDTH[kind])
    assert centres.shape == (0, 2)
    assert FisherEncoder(kind).sample(tile, 0).shape == (0, WIDTH[kind] + 2)


@pytest.mark.parametrize("shift", [(4, 0), (0, 4), (8, 0), (0, 8), (8, 8)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_shifted_drawing_gives_the_same_pieces_elsewhere(kind: str, shift: tuple[int, int], noise_pixels: Callable[..., np.ndarray]) -> None:
    """What is moved by 4 px keeps its pieces of 16 px, and moved by 8 px all of them; only their centres follow."""
    tile = np.full((TILE_PX, TILE_PX, 3), 255, np.uint8)
    tile[49:71, 49:71] = noise_pixels(1, 22, 22)  # far enough from the border that no piece is lost
    (before, centres), (after, moved) = DESCRIPTORS[kind](tile), DESCRIPTORS[kind](np.roll(tile, shift, axis=(0, 1)))
    if 4 in shift:
        few = smallest_pieces(centres)
        assert few == smallest_pieces(moved)
        before, centres, after, moved = before[:few], centres[:few], after[:few], moved[:few]
    np.testing.assert_allclose(moved, centres + np.array(shift) / TILE_PX, atol=1e-6)
    np.testing.assert_allclose(after, before, atol=1e-3)


@pytest.mark.parametrize("brighter", [1, 40, 100])
def test_gradients_do_not_see_brightness(brighter: int, noise_pixels: Callable[..., np.ndarray]) -> None:
    """Adding the same to all channels, where nothing clips, changes no gradient descriptor."""
    tile = noise_pixels(2, TILE_PX, TILE_PX) // 2
    (before, centres), (after, moved) = gradient_descriptors(tile), gradient_descriptors(tile + np.uint8(brighter))
    assert after.tobytes() == before.tobytes()
    assert moved.tobytes() == centres.tobytes()


def test_colors_do_not_see_strokes_within_a_cell() -> None:
    """Turning each 4 px cell upside down changes no colour descriptor, for a cell is only a mean and a deviation."""
    tile = np.random.default_rng(3).integers(0, 256, (TILE_PX, TILE_PX, 3), np.uint8)
    turned = tile.reshape(32, 4, TILE_PX, 3)[:, ::-1].reshape(tile.shape)
    np.testing.assert_allclose(color_descriptors(turned)[0], color_descriptors(tile)[0], atol=1e-3)


def test_encoding_equals_the_textbook_formula(encoder: FisherEncoder, tiles: list[np.ndarray]) -> None:
    """Squared and with their signs, the numbers are in the proportions of Perronnin's gradients with respect to mean and deviation."""
    for tile in tiles[:3]:
        descriptors, centres = DESCRIPTORS[encoder.kind](tile)
        points = np.hstack([(descriptors.astype(float) - encoder.mean_) @ encoder.axes_.astype(float), centres])
        deviations = np.sqrt(encoder.variances_.astype(float))
        log_density = np.array([np.log(w) + stats.norm.logpdf(points, mean, deviation).sum(axis=1)
                                for w, mean, deviation in zip(encoder.weights_, encoder.means_, deviations, strict=True)]).T
        posterior = np.exp(log_density - np.logaddexp.reduce(log_density, axis=1)[:, None])  # (n, k)
        by_mean, by_variance = [], []
        for k, weight in enumerate(encoder.weights_):
            away = (points - encoder.means_[k]) / deviations[k]
            by_mean.append(sum(posterior[i, k] * away[i] for i in range(len(points))) / (len(points) * np.sqrt(weight)))
            by_variance.append(sum(posterior[i, k] * (away[i] ** 2 - 1) for i in range(len(points))) / (len(points) * np.sqrt(2 * weight)))
        expected = np.concatenate([np.ravel(by_mean), np.ravel(by_variance)])
        vector = encoder.encode(tile)
        np.testing.assert_allclose(np.sign(vector) * vector**2, expected / np.abs(expected).sum(), atol=3e-4)  # float32: large sums cancel


def test_encodings_are_unit_vectors(encoder: FisherEncoder, tiles: list[np.ndarray], noise_pixels: Callable[..., np.ndarray]) -> None:
    """Whatever the tile shows, seen in training or not, its vector is finite, float32, of the promised width and of length 1."""
    k, d = encoder.means_.shape
    for tile in (*tiles, noise_pixels(0, TILE_PX, TILE_PX)):
        vector = encoder.encode(tile)
        assert vector.dtype == np.float32
        assert vector.shape == (2 * k * d,)
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_a_flat_tile_is_encoded_as_zeros(encoder: FisherEncoder) -> None:
    """A tile without pieces has no direction."""
    vector = encoder.encode(np.full((TILE_PX, TILE_PX, 3), 77, np.uint8))
    assert vector.shape == (2 * encoder.means_.size,)
    assert not vector.any()


def test_same_seed_same_encoding(encoder: FisherEncoder, tiles: list[np.ndarray]) -> None:
    """Fitted again on the same samples with the same seed, an encoder gives the same bytes; another seed draws other samples."""
    again = FisherEncoder(encoder.kind, encoder.components, encoder.dimensions, encoder.seed)
    again.fit(samples_of(again, tiles))
    assert again.encode(tiles[0]).tobytes() == encoder.encode(tiles[0]).tobytes()
    other = FisherEncoder(encoder.kind, seed=1)
    assert other.sample(tiles[0], 0).tobytes() != encoder.sample(tiles[0], 0).tobytes()
    assert encoder.sample(tiles[0], 1).tobytes() != encoder.sample(tiles[0], 0).tobytes()


@pytest.mark.parametrize("number", [2, 3, 45])
@pytest.mark.parametrize("kind", KINDS)
def test_few_samples_are_enough(kind: str, number: int, tiles: list[np.ndarray]) -> None:
    """An encoder fitted on hardly anything has fewer Gaussians and dimensions, and still encodes."""
    untrained = FisherEncoder(kind)
    fitted = untrained.fit(samples_of(untrained, tiles)[:number])
    assert fitted.means_.shape == (max(1, number // 20), min(number, 64) + 2)
    assert np.linalg.norm(fitted.encode(tiles[0])) == pytest.approx(1, abs=1e-5)
