"""The perceptual hash: near for copies of one picture, far for different pictures."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from features.hashes import CLEAR_STEP, clear_steps, perceptual_hash
from features.images import read_picture
from features.view import make_view

NEAR = FAR = 26  # of 256 bits; cleaning.duplicates looks that far


def hash_of(data: bytes) -> np.ndarray:
    return perceptual_hash(make_view(read_picture(data)).half_rgb)


def distance(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.unpackbits(a ^ b).sum())


def on_a_page(image: Image.Image) -> Image.Image:
    page = Image.new("RGB", (image.width * 2, image.height * 3), "white")
    page.paste(image, (image.width // 3, image.height))
    return page


@pytest.mark.parametrize(("copy", "near"), [
    pytest.param(lambda i, e: e(i, "JPEG", quality=40), NEAR, id="saved-as-poor-jpeg"),
    pytest.param(lambda i, e: e(i, "WEBP", quality=60), NEAR, id="saved-as-webp"),
    pytest.param(lambda i, e: e(i.quantize(16), "PNG"), NEAR, id="sixteen-colours"),
    pytest.param(lambda i, e: e(i.resize((i.width // 2, i.height // 2), Image.Resampling.LANCZOS)), NEAR, id="half-size"),
    pytest.param(lambda i, e: e(i.resize((i.width * 3, i.height * 3), Image.Resampling.BICUBIC)), NEAR, id="three-times-the-size"),
    pytest.param(lambda i, e: e(on_a_page(i)), NEAR, id="on-a-larger-page"),
    pytest.param(lambda i, e: e(on_a_page(i), "JPEG", quality=60), NEAR, id="on-a-larger-page-as-jpeg"),
])
@pytest.mark.parametrize("seed", range(4))
def test_a_copy_is_near(seed: int, copy: Callable, near: int, drawing: Callable, encoded: Callable) -> None:
    """Scaling, recompression, a smaller palette and other margins change few bits."""
    image = drawing(seed, 240, 200, 30)
    assert distance(hash_of(encoded(image)), hash_of(copy(image, encoded))) <= near


def test_different_drawings_are_far(drawing: Callable, encoded: Callable) -> None:
    """No two of twelve drawings are near each other, though all have a frame on white."""
    hashes = [hash_of(encoded(drawing(seed, 240, 200, 30))) for seed in range(12)]
    assert min(distance(a, b) for a, b in combinations(hashes, 2)) > FAR


@pytest.mark.parametrize("turn", [Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180], ids=["mirrored", "upside-down"])
def test_a_turned_drawing_is_another_picture(turn: Image.Transpose, drawing: Callable, encoded: Callable) -> None:
    """The hash sees the direction, so that mirrored labels such as left and right arrows are not duplicates."""
    image = drawing(1, 240, 200, 30)
    assert distance(hash_of(encoded(image)), hash_of(encoded(image.transpose(turn)))) > FAR


def test_each_bit_is_a_clear_step(noise_pixels: Callable) -> None:
    """Against the definition, cell by cell: right brighter, right darker, below brighter, below darker."""
    gray = noise_pixels(1, 9, 9)[..., 0]
    bits = np.unpackbits(clear_steps(gray)).reshape(4, 8, 8)
    for row, column in np.ndindex(8, 8):
        right, below = (int(gray[row, column + 1]) - int(gray[row, column]), int(gray[row + 1, column]) - int(gray[row, column]))
        assert bits[:, row, column].tolist() == [right > CLEAR_STEP, right < -CLEAR_STEP, below > CLEAR_STEP, below < -CLEAR_STEP]


def test_noise_on_flat_paper_sets_no_bit(noise_pixels: Callable) -> None:
    """What a scanner or JPEG adds to a flat area does not count, unlike in a hash of plain signs."""
    assert not clear_steps((200 + noise_pixels(2, 64, 64)[..., 0] % CLEAR_STEP).astype(np.uint8)).any()


@pytest.mark.parametrize("size", [(4, 4), (90, 30), (300, 300)], ids=str)
def test_an_empty_page_has_one_hash(size: tuple[int, int], encoded: Callable) -> None:
    """All white pages are each other's duplicates, whatever their size."""
    assert distance(hash_of(encoded(Image.new("RGB", size, "white"))), hash_of(encoded(Image.new("RGB", (128, 128), "white")))) == 0
