"""The demo set: a folder of generated drawings with the faults of a real one, so that the program can be tried anywhere.

In: a folder, a seed, a scale. Out: the folder, a sub-folder per label, about 2,350 files at scale 1; and a `DemoSet` that says, in memory
only, what each file is. Modelled on the 2022 Data Creator Camp's set (20 labels, 20:1 between the largest and the smallest, square 300
and 700 px pictures and A4 scans, jpg and png, photos among the drawings). The photos are crops of pictures that lie inside the packages
scikit-image and scikit-learn. All is planned from one seed before anything is drawn, so that the plan alone is cheap.
"""

import io
import math
import os
import string
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image

from features.errors import ScratchworkError
from features.scan import DEMO_MARKER, label_of
from sources.canvas import chance, draw_page
from sources.drawings import DRAWINGS

DEMO_VERSION = 1  # raise it when any file of the set changes


LARGEST, SMALLEST = 400, 20  # clean drawings of the first and of the last label at scale 1
LADDER_BEND = 1.6  # 1 is a geometric ladder between the two; above, the middle is lower
LEAST = 6  # clean drawings of any label at any scale
PHOTO_LABELS = ("face", "cup", "flower", "mushroom", "boat")
PHOTO_SHARE, EXACT_SHARE, NEAR_SHARE, WRONG_SHARE = 0.05, 0.03, 0.03, 0.03  # of the number of clean drawings, on top of them
MOVED_EVERY = 5  # one in so many exact duplicates lies under another label
CORRUPT_FILES = 12  # at scale 1
CORRUPTIONS = {"empty": ".jpg", "truncated jpg": ".jpg", "truncated png": ".png", "html": ".jpg", "random bytes": ".png"}

SUFFIXES = {".jpg": 0.58, ".png": 0.39, ".webp": 0.03}
SCAN_PX, LARGE_PX, SMALL_PX = (2480, 3508), (700, 700), (300, 300)
SCAN_SHARE, LARGE_SHARE = 0.035, 0.33  # of the jpg files (scanners write jpg), of all
GRAY_SHARE, PALETTE_SHARE = 0.06, 0.12  # of all, of the png files
PALETTE_COLORS = 32
QUALITIES, WORSE_QUALITIES = (85, 96), (60, 76)  # of jpg and webp, the end not included

PHOTO_FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}  # package: folder in it
PHOTOS = {
    "skimage": ("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png", "grass.png", "gravel.png",
                "motorcycle_left.png", "rocket.jpg"),
    "sklearn": ("china.jpg", "flower.jpg"),
}
MOST_OVERLAP = 0.35  # intersection over union of two crops of one photo
LEAST_DEVIATION = 20  # gray levels within a crop: less is empty sky, which nobody could tell from a drawing
CROP_ATTEMPTS = 100

Box = tuple[int, int, int, int]  # left, top, right, bottom in px


class Truth(NamedTuple):
    """What one file is: a fact for tests and scores, which no stage of the program ever reads.

    ``kind``: clean, photo, exact_dup, near_dup, mislabel or corrupt. ``source``: the path that a duplicate repeats, the label that a
    mislabelled picture should have, the file that a photo was cut from, how a corrupt file is corrupt; empty where clean.
    """

    path: str  # POSIX, relative to the set's folder
    kind: str
    source: str


class Planned(NamedTuple):
    """One file to be made: its `Truth`, the label of what is drawn (empty if nothing is), and a seed of its own."""

    truth: Truth
    drawn: str
    seed: int


@dataclass(frozen=True)
class DemoSet:
    """``labels``: files in each label's folder; ``faults``: files of each kind but clean; ``truth`` in the order of the paths."""

    folder: Path
    labels: dict[str, int]
    faults: dict[str, int]
    truth: list[Truth]


def make_demo_set(folder: Path, seed: int = 0, scale: float = 1.0) -> DemoSet:
    """Write the set to ``folder``, or leave it alone if this very set is there already.

    The same seed and scale give the same bytes (with the same versions of the libraries that encode them).
    Raises `ScratchworkError` where ``folder`` holds anything else, or where there is no photo to cut from.
    """
    photos = installed_photos()
    plan = plan_demo_set(sorted(photos), seed, scale)
    folder = folder.resolve()
    marker = f"scratchwork demo set, version {DEMO_VERSION}, seed {seed}, scale {float(scale)}, {len(photos)} photos\n"
    if not _is_there(folder, marker):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-unfinished-", dir=folder.parent) as unfinished:
            whole = Path(unfinished, folder.name)
            _write_files(whole, plan, photos)
            (whole / DEMO_MARKER).write_text(marker, encoding="utf-8")
            if folder.exists():
                folder.rmdir()  # it is empty: `_is_there` refuses a full one
            os.replace(whole, folder)
    return _described(folder, plan)


