"""Files → digests, facts, features, hashes and tiles: each new file is read once and decoded once, in parallel.

`extract_chunk` is the one path from bytes to numbers; training, evaluation and a saved model in somebody's script all call it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from features.errors import ScratchworkError, UnreadablePicture
from features.families import feature_matrix, feature_names
from features.garment import CROPS, cropped
from features.hashes import perceptual_hash
from features.images import DEFAULT_MAX_PIXELS, Picture, read_picture
from features.processes import in_processes
from features.tile import TILE_PX, make_tile
from features.view import make_view

EXTRACTION_VERSION = 4  # raise it when any pixel, feature or hash changes: caches and models of before are then refused
CHUNK_FILES = 32  # per task: small enough to spread A4 scans over workers, large enough to hide the hand-over
HASH_BYTES = 32


@dataclass(frozen=True)
class ExtractionSettings:
    """What shapes the numbers; saved inside every model. ``crop``: one of `features.garment.CROPS`; ``max_pixels`` only decides what is refused."""

    trim: bool = True
    max_pixels: int = DEFAULT_MAX_PIXELS
    crop: str = "none"

    def __post_init__(self) -> None:
        if self.crop not in CROPS:
            raise ScratchworkError(f"crop {self.crop!r} is unknown; choose one of {', '.join(CROPS)}")

    def fingerprint(self) -> str:
        """16 hex digits that name everything on which the numbers depend."""
        shaped = f"{EXTRACTION_VERSION} {TILE_PX} {self.trim} {','.join(feature_names())}{'' if self.crop == 'none' else f' {self.crop}'}"
        return hashlib.sha256(shaped.encode()).hexdigest()[:16]


class Facts(NamedTuple):
    """The header of one file: its digest, what it holds, and why it cannot be used (``issue``, empty if it can)."""

    sha256: str
    format: str = ""
    mode: str = ""
    width: int = 0  # px, upright
    height: int = 0  # px, upright
    mean_pixel: float = float("nan")  # of all channels, in [0, 255], transparent areas on white
    issue: str = ""


class Extracted(NamedTuple):
    """k files in the order they were asked for: k `Facts`; and for the readable among them, in order, the arrays."""

    facts: list[Facts]
    features: np.ndarray  # (readable, n_features) float32
    hashes: np.ndarray  # (readable, 32) uint8
    tiles: np.ndarray  # (readable, 128, 128, 3) uint8
    skipped: list[bool]  # k: the digest was known already, so nothing was decoded


class Request(NamedTuple):
    """A file to read, and the digests of cached pictures of the same size: if it is one of them, it is not decoded."""

    file: str
    known: frozenset[str] = frozenset()


def extract(requests: Iterable[Request], settings: ExtractionSettings, jobs: int) -> Iterator[Extracted]:
    """Chunks of `Extracted` in the order of ``requests``, the same for any number of ``jobs`` (1 = in this process)."""
    requests = list(requests)
    chunks = [requests[i:i + CHUNK_FILES] for i in range(0, len(requests), CHUNK_FILES)]
    yield from in_processes(extract_chunk, [(chunk, settings) for chunk in chunks], jobs)


def extract_chunk(requests: list[Request], settings: ExtractionSettings) -> Extracted:
    """Everything about a few files; in a worker, with OpenCV held to one thread.

    Step by step over all of them, not file by file: a step's code and tables then stay in the processor's cache.
    """
    cv2.setNumThreads(1)
    read = [read_file(request, settings) for request in requests]
    views = [make_view(replace(picture, rgb=cropped(picture.rgb, settings.crop)), settings.trim) for _, picture, _ in read if picture is not None]
    return Extracted([facts for facts, _, _ in read], feature_matrix(views),
                     np.array([perceptual_hash(view.half_rgb) for view in views], np.uint8).reshape(-1, HASH_BYTES),
                     np.array([view.tile.rgb for view in views], np.uint8).reshape(-1, TILE_PX, TILE_PX, 3), [known for _, _, known in read])


def read_file(request: Request, settings: ExtractionSettings) -> tuple[Facts, Picture | None, bool]:
    """Facts of one file; its picture unless it is unreadable or known; whether it was known."""
    try:
        data = Path(request.file).read_bytes()
    except OSError as error:
        return Facts("", issue=f"cannot be opened: {error.strerror}"), None, False
    digest = hashlib.sha256(data).hexdigest()
    if digest in request.known:
        return Facts(digest), None, True
    try:
        picture = read_picture(data, settings.max_pixels)
    except UnreadablePicture as error:
        return Facts(digest, issue=str(error)), None, False
    mean = sum(cv2.mean(picture.rgb)[:3]) / 3
    return Facts(digest, picture.format, picture.mode, picture.width, picture.height, mean), picture, False


def read_tile(file: str, settings: ExtractionSettings, side_px: int) -> np.ndarray:
    """The tile of one file at another side, (side_px, side_px, 3) uint8. Raises OSError and `UnreadablePicture`."""
    rgb = read_picture(Path(file).read_bytes(), settings.max_pixels).rgb
    return make_tile(cropped(rgb, settings.crop), settings.trim, side_px).rgb
