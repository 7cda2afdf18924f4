#!/usr/bin/env python3
"""Build *campset*: a real 20-label illustration set with known faults, for measuring extraction, cleaning and models.

The pictures are Open Clip Art (public domain), from the Debian package ``openclipart-png``:

    apt-get download openclipart-png && dpkg-deb -x openclipart-png_*.deb DIR

The photographs are any folder of photo files. Faults are injected into the training part only, and every one is written to
``truth.csv``, so that cleaning can be scored and the test part stays clean. Nothing in the product reads ``truth.csv``.

    python benchmarks/campset.py --clipart DIR/usr/share/openclipart/png --photos PHOTOS --out OUT [--seed 0] [--scale 1.0]

    OUT/training/<label>/<random name>.{jpg,png}   what a user would have been handed
    OUT/test/<label>/<random name>.{jpg,png}       clean, never contaminated
    OUT/truth.csv   path,label,true_label,kind,source     kind: clean|photo|exact_dup|near_dup|mislabel|corrupt
                    (a duplicate's and a broken file's ``source`` is the path, under OUT, of the picture that it was made
                    from; a photo's is its file name; a photo and a broken file have no true label)

Modelled on the 2022 Data Creator Camp set: 20 labels named L2_*, two labels several times larger than the rest, square
300 and 700 px pictures and A4 pages (3508 x 2480), JPEG and PNG mixed, photos in five labels. One seed always gives the
same files: byte for byte with one version of OpenCV, whose encoders decide the bytes.
"""

import argparse
import csv
import random
import string
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

CLASSES = {  # label: (what it is, folders of the package)
    "L2_3": ("animals", ["animals"]),
    "L2_10": ("buildings", ["buildings"]),
    "L2_12": ("food", ["food"]),
    "L2_15": ("maps", ["geography"]),
    "L2_20": ("office", ["office"]),
    "L2_21": ("education and electronics", ["education", "electronics"]),
    "L2_24": ("people", ["people"]),
    "L2_25": ("computer icons", ["computer"]),
    "L2_27": ("plants", ["plants"]),
    "L2_30": ("playing cards", ["recreation/games/cards"]),
    "L2_33": ("stars", ["shapes/stars"]),
    "L2_34": ("arrows", ["shapes/arrows"]),
    "L2_39": ("music", ["recreation/music"]),
    "L2_40": ("sports", ["recreation/sports"]),
    "L2_41": ("party and toys", ["recreation/party", "recreation/toys"]),
    "L2_44": ("flags", ["signs_and_symbols/flags"]),
    "L2_45": ("map symbols", ["signs_and_symbols/map_symbols"]),
    "L2_46": ("patterns and gradients", ["special/patterns", "special/gradients"]),
    "L2_50": ("tools", ["tools"]),
    "L2_52": ("transport", ["transportation/vehicles", "transportation/boating", "transportation/roadsigns", "transportation/aiga-symbols"]),
}
PHOTO_LABELS = ["L2_3", "L2_12", "L2_24", "L2_41", "L2_50"]
PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png"}
PAGES_PX = [(300, 300), (700, 700), (3508, 2480)]  # width, height: icon, picture, A4 at 300 dpi
PAGE_WEIGHTS = [60, 33, 7]
PAGE_FILL = 0.92  # of the page, at most, is drawing
MIN_SIDE_PX = 8  # smaller clip art is passed over
MIN_PER_LABEL, MIN_TEST_PER_LABEL = 12, 3
MISLABEL_SHARE, EXACT_DUP_SHARE, NEAR_DUP_SHARE = 0.03, 0.05, 0.05
EXACT_DUP_ELSEWHERE_SHARE = 0.2  # of the exact copies: under another label
CORRUPT_FILES = 20

Labelled = tuple[str, str]  # path under OUT, label


class CampsetError(Exception):
    """The set cannot be built; the message says what was found and what to do. Exit code 1."""


class Truth(NamedTuple):
    """One line of truth.csv."""

    path: str
    label: str
    true_label: str
    kind: str
    source: str = ""


