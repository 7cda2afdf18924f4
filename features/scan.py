"""A folder → the manifest's first columns: one row per picture file, nothing opened but folders.

Labels are the names of the first level of sub-folders (NFC, so that one Korean name written two ways is one label). What is
not a picture by its suffix, and what is hidden, is passed over and counted. Rows come in one order on every file system.
"""

import os
import re
import stat
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features.errors import ScratchworkError

PICTURE_SUFFIXES = frozenset([
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".mpo", ".jp2", ".j2k", ".ppm",
    ".pgm", ".pbm", ".pnm", ".tga", ".pcx", ".ico", ".avif"])
DEMO_MARKER = ".scratchwork-demo"  # lies in the generated demo set, which is nobody's label
SCAN_COLUMNS = ["label", "bytes", "modified_ns", "issue"]


@dataclass(frozen=True)
class Scan:
    """``files``: indexed by ``path`` (POSIX, relative to ``root``); ``passed_over``: what was not taken, by kind, with counts."""

    root: Path
    files: pd.DataFrame
    passed_over: dict[str, int]


def scan_folder(root: Path) -> Scan:
    """List every picture under ``root``.

    Raises `ScratchworkError` where ``root`` is no folder or holds no picture.
    """
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        raise ScratchworkError(f"data folder {root.resolve()} {what}; give one with --data DIR: a sub-folder per label, pictures inside")
    passed_over: Counter[str] = Counter()
    rows = sorted(_picture_rows(root, passed_over), key=lambda row: (unicodedata.normalize("NFC", row[0]), row[0]))
    if not rows:
        others = f" ({_counted(passed_over)} passed over)" if passed_over else ""
        raise ScratchworkError(f"no pictures in {root.resolve()}{others}; put them in one sub-folder per label, or give another --data DIR")
    files = pd.DataFrame(rows, columns=["path", *SCAN_COLUMNS]).set_index("path")
    return Scan(root, files, dict(sorted(passed_over.items())))


def label_of(path: str) -> str:
    """``"가방/a b/1.png"`` → ``"가방"`` in NFC; a picture directly in the root has the empty label."""
    first, slash, _ = path.partition("/")
    return unicodedata.normalize("NFC", first) if slash else ""


def natural_order(labels: list[str]) -> list[str]:
    """Distinct labels with numbers in counting order: ``L2_3`` before ``L2_10``. The position is the class id."""
    return sorted(set(labels), key=_natural_key)


def label_codes(labels: Iterable[str], classes: Sequence[str]) -> np.ndarray:
    """(n,) int: the position of each of n labels in ``classes``, which must hold them all."""
    position = {label: code for code, label in enumerate(classes)}
    return np.array([position[label] for label in labels], dtype=int)


def _natural_key(label: str) -> tuple[list[tuple[int, int | str]], str]:
    pieces: list[tuple[int, int | str]] = [(0, int(piece)) if piece[0] in "0123456789" else (1, piece.casefold())
                                           for piece in re.findall(r"[0-9]+|[^0-9]+", label)]
    return pieces, label


def _picture_rows(root: Path, passed_over: Counter[str]) -> list[tuple[str, str, int, int, str]]:
    rows: list[tuple[str, str, int, int, str]] = []
    visited: set[str] = set()  # real paths, against circles of linked folders
    for folder, folders, names in os.walk(root, followlinks=True, onerror=lambda e: passed_over.update([f"unreadable folder {e.filename}"])):
        real = os.path.realpath(folder)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        hidden = {name for name in folders if name.startswith(".") or name == "__MACOSX"}
        demo = {name for name in folders if Path(folder, name, DEMO_MARKER).exists()}
        passed_over.update(["hidden folder"] * len(hidden) + ["generated demo set"] * len(demo))
        folders[:] = sorted(set(folders) - hidden - demo)
        for name in names:
            kind = _passed_over_kind(name)
            if kind:
                passed_over[kind] += 1
                continue
            row = _row(root, Path(folder, name))
            if row is None:
                passed_over["not a regular file"] += 1
            else:
                rows.append(row)
    return rows


def _passed_over_kind(name: str) -> str:
    if name.startswith("."):
        return "hidden file"
    suffix = os.path.splitext(name)[1].lower()
    return "" if suffix in PICTURE_SUFFIXES else f"{suffix or 'no suffix'} file"


def _row(root: Path, file: Path) -> tuple[str, str, int, int, str] | None:
    """(path, label, bytes, modified_ns, issue), or None for sockets, pipes and devices."""
    path = file.relative_to(root).as_posix()
    issue = ""
    try:
        path.encode()
    except UnicodeEncodeError:
        path = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
        issue = "the file's name is not valid UTF-8; rename it"
    try:
        status = file.stat()
    except OSError as error:
        return path, label_of(path), 0, 0, f"cannot be opened: {error.strerror}" + (" (a link to nothing)" if file.is_symlink() else "")
    if not stat.S_ISREG(status.st_mode):
        return None
    return path, label_of(path), status.st_size, status.st_mtime_ns, issue


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in sorted(counts.items()))
