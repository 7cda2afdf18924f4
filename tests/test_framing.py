"""Framing: a drawing's centre and spread follow the drawing, whatever its size, place and paper."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from features.framing import SPREAD, framed, framing_of


def rectangle(box: tuple[int, int, int, int], side: int = 128, paper: str = "white", ink: str = "black") -> np.ndarray:
    image = Image.new("RGB", (side, side), paper)
    ImageDraw.Draw(image).rectangle(box, fill=ink)
    return np.asarray(image)


@pytest.mark.parametrize("paper", ["white", "#203040"])
def test_a_rectangle_has_its_known_moments(paper: str) -> None:
    """Middle of the box; the standard deviation of w whole pixels is sqrt((w² - 1) / 12)."""
    framing = framing_of(rectangle((20, 40, 79, 69), paper=paper, ink="#c08040"))
    assert (framing.x, framing.y) == pytest.approx((49.5, 54.5))
    assert (framing.spread_x, framing.spread_y) == pytest.approx((np.sqrt((60**2 - 1) / 12), np.sqrt((30**2 - 1) / 12)))


def test_an_empty_page_is_framed_as_it_is(noise_pixels: Callable) -> None:
    """Nothing drawn, or nothing beyond a scanner's noise: the middle, and no mass."""
    for page in (np.full((64, 64, 3), 255, np.uint8), (240 + noise_pixels(0, 64, 64) % 8).astype(np.uint8)):
        assert framing_of(page) == (31.5, 31.5, SPREAD * 64, SPREAD * 64, 0)


def test_a_framed_drawing_is_where_it_should_be() -> None:
    """Framed again it would not move: the middle, and the spread that all framed drawings have."""
    rgb = rectangle((10, 40, 89, 69))
    again = framing_of(framed(rgb, framing_of(rgb), 128))
    assert again[:4] == pytest.approx((63.5, 63.5, SPREAD * 128, SPREAD * 128), abs=0.6)


@pytest.mark.parametrize("seed", range(4))
def test_half_the_size_lies_on_the_whole(seed: int, drawing: Callable) -> None:
    """A copy of half the size, drawn elsewhere on the page, is brought onto its original to half a pixel: they correlate above .98."""
    rgb = np.asarray(drawing(seed, 256, 256, 60))
    page = np.full_like(rgb, 255)
    page[90:218, 30:158] = cv2.resize(rgb, (128, 128), interpolation=cv2.INTER_AREA)
    one, two = (framed(picture, framing_of(picture), 64).astype(float).ravel() for picture in (rgb, page))
    assert np.corrcoef(one, two)[0, 1] > 0.98
