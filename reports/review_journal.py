"""The journal of decisions while people review: what stands now per picture, what other programs wrote since, and clicks that are on the disk before
they are answered.

Only what was added is read again; a journal that was replaced is read anew. A click that is sent twice is written once, by its name.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cleaning.overrides import Override, Places, add_to, append_overrides, overrides_in
from cleaning.votes import tally, vote_of

END_BYTES = 4096  # of what was read last, by which an edit is told from an appended row


class LiveJournal:
    """Safe for several threads; other processes may append to the same file. Raises `ScratchworkError` as reading and appending do."""

    def __init__(self, file: Path, manifest: pd.DataFrame) -> None:
        self.file = file
        self._places = Places(manifest)
        self._row_of = {str(path): row for row, path in enumerate(manifest.index)}
        self._label_of = manifest["label"].to_dict()
        self._lock = threading.Lock()
        self._changed: list[str] = []  # paths, as often as something was said of them; its length is the number of `changes`
        self._stacks: dict[str, list[Override]] = {}
        self._known: set[str] = set()  # names of clicks
        self._stamp: tuple[int, int, int] | None = None  # inode, bytes, time of the file as it was read last
        self._header, self._offset, self._end = b"", 0, b""  # the first line, how far it was read, the last bytes of that

    def record(self, clicks: Sequence[Override]) -> None:
        """Append those that are not in the journal yet; all are on the disk when this returns."""
        with self._lock:
            self._refresh()
            fresh = [click for click in clicks if not click.click or click.click not in self._known]
            if not fresh:
                return
            append_overrides(self.file, fresh)
            self._refresh()

    def changes(self, since: int = 0) -> tuple[int, dict[int, dict[str, Any]]]:
        """A number that grows with the journal, and what stands of every row of which something was said after that number."""
        with self._lock:
            self._refresh()
            return len(self._changed), {self._row_of[path]: self._told(path) for path in sorted(set(self._changed[since:]))}

    def standing(self, path: str) -> dict[str, Any]:
        """What stands of one picture."""
        with self._lock:
            return self._told(path)

    def _told(self, path: str) -> dict[str, Any]:
        """``counts``: [reviewer, vote] that counts now, or None; ``votes``: by reviewer; ``open``: a third vote is needed."""
        stack, label = self._stacks.get(path, []), self._label_of[path]
        told = tally(stack, label)
        vote = vote_of(stack[-1], label) if stack else ""
        return {"counts": [stack[-1].reviewer, vote] if vote else None, "votes": told.votes, "open": told.open}

    def _refresh(self) -> None:
        """Read what was added since the last time."""
        try:
            status = self.file.stat()
        except FileNotFoundError:
            self._begin_anew()
            return
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        if stamp == self._stamp:
            return
        if self._stamp and (stamp[0] != self._stamp[0] or stamp[1] <= self._stamp[1]):
            self._begin_anew()
        with self.file.open("rb") as journal:
            if self._offset:
                journal.seek(self._offset - len(self._end))
                if journal.read(len(self._end)) != self._end:  # somebody changed what was there, and it grew
                    self._begin_anew()
            journal.seek(self._offset)
            content = journal.read()
        content = content[:content.rfind(b"\n") + 1]  # a line that is being written is for the next time
        header = self._header or content[:content.find(b"\n") + 1]
        added = overrides_in((header if self._header else b"") + content, self.file) if content else []
        # what could not be understood was not read: it will be told again, and nothing is written after it
        self._stamp, self._header, self._offset = stamp, header, self._offset + len(content)
        self._end = (self._end + content)[-END_BYTES:]
        for override in added:
            if override.click in self._known:
                continue
            self._known |= {override.click} - {""}
            for path in self._places.paths(override):
                add_to(self._stacks.setdefault(path, []), override)
                self._changed.append(path)

    def _begin_anew(self) -> None:
        self._changed += self._stacks
        self._stacks, self._known = {}, set()
        self._stamp, self._header, self._offset, self._end = None, b"", 0, b""
