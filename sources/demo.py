"""The demo set: a folder of generated drawings with the faults of a real one, so that the program can be tried anywhere.

In: a folder, a seed, a scale. Out: the folder, a sub-folder per label, about 2,200 pictures at scale 1; and a `DemoSet` that says, in
memory only, what every file is. Modelled on the 2022 Data Creator Camp's set (20 labels, 20:1 between the largest and the smallest, square
300 and 700 px pictures and A4 scans, jpg and png, photos among the drawings). The photos are crops of pictures that come inside the
packages scikit-image and scikit-learn. Everything is planned from one seed before anything is drawn, so the plan alone is cheap.
"""

import io
import itertools
import math
import os
import string
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image

from features.errors import ScratchworkError
from sources.canvas import chance, draw_page
from sources.drawings import DRAWINGS

DEMO_VERSION = 1  # raise it when a file of the set changes
MARKER = ".scratchwork-demo"

LARGEST, SMALLEST = 400, 20  # drawings of the first and of the last label at scale 1
LADDER_BEND = 1.6  # 1 is a geometric ladder between the two; above, the middle is lower
LEAST = 6  # drawings of any label at any scale
PHOTO_LABELS = ("face", "cup", "flower", "mushroom", "boat")
SHARES = {"photo": 0.05, "exact_dup": 0.03, "near_dup": 0.03, "mislabel": 0.03}  # of the clean drawings
CORRUPT_FILES = 12  # at scale 1
CORRUPTIONS = {"empty": ".jpg", "truncated jpg": ".jpg", "truncated png": ".png", "html": ".jpg", "random bytes": ".png"}
MOVED_SHARE = 0.2  # of the exact duplicates lie under another label

SUFFIXES = {".jpg": 0.58, ".png": 0.39, ".webp": 0.03}
SCAN_SHARE, LARGE_SHARE = 0.02, 0.33  # A4 scans, 700 px pages; the rest has 300 px
SCAN_PX = (2480, 3508)
PALETTE_SHARE, GRAY_SHARE = 0.12, 0.06  # of the png files with 32 colours; of all drawings in gray mode

PHOTOS = {  # package: files in it
    "skimage": ("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png", "grass.png", "gravel.png",
                "motorcycle_left.png", "rocket.jpg"),
    "sklearn": ("china.jpg", "flower.jpg"),
}
PHOTO_FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}
MOST_OVERLAP = 0.35  # intersection over union of two crops of one photo

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
    """One file to be made: its `Truth`, the label of what is drawn (empty if nothing is), and its own seed."""

    truth: Truth
    drawn: str
    seed: int


@dataclass(frozen=True)
class DemoSet:
    """``labels``: files in each label's folder; ``faults``: files of each injected kind; ``truth`` in the order of the paths."""

    folder: Path
    labels: dict[str, int]
    faults: dict[str, int]
    truth: list[Truth]


def make_demo_set(folder: Path, seed: int = 0, scale: float = 1.0) -> DemoSet:
    """Write the set to ``folder``, or leave it alone if this very set is there already.

    Raises `ScratchworkError` where ``folder`` holds anything else, or where no photo is to be found.
    """
    photos = installed_photos()
    plan = plan_demo_set(sorted(photos), seed, scale)
    folder = folder.resolve()
    wanted = f"scratchwork demo set, version {DEMO_VERSION}, seed {seed}, scale {scale:g}\n"
    if not _is_there(folder, wanted):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-unfinished-", dir=folder.parent) as unfinished:
            whole = Path(unfinished) / folder.name
            whole.mkdir()
            _write_files(whole, plan, photos)
            (whole / MARKER).write_text(wanted)
            if folder.exists():
                folder.rmdir()  # empty: a full one was refused above
            os.replace(whole, folder)
    return _described(folder, plan)


