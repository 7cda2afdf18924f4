"""The duplicate benchmark makes the copies that it says, and counts right."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import duplicates as benchmark

SIZES = {"resize x 0.5": (60, 40), "resize x 0.25": (30, 20), "pad 20 %": (144, 96), "crop 5 %": (114, 76), "rotate 90": (80, 120)}
CHANGED_FORMATS = {"JPEG 95": "JPEG", "JPEG 75": "JPEG", "JPEG 50": "JPEG", "to WebP 80": "WEBP", "to BMP": "BMP"}
SAME_PIXELS = {"to PNG", "to BMP"}


@pytest.fixture
def original(tmp_path: Path) -> Path:
    rgb = np.full((80, 120, 3), 255, np.uint8)
    rgb[20:60, 10:50] = 200, 30, 90
    file = tmp_path / "L2_3" / "drawing.png"
    file.parent.mkdir()
    Image.fromarray(rgb).save(file)
    return file


def test_every_copy_is_what_its_name_says(original: Path, tmp_path: Path) -> None:
    """Size, format, and whether any pixel differs; the original beside it is untouched."""
    before = np.asarray(Image.open(original))
    for name, transformation in benchmark.TRANSFORMATIONS.items():
        folder = tmp_path / name.replace(" ", "_")
        benchmark.write_set([original], folder, transformation)
        copy, beside = sorted((folder / "L2_3").iterdir())
        assert beside.read_bytes() == original.read_bytes()
        with Image.open(copy) as image:
            assert image.size == SIZES.get(name, (120, 80)), name
            assert image.format == CHANGED_FORMATS.get(name, "PNG"), name
            pixels = np.asarray(image.convert("RGB"))
        assert np.array_equal(pixels, before) == (name in SAME_PIXELS), name


def test_a_mirrored_copy_mirrors(original: Path, tmp_path: Path) -> None:
    """Left is right, and twice is as before."""
    benchmark.write_copy(original, tmp_path / "once", benchmark.TRANSFORMATIONS["mirror"])
    pixels = np.asarray(Image.open(tmp_path / "once.png"))
    assert np.array_equal(pixels[:, ::-1], np.asarray(Image.open(original)))


def test_transparent_parts_become_white(tmp_path: Path) -> None:
    """Not black, as dropping the alpha channel would make them."""
    Image.new("RGBA", (30, 30), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    benchmark.write_copy(tmp_path / "clear.png", tmp_path / "copy", benchmark.TRANSFORMATIONS["to BMP"])
    assert (np.asarray(Image.open(tmp_path / "copy.bmp")) == 255).all()


def test_the_score_counts_pairs() -> None:
    """Of three originals one copy is found, with two other pairs, one of which is named without copies too."""
    found = benchmark.Found({("a/0000-copy.png", "a/0000-original.png"), ("a/0001-copy.png", "b/0002-original.png"),
                             ("a/0000-copy.png", "b/0002-original.png")}, 1.5)
    scored = benchmark.score(found, 3, {("a/0001-original.png", "b/0002-original.png")})
    assert scored == {"recall": pytest.approx(1 / 3), "precision": pytest.approx(1 / 3), "precision_beyond": 0.5, "others": 2, "seconds": 1.5}
    assert benchmark.score(benchmark.Found(set(), 0.0), 3, set())["precision"] is None


@pytest.mark.parametrize(("width", "radius"), [(8, 10), (32, 31)])
def test_planted_pairs_are_near(width: int, radius: int) -> None:
    """Each within the radius, so that a complete search has a recall of 1, and one that finds every second pair one of a half."""
    generator = np.random.default_rng(1)
    hashes, wanted = benchmark.planted(benchmark.random_hashes(600, width, generator), radius, generator)
    pairs, apart = benchmark.pairs_within(hashes, radius)
    assert len(wanted) == 6 + 12 * 11 // 2
    assert benchmark.share_found(wanted, pairs, 600) == 1
    assert set(range(6)) <= set(apart.tolist())
    assert benchmark.share_found(wanted, np.sort(wanted, axis=0)[:0], 600) == 0
    assert benchmark.share_found(wanted, wanted[::2], 600) == 0.5
