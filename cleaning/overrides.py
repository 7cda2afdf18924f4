"""What people decided: an append-only journal that wins over the machine.

``overrides.csv``: one row per decision, the last one for a picture counts. ``path`` and ``sha256`` say which picture (either is enough,
for rows written by hand), ``keep`` is True, False, ``undo`` or empty, ``label`` the right label or empty, ``note`` why. A row in which both
are empty withdraws what was decided before; ``undo`` takes back the reviewer's own last row, so that what counted before it counts again. A
picture that was moved or renamed is found by its digest. ``click`` names a row, so that one that is sent again is known. Several programs
may append at once: they take turns by a lock file.
"""

import csv
import io
import os
import shlex
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import filelock
import pandas as pd

from features.errors import ScratchworkError
from features.files import disk_trouble, whole_file

COLUMNS = ["path", "sha256", "keep", "label", "note", "reviewer", "time", "click"]
NEEDED = {"path", "sha256"}  # one of them
KEEP = {"true": True, "1": True, "yes": True, "keep": True, "false": False, "0": False, "no": False, "drop": False, "": None}
UNDO = "undo"  # in the place of keep
VOTES = "votes"  # the reviewer that settles what several people said
LOCK_S = 20.0  # how long an append waits for another program
POLL_S = 0.005
TAIL_BYTES = 65_536  # a last line is looked for in them



class Override(NamedTuple):
    """``keep``: None where nothing was said; ``label``: empty where nothing was said; ``undo``: takes back the reviewer's last row."""

    path: str
    sha256: str
    keep: bool | None
    label: str
    note: str = ""
    reviewer: str = ""
    click: str = ""
    undo: bool = False


class Places:
    """Which paths of a manifest a row of the journal means: the file with its path while it has its digest, else every file with that digest."""

    def __init__(self, manifest: pd.DataFrame) -> None:
        self.digest_of = dict(zip(map(str, manifest.index), manifest["sha256"], strict=True))
        self.spelled = {unicodedata.normalize("NFC", path): path for path in self.digest_of}
        self.owners: dict[str, list[str]] = {}
        for path, digest in self.digest_of.items():
            if digest:
                self.owners.setdefault(digest, []).append(path)

    def paths(self, override: Override) -> list[str]:
        """Empty where the row names no picture here."""
        path = override.path if override.path in self.digest_of else self.spelled.get(unicodedata.normalize("NFC", override.path), "")
        still_there = path in self.digest_of and override.sha256 in ("", self.digest_of[path])
        return [path] if still_there else self.owners.get(override.sha256, [])


def read_overrides(file: Path) -> list[Override]:
    """The journal's rows in order; none where there is no file.

    Raises `ScratchworkError` naming the line of a row that cannot be understood. A last line that a crash left half written is
    passed over: it was never confirmed.
    """
    return overrides_in(file.read_bytes(), file) if file.exists() else []


def overrides_in(content: bytes, file: Path) -> list[Override]:
    """`read_overrides` of what was read from ``file``, which is named in messages."""
    try:
        text = content.decode("utf-8-sig")  # spreadsheets put a byte order mark in front
    except UnicodeDecodeError as error:
        raise ScratchworkError(f"{file} is not UTF-8 ({error.reason} at byte {error.start}); save it as CSV in UTF-8") from error
    rows = list(csv.reader(io.StringIO(text, newline="")))
    if not rows:
        return []
    header = rows[0]
    if not text.endswith("\n") and len(rows[-1]) < len(header):
        rows.pop()
    if not NEEDED & set(header) or not {"keep", "label"} & set(header):
        raise ScratchworkError(f"{file} needs a first line with path or sha256, and keep or label; it has {', '.join(header)}")
    return [_override(file, line, header, row) for line, row in enumerate(rows[1:], 2) if any(row)]


def append_override(file: Path, override: Override) -> None:
    """Add one row; it is on the disk when this returns."""
    append_overrides(file, [override])