def plan_demo_set(photos: list[str], seed: int = 0, scale: float = 1.0) -> list[Planned]:
    """Every file of the set, in the order in which they can be made: a duplicate comes after what it repeats."""
    if not (math.isfinite(scale) and scale > 0 and seed >= 0):
        raise ScratchworkError(f"a demo set of seed {seed} and scale {scale} cannot be made; the seed must be 0 or more, the scale above 0")
    rng = np.random.default_rng(seed)
    names = _random_names(rng)
    labels = list(DRAWINGS)

    def planned(label: str, suffix: str, kind: str, source: str = "", drawn: str = "") -> Planned:
        return Planned(Truth(f"{label}/{next(names)}{suffix}", kind, source), drawn, int(rng.integers(2**62)))

    clean = [planned(label, _weighted_suffix(rng), "clean", drawn=label) for label, n in label_sizes(scale).items() for _ in range(n)]
    count = {kind: max(len(PHOTO_LABELS), round(share * len(clean))) for kind, share in SHARES.items()}
    deck = [photos[i % len(photos)] for i in range(count["photo"])]
    cut = [planned(PHOTO_LABELS[i % len(PHOTO_LABELS)], ".jpg" if chance(rng, 0.8) else ".png", "photo", deck[j])
           for i, j in enumerate(rng.permutation(len(deck)))]
    wrong = [planned(_other(labels, right, rng), _weighted_suffix(rng), "mislabel", right, right)
             for right in rng.choice(labels, count["mislabel"], p=_shares(clean, labels)).tolist()]
    repeated = [clean[i].truth.path for i in rng.choice(len(clean), count["exact_dup"] + count["near_dup"], replace=False)]
    exact, near = repeated[:count["exact_dup"]], repeated[count["exact_dup"]:]
    moved = set(rng.permutation(len(exact))[:max(1, round(MOVED_SHARE * len(exact)))].tolist())
    copies = [planned(_other(labels, _label(path), rng) if i in moved else _label(path), Path(path).suffix, "exact_dup", path)
              for i, path in enumerate(exact)]
    recoded = [planned(_label(path), ".jpg", "near_dup", path) for path in near]
    hows = itertools.islice(itertools.cycle(CORRUPTIONS), max(len(CORRUPTIONS), round(CORRUPT_FILES * scale)))
    corrupt = [planned(str(rng.choice(labels)), CORRUPTIONS[how], "corrupt", how, str(rng.choice(labels))) for how in hows]
    return [*clean, *cut, *wrong, *copies, *recoded, *corrupt]


def label_sizes(scale: float = 1.0) -> dict[str, int]:
    """Clean drawings of each label, from `LARGEST` down to `SMALLEST` at scale 1."""
    steps = np.linspace(1, 0, len(DRAWINGS)) ** LADDER_BEND
    return {label: max(LEAST, round(SMALLEST * (LARGEST / SMALLEST) ** step * scale)) for label, step in zip(DRAWINGS, steps.tolist())}


