"""Saved models: what is loaded is what was saved, or a message says what does not fit; no half pair passes for a whole one."""

import hashlib
import json
import platform
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from features.errors import ScratchworkError
from features.extract import ExtractionSettings
from models.artifacts import VERSIONED, file_digest, load_model, read_card, save_model, settings_card, versions, write_json


class Interrupts:
    """Ctrl-C while it is being saved."""

    def __reduce__(self) -> str:
        raise KeyboardInterrupt("while saving")


def model_of(number: int, settings: ExtractionSettings | None = None, **more: object) -> SimpleNamespace:
    return SimpleNamespace(settings=settings or ExtractionSettings(), weights=np.full(1000, number), **more)


def card_of(model: SimpleNamespace, **more: object) -> dict:
    return {"classes": ["고양이", "dog"], **settings_card(model.settings), **more}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A saved model, all of whose weights are 1, in a folder that had to be made."""
    file = tmp_path / "made" / "here" / "lgbm.joblib"
    save_model(model_of(1), file, card_of(model_of(1)))
    return file


def number_in(file: Path) -> int:
    return int(load_model(file)[0].weights[0])


def test_what_is_loaded_is_what_was_saved(saved: Path) -> None:
    """The model comes back with its settings and arrays, and the sidecar with what the card said, the digest and the versions."""
    model, card = load_model(saved)
    assert model.settings == ExtractionSettings()
    assert model.weights.tolist() == [1] * 1000
    assert card == {**card_of(model), "versions": versions(), "sha256": hashlib.sha256(saved.read_bytes()).hexdigest()}


def test_the_sidecar_is_for_reading(saved: Path) -> None:
    """It is indented UTF-8 in which labels of any script can be read."""
    text = saved.with_suffix(".json").read_text(encoding="utf-8")
    assert '\n    "고양이",\n' in text
    assert text.endswith("}\n")


def test_a_good_save_leaves_the_pair_and_nothing_else(saved: Path) -> None:
    """There is the model and its sidecar, also after saving over them; no temporary file stays."""
    save_model(model_of(2), saved, card_of(model_of(2)))
    assert {file.name for file in saved.parent.iterdir()} == {"lgbm.joblib", "lgbm.json"}
    assert number_in(saved) == 2


def test_models_side_by_side_keep_their_own_sidecars(saved: Path) -> None:
    """Two models in one folder do not touch each other's files, though a dot is in the name."""
    other = saved.with_name("lgbm.v2.joblib")
    save_model(model_of(2), other, card_of(model_of(2)))
    assert (number_in(saved), number_in(other)) == (1, 2)


@pytest.mark.parametrize("position", [0, 100, -1], ids=["first byte", "in the middle", "last byte"])
def test_a_changed_byte_is_found(saved: Path, position: int) -> None:
    """A model file with one other byte is not loaded, and the message names the file and the digest."""
    data = bytearray(saved.read_bytes())
    data[position] ^= 1
    saved.write_bytes(data)
    with pytest.raises(ScratchworkError, match=r"lgbm\.joblib is not the file that lgbm\.json describes \(its sha256 differs\)"):
        load_model(saved)


@pytest.mark.parametrize("suffix", [".joblib", ".json"], ids=["only the model copied", "only the sidecar copied"])
def test_halves_of_two_saves_do_not_pass_for_a_pair(saved: Path, tmp_path: Path, suffix: str) -> None:
    """One file of another save beside the old other one, as an interruption between the two would leave them, is refused."""
    other = tmp_path / "lgbm.joblib"
    save_model(model_of(2), other, card_of(model_of(2)))
    saved.with_suffix(suffix).write_bytes(other.with_suffix(suffix).read_bytes())
    with pytest.raises(ScratchworkError, match="sha256 differs"):
        load_model(saved)


@pytest.mark.parametrize("suffix", [".joblib", ".json"])
def test_a_missing_half_is_named(saved: Path, suffix: str) -> None:
    """Where one of the two files is missing, the message names it and the command that makes it."""
    saved.with_suffix(suffix).unlink()
    with pytest.raises(ScratchworkError, match=rf"lgbm\{suffix} does not exist; make it with: python cli.py train"):
        load_model(saved)


