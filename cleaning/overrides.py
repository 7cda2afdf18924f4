"""What people decided: an append-only journal that wins over the machine.

``overrides.csv``: one row per decision, the last one for a picture counts. ``path`` and ``sha256`` say which picture (either is enough,
for rows written by hand), ``keep`` is True, False or empty, ``label`` the right label or empty, ``note`` why. A row in which both are
empty withdraws what was decided before. A picture that was moved or renamed is found by its digest.
"""

import csv
import io
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pandas as pd

from features.errors import ScratchworkError
from features.files import disk_trouble

COLUMNS = ["path", "sha256", "keep", "label", "note", "reviewer", "time"]
NEEDED = {"path", "sha256"}  # one of them
KEEP = {"true": True, "1": True, "yes": True, "keep": True, "false": False, "0": False, "no": False, "drop": False, "": None}


class Override(NamedTuple):
    """``keep``: None where nothing was said; ``label``: empty where nothing was said."""

    path: str
    sha256: str
    keep: bool | None
    label: str
    note: str = ""
    reviewer: str = ""


def read_overrides(file: Path) -> list[Override]:
    """The journal's rows in order; none where there is no file.

    Raises `ScratchworkError` naming the line of a row that cannot be understood. A last line that a crash left half written is
    passed over: it was never confirmed.
    """
    if not file.exists():
        return []
    try:
        text = file.read_bytes().decode("utf-8-sig")  # spreadsheets put a byte order mark in front
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
    row = {**override._asdict(), "keep": "" if override.keep is None else str(override.keep), "time": datetime.now(UTC).isoformat(timespec="seconds")}
    with disk_trouble(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab+") as journal:
            header, before = _mended(journal)
            text = io.StringIO()
            writer = csv.DictWriter(text, header or COLUMNS, extrasaction="ignore", lineterminator="\n")
            if not header:
                writer.writeheader()
            writer.writerow(row)
            journal.write(before + text.getvalue().encode())
            journal.flush()
            os.fsync(journal.fileno())


def resolve(overrides: Sequence[Override], manifest: pd.DataFrame, classes: Sequence[str]) -> tuple[pd.DataFrame, list[Override]]:
    """What counts now: ``keep``, ``label``, ``note``, ``reviewer`` indexed by the manifest's paths; and the rows that name no picture here.

    A row with path and digest means the file with that path while it has that digest, else every file with it.
    Raises `ScratchworkError` for a label that is none of ``classes``.
    """
    digest_of = manifest["sha256"].to_dict()
    owners = {digest: list(paths) for digest, paths in manifest.groupby("sha256").groups.items() if digest}
    decided: dict[str, Override] = {}
    lost = []
    for override in overrides:
        if override.label and override.label not in classes:
            raise ScratchworkError(f"the overrides give {override.path or override.sha256} the label {override.label!r}, which no folder has; "
                                   f"known labels: {', '.join(classes)}")
        still_there = override.path in digest_of and override.sha256 in ("", digest_of[override.path])
        paths = [override.path] if still_there else owners.get(override.sha256, [])
        if not paths:
            lost.append(override)
        for path in paths:
            decided[path] = override
    rows = {path: o for path, o in decided.items() if o.keep is not None or o.label}
    table = pd.DataFrame([[o.keep, o.label, o.note, o.reviewer] for o in rows.values()], columns=["keep", "label", "note", "reviewer"],
                         index=pd.Index(list(rows), name="path", dtype=object))
    return table, lost


def _override(file: Path, line: int, header: list[str], fields: list[str]) -> Override:
    if len(fields) != len(header):
        raise ScratchworkError(f"{file}, line {line}: {len(fields)} fields where the first line has {len(header)}")
    row = dict(zip(header, fields, strict=True))
    keep = row.get("keep", "").strip().lower()
    if keep not in KEEP:
        raise ScratchworkError(f"{file}, line {line}: keep is {row['keep']!r}; give True, False or nothing")
    if not row.get("path") and not row.get("sha256"):
        raise ScratchworkError(f"{file}, line {line}: neither path nor sha256 says which picture is meant")
    return Override(row.get("path", ""), row.get("sha256", ""), KEEP[keep], row.get("label", "").strip(), row.get("note", ""),
                    row.get("reviewer", ""))


def _mended(journal: BinaryIO) -> tuple[list[str], bytes]:
    """The columns of an open journal, and what must be written before a new row. A half-written last line is cut off."""
    journal.seek(0)
    content = journal.read()
    header = next(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")), [])
    if not content or content.endswith(b"\n"):
        return header, b""
    start = content.rfind(b"\n") + 1
    last = next(csv.reader([content[start:].decode(errors="replace")]), [])
    if len(last) >= len(header):
        return header, b"\n"  # written by hand, without the last line's end
    journal.truncate(start)
    return header, b""
