"""The garment's crop: it finds what is drawn, also white on white, and a picture without an edge is no failure."""

import cv2
import numpy as np
import pytest

from features.errors import ScratchworkError
from features.extract import ExtractionSettings
from features.garment import COLUMNS, CROPS, ROWS, cropped, edge_box


def page(color: int, paper: int = 255) -> np.ndarray:
    """400 x 300: a box at rows 160 to 220 and columns 100 to 200."""
    rgb = np.full((400, 300, 3), paper, np.uint8)
    rgb[160:220, 100:200] = color
    return rgb


@pytest.mark.parametrize("color", [0, 120, 235])
def test_the_box_is_found_white_on_white_too(color: int) -> None:
    """Within a few pixels, whatever its colour; only the drawing and its rim are left."""
    found = cropped(page(color), "garment")
    assert found.shape[0] == pytest.approx(60, abs=14)
    assert found.shape[1] == pytest.approx(100, abs=14)
    assert (found == color).mean() > 0.6


def test_the_binary_crop_is_two_valued_and_the_same_box() -> None:
    """At three quarters of the size, 0 and 255 only."""
    binary, color = cropped(page(90), "garment-binary"), cropped(page(90), "garment")
    assert set(np.unique(binary)) <= {0, 255}
    assert binary.shape[0] == pytest.approx(0.75 * color.shape[0], abs=2)


def test_nothing_to_see_keeps_the_middle() -> None:
    """Where the team's script failed: a blank page gives the cut margins, a tiny picture itself; salt and pepper is no edge."""
    blank = np.full((400, 300, 3), 255, np.uint8)
    assert cropped(blank, "garment").shape[:2] == (round(400 * (ROWS[1] - ROWS[0])), round(300 * (COLUMNS[1] - COLUMNS[0])))
    tiny = np.zeros((6, 6, 3), np.uint8)
    assert cropped(tiny, "garment") is tiny
    specks = np.full((100, 100), 255, np.uint8)
    specks[::9, ::9] = 0
    assert edge_box(specks) == (0, 0, 100, 100)


def test_the_crop_shapes_the_numbers() -> None:
    """Each has a fingerprint of its own, the default keeps the one it had, and an unknown one is refused."""
    assert len({ExtractionSettings(crop=crop).fingerprint() for crop in CROPS}) == len(CROPS)
    assert cropped(page(0), "none").shape == (400, 300, 3)
    assert cv2.countNonZero(255 - cropped(page(0), "garment")[:, :, 0]) > 0
    with pytest.raises(ScratchworkError, match="crop 'hat' is unknown; choose one of none, garment, garment-binary"):
        ExtractionSettings(crop="hat")