def installed_photos() -> dict[str, Path]:
    """The photographs of `PHOTOS` that are there, by file name; the packages themselves are not imported.

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
        raise ScratchworkError(f"no photograph for the demo set: looked for {looked}; install scikit-image and scikit-learn as wheels")
    return found


def crop_boxes(width_px: int, height_px: int, count: int, rng: Generator) -> list[Box]:
    """Different parts of one photo: no two overlap by more than `MOST_OVERLAP`, unless there are too many for that."""
    boxes: list[Box] = []
    for _ in range(count):
        for attempt in range(100):
            side = min(width_px, height_px) * rng.uniform(0.35, 0.85) * 0.99**attempt
            w, h = (max(32, int(side * stretch)) for stretch in rng.uniform(0.75, 1.15, 2))
            left, top = int(rng.integers(max(1, width_px - w))), int(rng.integers(max(1, height_px - h)))
            box = left, top, min(left + w, width_px), min(top + h, height_px)
            if all(_overlap(box, other) <= MOST_OVERLAP for other in boxes):
                break
        boxes.append(box)
    return boxes


def _is_there(folder: Path, wanted: str) -> bool:
    """Whether this set is in ``folder``; False where nothing is.

    Raises `ScratchworkError` where something else is.
    """
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise ScratchworkError(f"{folder} is a file, not a folder; give another folder for the demo set")
    marker = folder / MARKER
    if marker.is_file():
        found = marker.read_text(errors="replace")
        if found == wanted:
            return True
        raise ScratchworkError(f"{folder} holds another demo set ({found.strip()[:80]}), and {wanted.strip()} was asked for; "
                               "delete that folder or give another one")
    if any(folder.iterdir()):
        raise ScratchworkError(f"{folder} holds files that are not a finished demo set; empty it or give another folder")
    return False


def _described(folder: Path, plan: list[Planned]) -> DemoSet:
    truth = sorted(planned.truth for planned in plan)
    labels = Counter(_label(row.path) for row in truth)
    faults = Counter(row.kind for row in truth if row.kind != "clean")
    return DemoSet(folder, {label: labels[label] for label in DRAWINGS}, dict(sorted(faults.items())), truth)


def _write_files(root: Path, plan: list[Planned], photos: dict[str, Path]) -> None:
    for label in DRAWINGS:
        (root / label).mkdir()
    cuts = [planned for planned in plan if planned.truth.kind == "photo"]
    for name, file in sorted(photos.items()):
        of_photo = [planned for planned in cuts if planned.truth.source == name]
        for planned, data in zip(of_photo, _cut_photos(file, of_photo)):
            (root / planned.truth.path).write_bytes(data)
    for planned in plan:
        if planned.truth.kind != "photo":
            (root / planned.truth.path).write_bytes(_file_bytes(root, planned))


def _file_bytes(root: Path, planned: Planned) -> bytes:
    """The file as its ``kind`` says; ``root`` holds what duplicates repeat."""
    (path, kind, source), rng = planned.truth, np.random.default_rng(planned.seed)
    if kind == "exact_dup":
        return (root / source).read_bytes()
    if kind == "near_dup":
        return _recoded((root / source).read_bytes(), rng)
    if kind == "corrupt":
        return _corrupt(planned, rng)
    return _drawn_bytes(planned, rng)


def _drawn_bytes(planned: Planned, rng: Generator) -> bytes:
    """A page of one of the sizes with the drawing on it, encoded as the suffix says."""
    draw = rng.random()
    suffix = Path(planned.truth.path).suffix
    scan = suffix == ".jpg" and draw < SCAN_SHARE / SUFFIXES[".jpg"]  # scanners write jpg
    width, height = SCAN_PX if scan else (700, 700) if draw > 1 - LARGE_SHARE else (300, 300)
    if scan and chance(rng, 0.4):
        width, height = height, width
    rgb = draw_page(DRAWINGS[planned.drawn], width, height, rng)
    if scan:
        rgb = _scanned(rgb, rng)
    image = Image.fromarray(rgb)
    if chance(rng, GRAY_SHARE):
        image = image.convert("L")
    elif suffix == ".png" and chance(rng, PALETTE_SHARE):
        image = image.quantize(32)
    return _encoded(image, suffix, int(rng.integers(85, 96)))


def _scanned(rgb: np.ndarray, rng: Generator) -> np.ndarray:
    """The page as a flat-bed scanner gives it: paper that is not quite white, with soft grain."""
    height, width = rgb.shape[:2]
    grain = cv2.resize(rng.integers(0, rng.integers(4, 9), (256, 256), np.uint8), (768, 768), interpolation=cv2.INTER_LINEAR)
    tiled = np.tile(grain, (-(-height // 768), -(-width // 768)))[:height, :width]
    return cv2.subtract(rgb, cv2.cvtColor(tiled, cv2.COLOR_GRAY2RGB))


def _encoded(image: Image.Image, suffix: str, quality: int) -> bytes:
    buffer = io.BytesIO()
    if suffix == ".png":
        image.save(buffer, "PNG", compress_level=3)
    elif suffix == ".webp":
        image.save(buffer, "WEBP", quality=quality, method=0)
    else:
        image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _cut_photos(file: Path, cuts: list[Planned]) -> Iterator[bytes]:
    """One crop of the photo for each of ``cuts``, on 300 or 700 px, some mirrored, some gray."""
    if not cuts:
        return
    with Image.open(file) as opened:
        photo = opened.convert("RGB")
    boxes = crop_boxes(*photo.size, len(cuts), np.random.default_rng(cuts[0].seed))
    for planned, box in zip(cuts, boxes):
        rng = np.random.default_rng(planned.seed + 1)
        crop = photo.crop(box)
        factor = (700 if max(crop.size) > 350 and chance(rng, 0.5) else 300) / max(crop.size)
        crop = crop.resize((round(crop.width * factor), round(crop.height * factor)), Image.Resampling.BICUBIC)
        if chance(rng, 0.4):
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if chance(rng, 0.15):
            crop = crop.convert("L")
        yield _encoded(crop, Path(planned.truth.path).suffix, int(rng.integers(85, 96)))


def _recoded(data: bytes, rng: Generator) -> bytes:
    """Another size, usually, and a worse jpg."""
    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("L" if opened.mode == "L" else "RGB")
    if chance(rng, 0.75):
        factor = rng.uniform(0.5, 1.3 if max(image.size) <= 700 else 0.8)
        image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BILINEAR, reducing_gap=2)
    return _encoded(image, ".jpg", int(rng.integers(60, 76)))


def _corrupt(planned: Planned, rng: Generator) -> bytes:
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


def _random_names(rng: Generator) -> Iterator[str]:
    """Different names of 12 to 20 small letters that tell nothing."""
    letters, used = np.array(list(string.ascii_lowercase)), set()
    while True:
        name = "".join(rng.choice(letters, int(rng.integers(12, 21))))
        if name not in used:
            used.add(name)
            yield name


def _weighted_suffix(rng: Generator) -> str:
    return str(rng.choice(list(SUFFIXES), p=list(SUFFIXES.values())))


def _other(labels: list[str], label: str, rng: Generator) -> str:
    return str(rng.choice([other for other in labels if other != label]))


def _shares(clean: list[Planned], labels: list[str]) -> list[float]:
    counts = Counter(planned.drawn for planned in clean)
    return [counts[label] / len(clean) for label in labels]


def _label(path: str) -> str:
    return path.partition("/")[0]


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    w, h = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    both = max(w, 0) * max(h, 0)
    areas = [(right - left) * (bottom - top) for left, top, right, bottom in (one, other)]
    return both / (sum(areas) - both)
