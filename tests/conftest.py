"""Small pictures for every test: drawings made from a seed, encoded in memory, or written into ``tmp_path`` by their defect.

``--hypothesis-profile=search`` looks for counterexamples at random and for longer than the steady default.
"""

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image, ImageDraw

CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync"]  # it shall not look for its makers' hosts

settings.register_profile("steady", derandomize=True, database=None, deadline=None, max_examples=60)
settings.register_profile("search", database=None, deadline=None, max_examples=2000)
settings.load_profile("steady")


def _drawing(seed: int = 0, width: int = 96, height: int = 80, margin: int = 12) -> Image.Image:
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    w, h = width - 2 * margin, height - 2 * margin
    pen.rectangle([margin, margin, width - margin - 1, height - margin - 1], outline=(20, 20, 20), width=2)
    for shape in rng.permutation(["ellipse", "rectangle", "line", "ellipse"]):
        x, y = np.sort(rng.uniform(0, 1, 2)) * w + margin, np.sort(rng.uniform(0, 1, 2)) * h + margin
        color = tuple(int(c) for c in rng.integers(0, 200, 3))
        if shape == "line":
            pen.line([x[0], y[1], x[1], y[0]], fill=color, width=3)
        else:
            getattr(pen, shape)([x[0], y[0], x[1], y[1]], fill=color)
    return image


def _encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _noise(seed: int = 0, height: int = 96, width: int = 96) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope="session")
def drawing() -> Callable[..., Image.Image]:
    """``drawing(seed, width, height, margin)``: an RGB drawing in a frame on white; another seed, another drawing."""
    return _drawing


@pytest.fixture(scope="session")
def encoded() -> Callable[..., bytes]:
    """``encoded(image, format, **options)``: the bytes of a file."""
    return _encoded


@pytest.fixture(scope="session")
def noise_pixels() -> Callable[..., np.ndarray]:
    """``noise_pixels(seed, height, width)``: (H, W, 3) uint8 of independent pixels."""
    return _noise


@pytest.fixture
def write_files(tmp_path: Path) -> Callable[[dict[str, bytes]], Path]:
    """``write_files({"cat/1.png": b"…"})``: writes under a new data folder, which it returns."""
    def write(files: dict[str, bytes]) -> Path:
        root = tmp_path / "data"
        for name, data in files.items():
            file = root / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        return root
    return write


@pytest.fixture
def small_set(write_files: Callable[[dict[str, bytes]], Path]) -> Path:
    """A data folder of 9 files: five good pictures, a copy of one, and three that give no pixels, named by what is wrong."""
    good = {f"{label}/{label}{seed}.{suffix}": _encoded(_drawing(seed), format) for label, seed, suffix, format in [
        ("cat", 0, "png", "PNG"), ("cat", 1, "jpg", "JPEG"), ("dog", 2, "webp", "WEBP"), ("dog", 3, "gif", "GIF"), ("dog", 4, "bmp", "BMP")]}
    return write_files({**good, "dog/copy_of_cat0.png": good["cat/cat0.png"], "cat/empty.png": b"", "dog/html.jpg": b"<!DOCTYPE html><p>404",
                        "dog/truncated.png": good["cat/cat0.png"][:-60]})


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless browser, for tests marked ``browser``; skipped where none is installed (Debian, Ubuntu: apt install chromium)."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        pytest.skip("no Chromium is installed; apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def serious_violations() -> Callable[[Any], list[str]]:
    """``serious_violations(page)``: what axe-core finds on a page that keeps people out, one line each."""
    from axe_core_python.sync_playwright import Axe

    def found(page: Any) -> list[str]:
        bad = [v for v in Axe().run(page)["violations"] if v["impact"] in ("serious", "critical")]
        return [f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:200]}" for v in bad]
    return found
