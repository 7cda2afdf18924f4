"""Every model that was trained, in order: a journal that is only appended to, one JSON object per line.

A run's number is its line. A line that was cut off (the machine died while writing) is passed over, and nothing after it is lost.
"""

import json
import os
from pathlib import Path
from typing import Any

from features.errors import ScratchworkError


def append_run(file: Path, run: dict[str, Any]) -> None:
    """Write one run, flushed to the disk."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab+") as stream:
        stream.seek(0, os.SEEK_END)
        if stream.tell():
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":
                stream.write(b"\n")  # after a cut-off line
        stream.write(json.dumps(run, ensure_ascii=False).encode() + b"\n")
        stream.flush()
        os.fsync(stream.fileno())


def read_runs(file: Path) -> dict[int, dict[str, Any]]:
    """Number → run. Raises `ScratchworkError` where nothing was trained yet."""
    if not file.exists():
        raise ScratchworkError(f"{file} does not exist: nothing was trained yet; python cli.py train")
    found = {}
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        try:
            run = json.loads(line)
        except ValueError:
            continue
        if isinstance(run, dict) and {"model", "parameters", "metrics"} <= set(run):
            found[number] = run
    return found


def setting_of(run: dict[str, Any]) -> str:
    """The plan and the setting of a run that was an experiment's; empty for any other."""
    return f"{run['experiment']}: {run['setting']}" if "experiment" in run else ""


def run_difference(first: dict[str, Any], second: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """(name, first's, second's) of everything in which two runs differ; nested names are joined by dots."""
    one, two = flattened(first), flattened(second)
    return [(name, one.get(name), two.get(name)) for name in [*one, *(name for name in two if name not in one)] if one.get(name) != two.get(name)]


def flattened(content: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Nested dictionaries as one, ``a.b`` for ``{"a": {"b": …}}``."""
    found: dict[str, Any] = {}
    for name, value in content.items():
        found |= flattened(value, f"{before}{name}.") if isinstance(value, dict) else {before + name: value}
    return found