def plan_demo_set(photos: list[str], seed: int = 0, scale: float = 1.0) -> list[Planned]:
    """Every file of the set, a duplicate after what it repeats. ``photos``: names of the files to cut from."""
    if not (math.isfinite(scale) and scale > 0 and seed >= 0):
        raise ScratchworkError(f"there is no demo set of seed {seed} and scale {scale}; the seed must be 0 or more, the scale above 0")
    rng = np.random.default_rng(seed)
    names = _random_names(rng)

    def planned(label: str, suffix: str, kind: str, source: str = "", drawn: str = "") -> Planned:
        return Planned(Truth(f"{label}/{next(names)}{suffix}", kind, source), drawn, int(rng.integers(2**62)))

    clean = [planned(label, _drawn_suffix(rng), "clean", drawn=label) for label, n in label_sizes(scale).items() for _ in range(n)]
    return [*clean, *_plan_photos(planned, photos, _part(clean, PHOTO_SHARE), rng), *_plan_wrong_labels(planned, clean, rng),
            *_plan_copies(planned, clean, rng), *_plan_corrupt(planned, max(len(CORRUPTIONS), round(CORRUPT_FILES * scale)), rng)]


def label_sizes(scale: float = 1.0) -> dict[str, int]:
    """Clean drawings of each label, from `LARGEST` down to `SMALLEST` at scale 1."""
    steps = np.linspace(1, 0, len(DRAWINGS)) ** LADDER_BEND
    return {label: max(LEAST, round(SMALLEST * (LARGEST / SMALLEST) ** step * scale)) for label, step in zip(DRAWINGS, steps.tolist())}


def installed_photos() -> dict[str, Path]:
    """Those photographs of `PHOTOS` that are there, by file name; the packages themselves are not imported.

    Raises `ScratchworkError` where there is none.
    """
    found = {}
    for package, names in PHOTOS.items():
        spec = find_spec(package)
        for root in (spec.submodule_search_locations or []) if spec else []:
            files = [Path(root, PHOTO_FOLDERS[package], name) for name in names]
            found.update({file.name: file for file in files if file.is_file()})
    if not found:
        looked = "; ".join(f"{', '.join(names)} in {package}/{PHOTO_FOLDERS[package]}" for package, names in PHOTOS.items())
        raise ScratchworkError(f"no photograph for the demo set: looked for {looked}; install scikit-image and scikit-learn from wheels")
    return found


def crop_boxes(gray: np.ndarray, count: int, rng: Generator) -> list[Box]:
    """``count`` different parts of a photo (H, W) that each show something.

    No two overlap by more than `MOST_OVERLAP`, unless so many are asked for that `CROP_ATTEMPTS` find no room.
    """
    boxes: list[Box] = []
    for _ in range(count):
        for attempt in range(CROP_ATTEMPTS):
            box = left, top, right, bottom = _random_box(gray.shape[1], gray.shape[0], 0.99**attempt, rng)
            if gray[top:bottom, left:right].std() >= LEAST_DEVIATION and all(_overlap(box, other) <= MOST_OVERLAP for other in boxes):
                break
        boxes.append(box)
    return boxes


# The plan.


def _plan_photos(planned: Callable[..., Planned], photos: list[str], count: int, rng: Generator) -> list[Planned]:
    """Crops dealt evenly over the photos and the labels, in no order."""
    deck = [photos[i % len(photos)] for i in rng.permutation(count)]
    return [planned(label, ".jpg" if chance(rng, 0.8) else ".png", "photo", photo) for label, photo in zip(cycle(PHOTO_LABELS), deck)]


def _plan_wrong_labels(planned: Callable[..., Planned], clean: list[Planned], rng: Generator) -> list[Planned]:
    rights = [clean[i].drawn for i in rng.choice(len(clean), _part(clean, WRONG_SHARE))]
    return [planned(_other_label(right, rng), _drawn_suffix(rng), "mislabel", right, right) for right in rights]