def append_overrides(file: Path, overrides: Sequence[Override]) -> None:
    """Add rows; all are on the disk when this returns, and none after an error. A journal that lacks a column gets it first. Raises
    `ScratchworkError` where the disk does not take them, or the journal cannot be understood."""
    complete_columns(file)
    with disk_trouble(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        with journal_lock(file), file.open("ab+", buffering=0) as journal:
            size = journal.seek(0, os.SEEK_END)
            header, before, start = _mended(journal, size)
            data = before + _csv_text(overrides, header).encode()
            if start < size:
                journal.truncate(start)
            try:
                while data:
                    data = data[journal.write(data):]
                os.fsync(journal.fileno())
            except OSError:
                journal.truncate(start)  # a row is whole or gone
                raise


@contextmanager
def journal_lock(file: Path) -> Iterator[None]:
    """Held while the journal is written; a file beside it. Raises `ScratchworkError` where another program holds it for long."""
    try:
        held = filelock.FileLock(file.with_name(file.name + ".lock"), timeout=LOCK_S, poll_interval=POLL_S).acquire()
    except filelock.Timeout:
        raise ScratchworkError(f"another program has held {file.name}.lock in {file.parent} for {LOCK_S:.0f} s; end it and try again") from None
    with held:
        yield


def complete_columns(file: Path) -> None:
    """Give a journal that was begun by hand or by an earlier version every column, so that nothing of a click is lost in it."""
    if not file.exists():
        return
    with file.open("rb") as journal:
        header = journal.readline()
    if set(COLUMNS) <= set(next(csv.reader([header.decode("utf-8-sig", errors="replace")]), [])):
        return
    with disk_trouble(file.parent), journal_lock(file):
        rows = list(csv.reader(io.StringIO(file.read_bytes().decode("utf-8-sig"), newline="")))
        missing = [column for column in COLUMNS if column not in rows[0]] if rows else []
        read_overrides(file)  # what cannot be understood is left to the person who wrote it
        if missing:
            text = io.StringIO()
            whole = [row + [""] * len(missing) for row in rows[1:] if len(row) == len(rows[0])]
            csv.writer(text, lineterminator="\n").writerows([rows[0] + missing, *whole])
            with whole_file(file) as fresh:
                fresh.write_text(text.getvalue(), encoding="utf-8")


def resolve(overrides: Sequence[Override], manifest: pd.DataFrame, classes: Sequence[str]) -> tuple[pd.DataFrame, list[Override]]:
    """What counts now: ``keep``, ``label``, ``note``, ``reviewer`` indexed by the manifest's paths; and the rows that name no picture here.

    A row with path and digest means the file with that path while it has that digest, else every file with it.
    Raises `ScratchworkError` where a label that counts is none of ``classes``.
    """
    stacks, lost = standing(overrides, Places(manifest))
    decided = {path: stack[-1] for path, stack in stacks.items() if stack}
    rows = {path: o for path, o in decided.items() if o.keep is not None or o.label}
    for path, override in rows.items():
        if override.label and override.label not in classes:
            raise ScratchworkError(f"the overrides give {path} the label {override.label!r}, which no folder has; known labels: "
                                   f"{', '.join(classes)}; say another with: python cli.py decide {shlex.quote(path)} --label LABEL, or take it "
                                   "back without --label")
    table = pd.DataFrame([[o.keep, o.label, o.note, o.reviewer] for o in rows.values()], columns=["keep", "label", "note", "reviewer"],
                         index=pd.Index(list(rows), name="path", dtype=object))
    return table, lost


def standing(overrides: Sequence[Override], places: Places) -> tuple[dict[str, list[Override]], list[Override]]:
    """Per path the rows that were not undone, in order, the last of which counts; and the rows that name no picture here. A click that was
    written twice counts once."""
    stacks: dict[str, list[Override]] = {}
    lost, clicks = [], set[str]()
    for override in overrides:
        if override.click in clicks:
            continue
        clicks |= {override.click} - {""}
        paths = places.paths(override)
        if not paths:
            lost.append(override)
        for path in paths:
            add_to(stacks.setdefault(path, []), override)
    return stacks, lost


def add_to(stack: list[Override], override: Override) -> None:
    """One more row of the journal on a picture's stack. What `VOTES` settled falls with an undone row below it, since it rests on that."""
    if not override.undo:
        stack.append(override)
        return
    own = [i for i, earlier in enumerate(stack) if earlier.reviewer == override.reviewer]
    if own:
        stack[own[-1]:] = [later for later in stack[own[-1] + 1:] if later.reviewer != VOTES]


def _override(file: Path, line: int, header: list[str], fields: list[str]) -> Override:
    if len(fields) != len(header):
        raise ScratchworkError(f"{file}, line {line}: {len(fields)} fields where the first line has {len(header)}")
    row = dict(zip(header, fields, strict=True))
    keep = row.get("keep", "").strip().lower()
    if keep not in KEEP and keep != UNDO:
        raise ScratchworkError(f"{file}, line {line}: keep is {row['keep']!r}; give True, False, undo or nothing")
    if not row.get("path") and not row.get("sha256"):
        raise ScratchworkError(f"{file}, line {line}: neither path nor sha256 says which picture is meant")
    label = unicodedata.normalize("NFC", row.get("label", "").strip())  # as labels are, however a folder spells them
    return Override(row.get("path", ""), row.get("sha256", ""), KEEP.get(keep), label, row.get("note", ""),
                    row.get("reviewer", ""), row.get("click", ""), keep == UNDO)


def _csv_text(overrides: Sequence[Override], header: list[str]) -> str:
    """Rows under an existing header, or a whole file where there is none."""
    text = io.StringIO()
    writer = csv.DictWriter(text, header or COLUMNS, extrasaction="ignore", lineterminator="\n")
    if not header:
        writer.writeheader()
    time = datetime.now(UTC).isoformat(timespec="seconds")
    for override in overrides:
        keep = UNDO if override.undo else "" if override.keep is None else str(override.keep)
        writer.writerow({**override._asdict(), "keep": keep, "time": time})
    return text.getvalue()


def _mended(journal: io.FileIO, size: int) -> tuple[list[str], bytes, int]:
    """The columns of an open journal of ``size`` bytes, what must be written before a new row, and where: a half-written last line is cut off."""
    journal.seek(0)
    first = journal.readline()
    header = next(csv.reader([first.decode("utf-8-sig")]), [])
    journal.seek(max(size - TAIL_BYTES, 0))
    tail = journal.read(TAIL_BYTES) or b""
    if not tail or tail.endswith(b"\n"):
        return header, b"", size
    start = tail.rfind(b"\n") + 1
    last = next(csv.reader([tail[start:].decode(errors="replace")]), [])
    if len(last) >= len(header):
        return header, b"\n", size  # written by hand, without the last line's end
    return header, b"", size - len(tail) + start
