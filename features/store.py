"""The extraction cache: numbers of pictures keyed by what is in the file, not by its name or place.

One folder per extraction fingerprint: three append-only arrays on disk (``features``, ``hashes``, ``tiles``; memory-mapped for
reading) and ``index.csv``, an append-only journal that is written last. What the journal does not name does not exist, so an
interrupted run loses at most the chunks in flight and a half-written row is cut off at the next opening.
"""

import csv
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import numpy as np
import pandas as pd

from features.errors import ScratchworkError
from features.extract import HASH_BYTES, Extracted, ExtractionSettings, Facts
from features.families import feature_names
from features.files import disk_trouble
from features.images import TOO_LARGE
from features.tile import TILE_PX

INDEX_COLUMNS = [*Facts._fields, "bytes", "row"]  # row: position in the arrays, -1 for an unreadable file
TEXT_COLUMNS = {"sha256": str, "format": str, "mode": str, "issue": str}


class FeatureStore:
    """Read with ``index``, ``features``, ``hashes``, ``tiles``; written only inside ``with store.writing():``."""

    def __init__(self, cache: Path, settings: ExtractionSettings) -> None:
        self.folder = cache / settings.fingerprint()
        self._arrays = {"features": (np.float32, (len(feature_names()),)), "hashes": (np.uint8, (HASH_BYTES,)),
                        "tiles": (np.uint8, (TILE_PX, TILE_PX, 3))}
        self.index = self._read_index()
        self._row_count = _row_count(self.index)
        self._added: dict[str, list] = {}  # rows of this run by sha256, not yet in ``index``

    @property
    def features(self) -> np.ndarray:
        """(n, n_features) float32, read-only memory map, addressed by ``index.row``."""
        return self._map("features")

    @property
    def hashes(self) -> np.ndarray:
        """(n, 32) uint8: 256-bit perceptual hashes."""
        return self._map("hashes")

    @property
    def tiles(self) -> np.ndarray:
        """(n, 128, 128, 3) uint8 RGB."""
        return self._map("tiles")

    def rows_of(self, digests: pd.Series) -> np.ndarray:
        """Array rows of pictures by sha256. Raises `KeyError` for one that was never extracted."""
        return self.index["row"].loc[digests].to_numpy()

    @contextmanager
    def writing(self) -> Iterator["FeatureStore"]:
        """Hold the cache alone. Raises `ScratchworkError` if another run holds it, or when the disk is full."""
        try:
            with disk_trouble(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
                lock = filelock.FileLock(self.folder / "lock", timeout=0).acquire()
        except filelock.Timeout:
            raise ScratchworkError(f"another run is extracting into {self.folder}; wait for it, or use another --artifacts DIR") from None
        with lock:
            self.index = self._read_index()
            self._row_count = _row_count(self.index)
            with disk_trouble(self.folder):
                self._cut_orphans()
            try:
                yield self
            finally:
                self._settle()

    def append(self, extracted: Extracted, sizes: list[int]) -> None:
        """Add one chunk (``sizes``: bytes of its files); contents that are there already are passed over."""
        next_row = self._row_count
        rows: dict[str, list] = {}
        keep = []
        readable = -1
        for facts, size, skipped in zip(extracted.facts, sizes, extracted.skipped, strict=True):
            usable = not facts.issue and not skipped
            readable += usable
            if skipped or not facts.sha256 or self._holds(facts.sha256, rows) or facts.issue.startswith(TOO_LARGE):
                continue  # asked again each time, since it depends on an option
            rows[facts.sha256] = [*facts, size, next_row if usable else -1]
            if usable:
                keep.append(readable)
                next_row += 1
        with disk_trouble(self.folder):
            for name in self._arrays:
                with self._file(name).open("ab") as file:
                    rows_of_chunk = getattr(extracted, name)
                    file.write(rows_of_chunk.data if len(keep) == len(rows_of_chunk) else rows_of_chunk[keep].data)
            self._append_journal(list(rows.values()))
        self._added.update(rows)
        self._row_count = next_row

    def _holds(self, digest: str, new: dict[str, list]) -> bool:
        return digest in new or digest in self._added or digest in self.index.index

    def _append_journal(self, rows: list[list]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        fresh = not self._index_file.exists() or self._index_file.stat().st_size == 0  # a full disk leaves an empty file
        with self._index_file.open("a", encoding="utf-8", newline="") as file:
            file.write((",".join(INDEX_COLUMNS) + "\n" if fresh else "") + text.getvalue())

    def _settle(self) -> None:
        """Move this run's rows into ``index``."""
        if self._added:
            added = pd.DataFrame(list(self._added.values()), columns=INDEX_COLUMNS).set_index("sha256")
            self.index = pd.concat([self.index, added]) if len(self.index) else added
            self._added = {}

    def _read_index(self) -> pd.DataFrame:
        """Indexed by sha256: the facts, ``bytes`` and ``row``."""
        whole = self._whole_lines()
        if not whole:
            return pd.DataFrame(columns=INDEX_COLUMNS).set_index("sha256")
        index = pd.read_csv(io.BytesIO(whole), dtype=TEXT_COLUMNS, keep_default_na=False, na_values={"mean_pixel": ["nan", ""]})
        if list(index.columns) != INDEX_COLUMNS:
            raise ScratchworkError(f"{self._index_file} is not an index of this version; delete the folder {self.folder} and run again")
        return index.set_index("sha256")

    def _whole_lines(self) -> bytes:
        """The journal up to its last line end; nothing where there is none."""
        journal = self._index_file.read_bytes() if self._index_file.exists() else b""
        return journal[:journal.rfind(b"\n") + 1]

    def _cut_orphans(self) -> None:
        """Shorten the arrays and the journal to what the journal names."""
        if self._index_file.exists():
            os.truncate(self._index_file, len(self._whole_lines()))
        for name in self._arrays:
            expected = self._expected_bytes(name)
            self._file(name).touch()
            os.truncate(self._file(name), expected)

    def _expected_bytes(self, name: str) -> int:
        """Of the rows that the journal names. Raises `ScratchworkError` where the array's file has fewer."""
        dtype, shape = self._arrays[name]
        file, expected = self._file(name), self._row_count * np.dtype(dtype).itemsize * int(np.prod(shape))
        if (file.stat().st_size if file.exists() else 0) < expected:
            raise ScratchworkError(f"{file} is shorter than its index says; delete the folder {self.folder} and run again")
        return expected

    def _map(self, name: str) -> np.ndarray:
        dtype, shape = self._arrays[name]
        rows = self._row_count
        if rows == 0:
            return np.empty((0, *shape), dtype)
        self._expected_bytes(name)
        return np.memmap(self._file(name), dtype, "r", shape=(rows, *shape))

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.bin"

    @property
    def _index_file(self) -> Path:
        return self.folder / "index.csv"


def _row_count(index: pd.DataFrame) -> int:
    return int(index["row"].max()) + 1 if len(index) else 0