def _plan_copies(planned: Callable[..., Planned], clean: list[Planned], rng: Generator) -> list[Planned]:
    """Exact and near duplicates of different clean drawings."""
    exact, near = _part(clean, EXACT_SHARE), _part(clean, NEAR_SHARE)
    paths = [clean[i].truth.path for i in rng.choice(len(clean), exact + near, replace=False)]
    labels = [_other_label(label_of(path), rng) if i % MOVED_EVERY == 0 else label_of(path) for i, path in enumerate(paths[:exact])]
    return [*(planned(label, Path(path).suffix, "exact_dup", path) for label, path in zip(labels, paths)),
            *(planned(label_of(path), ".jpg", "near_dup", path) for path in paths[exact:])]


def _plan_corrupt(planned: Callable[..., Planned], count: int, rng: Generator) -> list[Planned]:
    labels = rng.choice(list(DRAWINGS), count).tolist()
    ways = islice(cycle(CORRUPTIONS.items()), count)
    return [planned(label, suffix, "corrupt", how, label) for label, (how, suffix) in zip(labels, ways)]


def _part(clean: list[Planned], share: float) -> int:
    """A share of the clean drawings, enough for one in each photo label."""
    return max(len(PHOTO_LABELS), round(share * len(clean)))


def _random_names(rng: Generator) -> Iterator[str]:
    """Different names of 12 to 20 small letters that tell nothing."""
    letters = np.array(list(string.ascii_lowercase))
    used = set()
    while True:
        name = "".join(rng.choice(letters, int(rng.integers(12, 21))))
        if name not in used:
            used.add(name)
            yield name


def _drawn_suffix(rng: Generator) -> str:
    return str(rng.choice(list(SUFFIXES), p=list(SUFFIXES.values())))


def _other_label(label: str, rng: Generator) -> str:
    return str(rng.choice([other for other in DRAWINGS if other != label]))


# The folder.


def _is_there(folder: Path, marker: str) -> bool:
    """Whether the set with this ``marker`` is in ``folder``; False where nothing is.

    Raises `ScratchworkError` where something else is.
    """
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise ScratchworkError(f"{folder} is a file; give a folder for the demo set that does not exist yet")
    if (folder / DEMO_MARKER).is_file():
        found = (folder / DEMO_MARKER).read_text(encoding="utf-8", errors="replace")
        if found == marker:
            return True
        raise ScratchworkError(f"{folder} holds another demo set ({found.strip()[:100]}) than was asked for ({marker.strip()}); "
                               "delete that folder or give another one")
    if any(folder.iterdir()):
        raise ScratchworkError(f"{folder} holds files that are not a finished demo set; empty that folder or give another one")
    return False


def _described(folder: Path, plan: list[Planned]) -> DemoSet:
    truth = sorted(planned.truth for planned in plan)
    labels, kinds = Counter(label_of(row.path) for row in truth), Counter(row.kind for row in truth)
    faults = {kind: n for kind, n in sorted(kinds.items()) if kind != "clean"}
    return DemoSet(folder, {label: labels[label] for label in DRAWINGS}, faults, truth)


def _write_files(root: Path, plan: list[Planned], photos: dict[str, Path]) -> None:
    for label in DRAWINGS:
        (root / label).mkdir(parents=True)
    for name, file in photos.items():
        cuts = [planned for planned in plan if planned.truth.kind == "photo" and planned.truth.source == name]
        for planned, data in zip(cuts, _photo_cuts(file, cuts)):
            (root / planned.truth.path).write_bytes(data)
    for planned in plan:
        if planned.truth.kind != "photo":
            (root / planned.truth.path).write_bytes(_file_bytes(root, planned))


def _file_bytes(root: Path, planned: Planned) -> bytes:
    """What the plan says, but for photos; ``root`` holds what duplicates repeat."""
    rng = np.random.default_rng(planned.seed)
    if planned.truth.kind == "exact_dup":
        return (root / planned.truth.source).read_bytes()
    if planned.truth.kind == "near_dup":
        return _recoded((root / planned.truth.source).read_bytes(), rng)
    if planned.truth.kind == "corrupt":
        return _corrupt_bytes(planned, rng)
    return _drawn_bytes(planned, rng)


# The files.


