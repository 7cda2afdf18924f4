"""Saved models: ``NAME.joblib`` and, beside it, ``NAME.json`` that says what it is, from what it was made, and its sha256.

joblib files run code when they are loaded. The commands therefore load only a file whose digest is its sidecar's, which
protects against damage and mix-ups, not against malice: load models that you made yourself.
"""

import hashlib
import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

import joblib

from features.errors import ScratchworkError
from features.extract import ExtractionSettings
from features.files import whole_file

VERSIONED = ("scratchwork", "numpy", "pandas", "opencv-python-headless", "pillow", "scikit-learn", "lightgbm", "scipy", "joblib", "torch")


def save_model(model: Any, file: Path, card: dict) -> None:
    """Write ``file`` (…/NAME.joblib) and NAME.json, each whole or not at all. ``card``: what the sidecar says beside versions and digest."""
    with whole_file(file) as fresh:
        joblib.dump(model, fresh, compress=("zlib", 1))
        write_json({**card, "versions": versions(), "sha256": file_digest(fresh)}, file.with_suffix(".json"))


def load_model(file: Path) -> tuple[Any, dict]:
    """The model and its sidecar.

    Raises `ScratchworkError` where either is missing, the digest differs, or the model was made by another extraction.
    """
    card = read_card(file)
    if file_digest(file) != card.get("sha256"):
        raise ScratchworkError(f"{file} is not the file that {file.with_suffix('.json').name} describes (its sha256 differs): it was changed or "
                               "only one of the two was copied; copy both again, or train again")
    try:
        model = joblib.load(file)
    except Exception as error:  # another library version may fail in any way while unpickling
        made = ", ".join(f"{k} {v}" for k, v in card.get("versions", {}).items())
        raise ScratchworkError(f"{file} cannot be loaded here ({type(error).__name__}: {error}); it was made with {made}") from error
    if card.get("extraction") != model.settings.fingerprint():
        made = card.get("versions", {}).get("scratchwork")
        raise ScratchworkError(f"{file} was trained on features of another version of scratchwork (extraction {card.get('extraction')}, here "
                               f"{model.settings.fingerprint()}): train again, or use the version that made it ({made})")
    return model, card


def judged_folds(card: dict) -> int:
    """Folds whose pictures have probabilities of models that had not seen them: one of a network that was watched on one. Cards that were written
    before there were several kinds have as many networks as that."""
    return int(card.get("judged_folds", card.get("networks", card["folds"])))


def read_card(file: Path) -> dict:
    """The sidecar of a model file. Raises `ScratchworkError` where one of the two is missing or it is not a sidecar."""
    sidecar = file.with_suffix(".json")
    for needed in (file, sidecar):
        if not needed.is_file():
            raise ScratchworkError(f"{needed} does not exist; make it with: python cli.py train")
    try:
        card = json.loads(sidecar.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ScratchworkError(f"{sidecar} is not JSON ({error}); train again, or copy it again from where the model was made") from error
    if not isinstance(card, dict) or "sha256" not in card or "classes" not in card:
        raise ScratchworkError(f"{sidecar} does not describe a model (no sha256 or no classes in it); train again")
    return card


def settings_card(settings: ExtractionSettings) -> dict:
    """The extraction's part of a sidecar."""
    return {"extraction": settings.fingerprint(), "trim": settings.trim, "crop": settings.crop, "max_pixels": settings.max_pixels}


def write_json(content: dict, file: Path) -> None:
    """Indented UTF-8, whole or not at all."""
    with whole_file(file) as fresh:
        fresh.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def file_digest(file: Path) -> str:
    """sha256 in hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def versions() -> dict[str, str]:
    """What is installed, for sidecars and reports."""
    found = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
