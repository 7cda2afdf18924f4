"""The perceptual hash: near for copies of one picture, far for different pictures."""

import io
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from features.hashes import perceptual_hash
from features.images import read_picture
from features.view import make_view

NEAR, NEAR_ON_A_PAGE, FAR = 24, 40, 60  # of 256 bits; on a page that is reduced the drawing itself becomes coarser


def hash_of(data: bytes) -> np.ndarray:
    return perceptual_hash(make_view(read_picture(data)).gray)


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
    pytest.param(lambda i, e: e(i.convert("L"), "PNG"), NEAR, id="in-gray"),
    pytest.param(lambda i, e: e(i.resize((i.width // 2, i.height // 2), Image.Resampling.LANCZOS)), NEAR, id="half-size"),
    pytest.param(lambda i, e: e(i.resize((i.width * 3, i.height * 3), Image.Resampling.BICUBIC)), NEAR, id="three-times-the-size"),
    pytest.param(lambda i, e: e(on_a_page(i)), NEAR_ON_A_PAGE, id="on-a-larger-page"),
    pytest.param(lambda i, e: e(on_a_page(i), "JPEG", quality=60), NEAR_ON_A_PAGE, id="on-a-larger-page-as-jpeg"),
])
@pytest.mark.parametrize("seed", range(4))
def test_a_copy_is_near(seed: int, copy: Callable, near: int, drawing: Callable, encoded: Callable) -> None:
    """Scaling, recompression, fewer colours and other margins change few bits."""
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


def test_the_hash_is_256_packed_bits(drawing: Callable, encoded: Callable, noise_pixels: Callable) -> None:
    """32 bytes; half of the bits are set, as each tells whether a frequency is above the median."""
    buffer = io.BytesIO()
    Image.fromarray(noise_pixels()).save(buffer, "PNG")
    for data in (encoded(drawing(0)), buffer.getvalue()):
        bits = hash_of(data)
        assert bits.shape == (32,)
        assert bits.dtype == np.uint8
        assert 126 <= np.unpackbits(bits).sum() <= 130


@pytest.mark.parametrize("size", [(4, 4), (90, 30), (300, 300)], ids=str)
def test_an_empty_page_has_one_hash(size: tuple[int, int], encoded: Callable) -> None:
    """All white pages are each other's duplicates, whatever their size."""
    assert distance(hash_of(encoded(Image.new("RGB", size, "white"))), hash_of(encoded(Image.new("RGB", (128, 128), "white")))) == 0
