"""Checkpoints of a training: whole or not there, and never taken for another training's.

A file is 32 bytes of sha256 and then what torch wrote. It takes the place of the one before only when it is whole, and a file
that was cut or changed since is told by its digest.
"""

import hashlib
import io
from pathlib import Path
from typing import Any

import torch

from features.errors import ScratchworkError
from features.files import whole_file

DIGEST_BYTES = 32


def write_checkpoint(content: dict[str, Any], file: Path) -> None:
    """Tensors, numbers, strings, lists and dicts of them. Raises `ScratchworkError` on a full disk; the file before stays."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    payload = buffer.getvalue()
    try:
        with whole_file(file) as fresh:
            fresh.write_bytes(hashlib.sha256(payload).digest() + payload)
    except ScratchworkError as error:
        raise ScratchworkError(f"the training's state of {len(payload) / 2**20:.0f} MB could not be written: {error}; --resume then goes on from "
                               f"{file} as it was before") from error


def read_checkpoint(file: Path, key: str) -> dict[str, Any] | None:
    """What was written, or None where there is no file or it is of another training (another ``key``).

    Raises `ScratchworkError` for a file that is not whole.
    """
    if not file.exists():
        return None
    content = file.read_bytes()
    digest, payload = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if hashlib.sha256(payload).digest() != digest:
        raise ScratchworkError(f"{file} is not whole (its sha256 differs); delete it, or train without --resume")
    found = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    return found if found["key"] == key else None