@pytest.mark.parametrize(("content", "message"), [
    (b"", "is not JSON"),
    (b'{"sha256": "12', "is not JSON"),
    (b"\xff\xfe\x00", "is not JSON"),
    (b"[]", "does not describe a model"),
    (b'"sha256 classes"', "does not describe a model"),
    (b'{"classes": []}', "no sha256 or no classes"),
    (b'{"sha256": ""}', "no sha256 or no classes"),
], ids=["empty", "cut off", "not text", "a list", "a string", "no digest", "no classes"])
def test_a_sidecar_that_is_none_is_refused(saved: Path, content: bytes, message: str) -> None:
    """Whatever else lies under the sidecar's name gives a message that names it, not a traceback."""
    saved.with_suffix(".json").write_bytes(content)
    with pytest.raises(ScratchworkError, match=rf"lgbm\.json {message}|lgbm\.json does not describe a model \({message}"):
        read_card(saved)


@pytest.mark.parametrize("versions_known", [True, False], ids=["as saved", "without versions"])
def test_another_extraction_is_refused(saved: Path, versions_known: bool) -> None:
    """A model whose sidecar names another extraction than the program now makes is not loaded; the message names both."""
    sidecar = saved.with_suffix(".json")
    card = {**json.loads(sidecar.read_text(encoding="utf-8")), "extraction": "0123456789abcdef"}
    if not versions_known:
        del card["versions"]
    write_json(card, sidecar)
    with pytest.raises(ScratchworkError, match=rf"extraction 0123456789abcdef, here {ExtractionSettings().fingerprint()}"):
        load_model(saved)


def test_the_models_own_settings_count(tmp_path: Path) -> None:
    """A model of other settings than the default's loads: what matters is that its features can be made here."""
    model = model_of(3, ExtractionSettings(trim=False, max_pixels=10**6))
    file = tmp_path / "untrimmed.joblib"
    save_model(model, file, card_of(model))
    loaded, card = load_model(file)
    assert loaded.settings == model.settings
    assert (card["trim"], card["max_pixels"]) == (False, 10**6)
    assert card["extraction"] == model.settings.fingerprint() != ExtractionSettings().fingerprint()


def test_a_file_that_cannot_be_unpickled_says_what_made_it(saved: Path) -> None:
    """A file that fits its digest but not the libraries here gives a message with the versions that made it."""
    saved.write_bytes(b"no pickle")
    sidecar = saved.with_suffix(".json")
    write_json({**json.loads(sidecar.read_text(encoding="utf-8")), "sha256": file_digest(saved)}, sidecar)
    made_with = rf"python {platform.python_version()}.*numpy {np.__version__}"
    with pytest.raises(ScratchworkError, match=f"cannot be loaded here .* it was made with {made_with}"):
        load_model(saved)


@pytest.mark.parametrize(("more", "error", "message"), [
    ({"broken": Interrupts()}, KeyboardInterrupt, "while saving"),
    ({"broken": lambda: 0}, Exception, "(?i)pickle"),
], ids=["interrupted", "not to be pickled"])
def test_a_broken_save_leaves_the_old_pair(saved: Path, more: dict, error: type[BaseException], message: str) -> None:
    """A save that ends half-way leaves the earlier model loadable and no temporary file, and the next one succeeds."""
    with pytest.raises(error, match=message):
        save_model(model_of(2, **more), saved, card_of(model_of(2)))
    assert number_in(saved) == 1
    assert {file.name for file in saved.parent.iterdir()} == {"lgbm.joblib", "lgbm.json"}
    save_model(model_of(3), saved, card_of(model_of(3)))
    assert number_in(saved) == 3


def test_a_card_that_is_no_json_leaves_the_old_pair(saved: Path) -> None:
    """A card that cannot be written is found before anything is replaced."""
    with pytest.raises(TypeError, match="JSON serializable"):
        save_model(model_of(2), saved, card_of(model_of(2), figures=np.ones(2)))
    assert number_in(saved) == 1
    assert {file.name for file in saved.parent.iterdir()} == {"lgbm.joblib", "lgbm.json"}


def test_a_broken_first_save_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    """Where there was no model before, there is none after an interruption."""
    file = tmp_path / "lgbm.joblib"
    with pytest.raises(KeyboardInterrupt, match="while saving"):
        save_model(model_of(1, broken=Interrupts()), file, card_of(model_of(1)))
    with pytest.raises(ScratchworkError, match=r"lgbm\.joblib does not exist"):
        load_model(file)
    assert list(tmp_path.iterdir()) == []


def test_versions_name_what_shapes_a_model() -> None:
    """Python and every library that numbers pass through are named, each with a version or the word that it is missing."""
    found = versions()
    assert found["python"] == platform.python_version()
    assert found["numpy"] == np.__version__
    assert set(found) == {"python", *VERSIONED}
    assert all(found.values())
