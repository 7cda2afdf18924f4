"""Who writes into a folder: one run at a time, the second is told of the first, and a run that was killed leaves the folder free."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import cli
from features.errors import ScratchworkError
from features.files import alone_in, whole_file

ROOT = Path(__file__).resolve().parent.parent
HOLDER = """
import sys
from pathlib import Path
from features.files import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_elsewhere(folder: Path) -> Iterator[subprocess.Popen]:
    """Another process holds ``folder`` until the block ends."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.kill()


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    """Whoever ends last is what stays, whole, and nothing else is left."""
    file, met = tmp_path / "결과.json", threading.Barrier(2)

    def write(text: str) -> None:
        with whole_file(file) as fresh:
            fresh.write_text(text, encoding="utf-8")
            met.wait()
            assert fresh.read_text(encoding="utf-8") == text

    other = threading.Thread(target=write, args=["of the other" * 1000])
    other.start()
    write("own")
    other.join()
    assert file.read_text(encoding="utf-8") in ("own", "of the other" * 1000)
    assert [found.name for found in tmp_path.iterdir()] == ["결과.json"]


def test_the_second_run_is_told_of_the_first(tmp_path: Path) -> None:
    """Its process and command are named; another folder is free; and so is this one after the first was killed."""
    folder = tmp_path / "산출물"
    with held_elsewhere(folder) as holder:
        said = rf"another run \(process {holder.pid} on .*, -c .*, since .*\) is writing into .*산출물; wait for it"
        with pytest.raises(ScratchworkError, match=said), alone_in(folder):
            pass
        with alone_in(tmp_path / "other"):
            pass
    with alone_in(folder), alone_in(folder):
        pass
    assert [file.name for file in folder.iterdir()] == ["run.lock"]


@pytest.mark.parametrize("command", [["features"], ["clean"], ["train"], ["train", "--model", "cnn"], ["train", "--model", "stack"],
                                     ["augment-preview"], ["experiment", str(ROOT / "experiments" / "ablation.toml")]], ids=" ".join)
def test_a_command_does_not_write_beside_another(small_set: Path, tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture) -> None:
    """One line, and nothing is written."""
    folder = tmp_path / "artifacts"
    with held_elsewhere(folder) as holder:
        assert cli.main([*command, "--data", str(small_set), "--artifacts", str(folder)]) == 1
    said = capsys.readouterr().err
    assert f"error: another run (process {holder.pid} on " in said
    assert "Traceback" not in said
    assert {file.name for file in folder.iterdir()} == {"run.lock", "run.lock.holder"}


def test_a_run_that_came_to_nothing_leaves_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A mistyped data folder: no artifacts folder is made for it; one that was there stays, and so does what a failed run wrote."""
    there, made = tmp_path / "there", tmp_path / "made"
    there.mkdir()
    for folder in (there, made):
        assert cli.main(["features", "--data", str(tmp_path / "nowhere"), "--artifacts", str(folder)]) == 1
    assert "does not exist" in capsys.readouterr().err
    assert there.exists()
    assert not made.exists()
    with pytest.raises(RuntimeError, match="later"), alone_in(made):
        (made / "manifest.csv").touch()
        raise RuntimeError("later")
    assert (made / "manifest.csv").exists()
