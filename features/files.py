"""Writing to disk: whole files or none, and one clear line when the disk will not take them."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from features.errors import ScratchworkError


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """A temporary path beside ``file``; what the caller writes there takes the place of ``file`` if the block ends well.

    Raises `ScratchworkError` as `disk_trouble` does.
    """
    fresh = file.with_name(file.name + ".tmp")
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