def _drawn_bytes(planned: Planned, rng: Generator) -> bytes:
    """A page of one of the sizes with the drawing on it, encoded as the suffix says."""
    suffix = Path(planned.truth.path).suffix
    scan = suffix == ".jpg" and chance(rng, SCAN_SHARE)
    width, height = SCAN_PX if scan else LARGE_PX if chance(rng, LARGE_SHARE) else SMALL_PX
    if scan and chance(rng, 0.4):
        width, height = height, width
    rgb = draw_page(DRAWINGS[planned.drawn], width, height, rng)
    image = Image.fromarray(_scanned(rgb, rng) if scan else rgb)
    if chance(rng, GRAY_SHARE):
        image = image.convert("L")
    elif suffix == ".png" and chance(rng, PALETTE_SHARE):
        image = image.quantize(PALETTE_COLORS)
    return _encoded(image, suffix, int(rng.integers(*QUALITIES)))


def _scanned(rgb: np.ndarray, rng: Generator) -> np.ndarray:
    """The page as a flat-bed scanner gives it: on paper with a soft grain."""
    height, width = rgb.shape[:2]
    grain = rng.integers(0, rng.integers(4, 9), (256, 256), np.uint8)
    soft = cv2.resize(grain, (1024, 1024), interpolation=cv2.INTER_LINEAR)
    sheet = cv2.copyMakeBorder(soft, 0, height - 1024, 0, width - 1024, cv2.BORDER_WRAP)
    return cv2.subtract(rgb, cv2.cvtColor(sheet, cv2.COLOR_GRAY2RGB))


def _photo_cuts(file: Path, cuts: list[Planned]) -> Iterator[bytes]:
    """Another crop of the photo for each of ``cuts``, 300 or 700 px on its longer side, some mirrored, some gray."""
    if not cuts:
        return
    with Image.open(file) as opened:
        photo = opened.convert("RGB")
    boxes = crop_boxes(np.asarray(photo.convert("L")), len(cuts), np.random.default_rng(cuts[0].seed))
    for planned, box in zip(cuts, boxes):
        rng = np.random.default_rng(planned.seed + 1)
        crop = photo.crop(box)
        factor = (700 if max(crop.size) > 350 and chance(rng, 0.5) else 300) / max(crop.size)
        crop = crop.resize((round(crop.width * factor), round(crop.height * factor)), Image.Resampling.BICUBIC)
        if chance(rng, 0.4):
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if chance(rng, 0.15):
            crop = crop.convert("L")
        yield _encoded(crop, Path(planned.truth.path).suffix, int(rng.integers(*QUALITIES)))


def _recoded(data: bytes, rng: Generator) -> bytes:
    """Usually another size, always a worse jpg."""
    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("L" if opened.mode == "L" else "RGB")
    if chance(rng, 0.75):
        factor = rng.uniform(0.5, 1.3 if max(image.size) <= max(LARGE_PX) else 0.8)
        image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BILINEAR)
    return _encoded(image, ".jpg", int(rng.integers(*WORSE_QUALITIES)))


def _corrupt_bytes(planned: Planned, rng: Generator) -> bytes:
    """Bytes that give no picture, in one of the ways of `CORRUPTIONS`."""
    how = planned.truth.source
    if how == "empty":
        return b""
    if how == "html":
        return b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"
    if how == "random bytes":
        return rng.bytes(int(rng.integers(2_000, 20_000)))
    whole = _drawn_bytes(planned, rng)
    return whole[:int(len(whole) * rng.uniform(0.25, 0.6))]


def _encoded(image: Image.Image, suffix: str, quality: int) -> bytes:
    buffer = io.BytesIO()
    if suffix == ".png":
        image.save(buffer, "PNG", compress_level=3)
    elif suffix == ".webp":
        image.save(buffer, "WEBP", quality=quality, method=0)
    else:
        image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _random_box(width_px: int, height_px: int, shrink: float, rng: Generator) -> Box:
    side_px = min(width_px, height_px) * rng.uniform(0.35, 0.85) * shrink
    w, h = (max(32, int(side_px * stretch)) for stretch in rng.uniform(0.75, 1.15, 2).tolist())
    left, top = int(rng.integers(width_px - w + 1)), int(rng.integers(height_px - h + 1))
    return left, top, left + w, top + h


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    w, h = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    both = max(w, 0) * max(h, 0)
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in (one, other)]
    return both / (sum(areas) - both)
