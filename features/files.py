"""Writing to disk: whole files or none, one run at a time, and one clear line when the disk will not take them."""

import errno
import os
import platform
import shlex
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

import filelock

from features.errors import ScratchworkError


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """A temporary path beside ``file``; what the caller writes there takes the place of ``file`` if the block ends well. Two that write the same
    file at one time have a path each: the later one's content stays.

    Raises `ScratchworkError` as `disk_trouble` does.
    """
    fresh = file.with_name(f"{file.name}.{threading.get_native_id()}.tmp")
    with disk_trouble(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield fresh
            os.replace(fresh, file)
        finally:
            fresh.unlink(missing_ok=True)


@contextmanager
def disk_trouble(folder: Path) -> Iterator[None]:
    """Turn a full disk and a folder that may not be written into a `ScratchworkError` that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            there = next(parent for parent in [folder, *folder.parents] if parent.exists())
            free = shutil.disk_usage(there).free / 2**20
            raise ScratchworkError(f"the disk is full ({free:.0f} MB free at {folder}); a picture needs about 0.06 MB; free some space or give "
                                   "--artifacts on another disk, and run again: what was extracted so far is kept") from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR, errno.EEXIST):
            raise ScratchworkError(f"cannot write to {folder}: {error.strerror}; give another --artifacts DIR") from error
        raise


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """The only run that writes into ``folder``, which is made if need be, and goes again if nothing came of it; the same thread may enter again.
    Readers are not kept out.

    Raises `ScratchworkError` naming the run that writes there already, and as `disk_trouble` does. A run that was killed holds nothing.
    """
    holder, made = folder / "run.lock.holder", not folder.exists()
    with disk_trouble(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = filelock.FileLock(folder / "run.lock", timeout=0, is_singleton=True)
            lock.acquire()
        except filelock.Timeout:
            raise ScratchworkError(f"another run{_told(holder)} is writing into {folder}; wait for it, or use another --artifacts DIR") from None
    try:
        if lock.lock_counter == 1:
            with suppress(OSError):  # a full disk is told of where something is lost by it
                holder.write_text(f"process {os.getpid()} on {platform.node()}, {shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])}, since "
                                  f"{datetime.now():%Y-%m-%d %H:%M}", encoding="utf-8")
        yield
    finally:
        if lock.lock_counter == 1:
            holder.unlink(missing_ok=True)
        lock.release()
        if made and [file.name for file in folder.iterdir()] == ["run.lock"]:
            with suppress(OSError):  # the next run may be there already
                (folder / "run.lock").unlink()
                folder.rmdir()


def _told(holder: Path) -> str:
    """Who has the lock, where that can be read."""
    try:
        return f" ({holder.read_text(encoding='utf-8')})"
    except OSError:
        return ""