class Campset:
    """The set as it grows: writes files under ``out`` and keeps the truth. The order of the draws from ``rng`` is the set."""

    def __init__(self, out: Path, seed: int) -> None:
        self.out = out
        self.rng = random.Random(seed)
        self.truth: list[Truth] = []
        self.train: list[Labelled] = []  # clean training pictures, from which the faults are made
        self._names: set[str] = set()

    def add_clipart(self, files: dict[str, list[Path]], scale: float, test_share: float) -> None:
        """Every label's drawings on pages: the first share of them to the test part, the rest to training, a few under a wrong label."""
        for label, found in files.items():
            print(f"{label} {CLASSES[label][0]}", file=sys.stderr)
            chosen = list(found)
            self.rng.shuffle(chosen)
            chosen = chosen[:max(MIN_PER_LABEL, int(len(chosen) * scale))]
            test_count = max(MIN_TEST_PER_LABEL, int(len(chosen) * test_share))
            for position, file in enumerate(chosen):
                bgr = read_on_white(file)
                if bgr is not None and min(bgr.shape[:2]) >= MIN_SIDE_PX:
                    self._add_drawing(on_page(bgr, self.rng), label, in_test=position < test_count)

    def _add_drawing(self, page: np.ndarray, label: str, in_test: bool) -> None:
        if in_test:
            self.truth.append(Truth(self._write(page, "test", label), label, label, "clean"))
        elif self.rng.random() < MISLABEL_SHARE:
            wrong = self.rng.choice([other for other in CLASSES if other != label])
            self.truth.append(Truth(self._write(page, "training", wrong), wrong, label, "mislabel"))
        else:
            path = self._write(page, "training", label)
            self.truth.append(Truth(path, label, label, "clean"))
            self.train.append((path, label))

    def add_photos(self, files: list[Path], limit: int | None) -> None:
        """Photographs as JPEGs in `PHOTO_LABELS`; ``limit``: at most so many of the shuffled files."""
        print("photos", file=sys.stderr)
        chosen = list(files)
        self.rng.shuffle(chosen)
        for file in chosen[:limit]:
            bgr = read_on_white(file)
            if bgr is None:
                continue
            label = self.rng.choice(PHOTO_LABELS)
            path = self._write(scaled(bgr, self.rng.choice([300, 700]) / max(bgr.shape[:2])), "training", label, ".jpg")
            self.truth.append(Truth(path, label, "", "photo", file.name))

    def add_exact_duplicates(self) -> None:
        """The same bytes again, one in five under another label."""
        for source, label in self.rng.sample(self.train, int(len(self.train) * EXACT_DUP_SHARE)):
            to = self.rng.choice(list(CLASSES)) if self.rng.random() < EXACT_DUP_ELSEWHERE_SHARE else label
            path = self._new_path("training", to, Path(source).suffix)
            (self.out / path).write_bytes((self.out / source).read_bytes())
            self.truth.append(Truth(path, to, label, "exact_dup", source))

    def add_near_duplicates(self) -> None:
        """Another size, format and quality."""
        for source, label in self.rng.sample(self.train, int(len(self.train) * NEAR_DUP_SHARE)):
            bgr = read_on_white(self.out / source)
            assert bgr is not None  # written by this run
            factor = self.rng.choice([0.5, 0.7, 1.3]) if max(bgr.shape[:2]) < 1000 else 0.25
            quality = self.rng.choice([60, 75])  # drawn before the name is
            path = self._write(scaled(bgr, factor), "training", label, ".jpg", quality)
            self.truth.append(Truth(path, label, label, "near_dup", source))

    def add_corrupt(self) -> None:
        """Files that do not decode: empty, cut off, a web page, a JPEG's head on zeros."""
        for i, (source, label) in enumerate(self.rng.sample(self.train, min(CORRUPT_FILES, len(self.train)))):
            raw = (self.out / source).read_bytes()
            bad = [b"", raw[:len(raw) // 3], b"<html>404</html>", b"\xff\xd8\xff\xe0" + bytes(200)][i % 4]
            path = self._new_path("training", label, ".jpg")
            (self.out / path).write_bytes(bad)
            self.truth.append(Truth(path, label, "", "corrupt", source))

    def write_truth(self) -> None:
        """OUT/truth.csv, in the order of the paths."""
        rows = sorted(self.truth, key=lambda row: row.path)
        with (self.out / "truth.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(Truth._fields)
            writer.writerows(rows)

    def counts(self) -> Counter[tuple[str, str]]:
        """Files by (part, kind)."""
        return Counter((row.path.split("/")[0], row.kind) for row in self.truth)

    def _write(self, bgr: np.ndarray, part: str, label: str, suffix: str = "", quality: int = 0) -> str:
        """Encode one picture under a new name; what is not given is drawn: the suffix before the name, the quality after it."""
        suffix = suffix or self.rng.choice([".jpg", ".jpg", ".png"])
        path = self._new_path(part, label, suffix)
        options = [cv2.IMWRITE_JPEG_QUALITY, quality or self.rng.choice([85, 90, 95])] if suffix == ".jpg" else []
        cv2.imencode(suffix, bgr, options)[1].tofile(self.out / path)
        return path

    def _new_path(self, part: str, label: str, suffix: str) -> str:
        """POSIX, under OUT, with the folder made."""
        (self.out / part / label).mkdir(parents=True, exist_ok=True)
        while True:
            name = "".join(self.rng.choices(string.ascii_lowercase, k=self.rng.randint(16, 20))) + suffix
            if name not in self._names:
                self._names.add(name)
                return f"{part}/{label}/{name}"


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; 0 done, 1 expected failure, 2 usage."""
    arguments = _arguments(argv)
    try:
        counts = build(arguments.clipart, arguments.photos, arguments.out, arguments.seed, arguments.scale, arguments.test, arguments.photos_limit)
    except CampsetError as error:
        print(f"campset: {error}", file=sys.stderr)
        return 1
    for (part, kind), count in sorted(counts.items()):
        print(f"{part:9}{kind:10}{count:6,}")
    return 0


def build(clipart: Path, photos: Path, out: Path, seed: int = 0, scale: float = 1.0, test_share: float = 0.2,
          photos_limit: int | None = None) -> Counter[tuple[str, str]]:
    """Build the set and move it to ``out`` when it is whole. Raises `CampsetError` before anything is written."""
    drawings, photographs = clipart_files(clipart), photo_files(photos)
    out = out.resolve()
    refuse_used(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as folder:
        campset = Campset(Path(folder, "set"), seed)
        campset.add_clipart(drawings, scale, test_share)
        campset.add_photos(photographs, photos_limit)
        campset.add_exact_duplicates()
        campset.add_near_duplicates()
        campset.add_corrupt()
        campset.write_truth()
        if out.exists():
            out.rmdir()  # empty: checked above
        campset.out.replace(out)
    return campset.counts()


def clipart_files(clipart: Path) -> dict[str, list[Path]]:
    """Sorted PNGs of every label. Raises `CampsetError` for a label without any."""
    if not clipart.is_dir():
        raise CampsetError(f"--clipart {clipart} is not a folder; give .../usr/share/openclipart/png of the Debian package openclipart-png")
    files = {label: sorted(file for folder in folders for file in (clipart / folder).rglob("*.png") if not file.is_symlink())
             for label, (_, folders) in CLASSES.items()}
    empty = [label for label in CLASSES if not files[label]]
    if empty:
        folders = ", ".join(CLASSES[empty[0]][1])
        raise CampsetError(f"no PNG for {len(empty)} of {len(CLASSES)} labels in --clipart {clipart} (none under {folders}); "
                           "give .../usr/share/openclipart/png of the Debian package openclipart-png")
    return files


def photo_files(photos: Path) -> list[Path]:
    """Sorted JPEGs and PNGs. Raises `CampsetError` if there are none."""
    files = sorted(file for file in photos.rglob("*") if file.suffix.lower() in PHOTO_SUFFIXES) if photos.is_dir() else []
    if not files:
        raise CampsetError(f"no .jpg, .jpeg or .png in --photos {photos}{'' if photos.is_dir() else ' (not a folder)'}; give a folder of photographs")
    return files


def refuse_used(out: Path) -> None:
    """Raises `CampsetError` unless ``out`` is new or an empty folder."""
    if out.exists() and not out.is_dir():
        raise CampsetError(f"--out {out} is a file; give a new folder")
    if out.is_dir() and any(out.iterdir()):
        raise CampsetError(f"--out {out} is not empty; give a new folder, or delete this one first")


def read_on_white(file: Path) -> np.ndarray | None:
    """(H, W, 3) uint8 BGR, transparency on white; None for what does not decode."""
    data = np.fromfile(file, np.uint8)
    bgr = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if bgr is None:
        return None
    if bgr.dtype == np.uint16:
        bgr = (bgr.astype(np.uint16) >> 8).astype(np.uint8)
    if bgr.ndim == 2:
        bgr = cv2.cvtColor(bgr, cv2.COLOR_GRAY2BGR)
    if bgr.shape[2] == 4:
        alpha = bgr[..., 3:].astype(np.float32) / 255
        bgr = (bgr[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)  # (H, W, 3)
    return bgr


def on_page(bgr: np.ndarray, rng: random.Random) -> np.ndarray:
    """Fit a picture onto a white page of one of the camp's sizes."""
    width, height = rng.choices(PAGES_PX, PAGE_WEIGHTS)[0]
    factor = min(width * PAGE_FILL / bgr.shape[1], height * PAGE_FILL / bgr.shape[0])
    size = max(1, int(bgr.shape[1] * factor)), max(1, int(bgr.shape[0] * factor))
    drawing = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    page = np.full((height, width, 3), 255, np.uint8)
    top, left = (height - drawing.shape[0]) // 2, (width - drawing.shape[1]) // 2
    page[top:top + drawing.shape[0], left:left + drawing.shape[1]] = drawing
    return page


def scaled(bgr: np.ndarray, factor: float) -> np.ndarray:
    """(H, W, 3) → about (H * factor, W * factor, 3)."""
    return cv2.resize(bgr, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clipart", type=Path, required=True)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="a new or empty folder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="keep this share of every label's pictures (at least 12)")
    parser.add_argument("--test", type=float, default=0.2, help="the share of the test part (at least 3 pictures a label)")
    parser.add_argument("--photos-limit", type=int, metavar="N", help="at most N photos (default: all)")
    arguments = parser.parse_args(argv)
    if arguments.scale <= 0:
        parser.error("--scale must be above 0")
    if not 0 <= arguments.test < 1:
        parser.error("--test must be in [0, 1)")
    if arguments.photos_limit is not None and arguments.photos_limit < 0:
        parser.error("--photos-limit must not be negative")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
