"""The scan: a folder as people have it → rows in one order, labels in one spelling, and a word on what was passed over."""

import os
import unicodedata
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from features.errors import ScratchworkError
from features.scan import SCAN_COLUMNS, label_of, natural_order, scan_folder

NFC, NFD = (unicodedata.normalize(form, "가방") for form in ("NFC", "NFD"))
labels = st.text(st.sampled_from("aAbß0123_ 가é"), max_size=6)


def test_a_row_is_a_picture_with_its_label_and_size(write_files: Callable) -> None:
    """Each picture is one row: its path under the root, its first folder, its size and time, no issue."""
    root = write_files({"cat/a.png": b"12345", "cat/deep/er/b.JPG": b"", "loose.gif": b"1"})
    files = scan_folder(root).files
    assert list(files.columns) == SCAN_COLUMNS
    assert files.index.name == "path"
    assert files["label"].to_dict() == {"cat/a.png": "cat", "cat/deep/er/b.JPG": "cat", "loose.gif": ""}
    assert files["bytes"].tolist() == [5, 0, 1]
    assert files["modified_ns"].tolist() == [(root / path).stat().st_mtime_ns for path in files.index]
    assert (files["issue"] == "").all()


@pytest.mark.parametrize(("path", "label"), [
    pytest.param("cat/1.png", "cat", id="plain"), pytest.param("cat/dog/1.png", "cat", id="first-level-only"),
    pytest.param("1.png", "", id="no-folder-no-label"), pytest.param("two words/a b.png", "two words", id="spaces"),
    pytest.param(f"{NFD}/1.png", NFC, id="mac-spelling-of-korean"), pytest.param("🎒 bag/✏️.png", "🎒 bag", id="emoji"),
])
def test_the_label_is_the_first_folder(path: str, label: str, write_files: Callable) -> None:
    """The first level names the label, in NFC; the path stays as the file system spells it."""
    files = scan_folder(write_files({path: b"1"})).files
    assert files["label"].to_dict() == {path: label} == {path: label_of(path)}
    assert (write_files({}) / files.index[0]).exists()


def test_two_spellings_of_a_korean_label_are_one(write_files: Callable) -> None:
    """Folders of one name in NFC and NFD, as a zip from a Mac leaves them, are one label, and no file is lost."""
    root = write_files({f"{NFC}/1.png": b"1", f"{NFD}/1.png": b"2", f"{NFC}/{NFD}.png": b"3", f"{NFC}/{NFC}.png": b"4"})
    if len(list(root.iterdir())) < 2:
        pytest.skip("this file system unifies spellings itself")
    files = scan_folder(root).files
    assert set(files["label"]) == {NFC}
    assert len(files) == 4
    assert files.index.is_unique


def test_what_is_not_a_picture_is_counted_by_kind(write_files: Callable) -> None:
    """Hidden files and folders and other suffixes are passed over, and the scan says how many of which."""
    scan = scan_folder(write_files({
        "cat/1.png": b"1", "cat/.DS_Store": b"", "cat/._1.png": b"", "cat/notes.txt": b"", "dog/Readme.TXT": b"", "cat/labels": b"",
        ".git/objects/1.png": b"", "__MACOSX/cat/1.png": b"", "cat/__MACOSX/2.png": b"", "dog/Thumbs.db": b""}))
    assert scan.files.index.tolist() == ["cat/1.png"]
    assert scan.passed_over == {".db file": 1, ".txt file": 2, "hidden file": 2, "hidden folder": 3, "no suffix file": 1}


def test_pipes_are_passed_over(write_files: Callable) -> None:
    """A named pipe with a picture's name is not opened, which would wait for ever."""
    root = write_files({"cat/1.png": b"1"})
    os.mkfifo(root / "cat/pipe.png")
    scan = scan_folder(root)
    assert scan.files.index.tolist() == ["cat/1.png"]
    assert scan.passed_over == {"not a regular file": 1}


def test_links_to_files_and_folders_are_followed(write_files: Callable, tmp_path: Path) -> None:
    """A linked picture is a row with its target's size; a linked folder is a label under the link's name."""
    root = write_files({"cat/1.png": b"12345"})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/2.png").write_bytes(b"123")
    (root / "cat/link.png").symlink_to(tmp_path / "elsewhere/2.png")
    (root / "dog").symlink_to(tmp_path / "elsewhere")
    files = scan_folder(root).files
    assert files["bytes"].to_dict() == {"cat/1.png": 5, "cat/link.png": 3, "dog/2.png": 3}
    assert files["label"].to_dict()["dog/2.png"] == "dog"
    assert (files["issue"] == "").all()


def test_a_broken_link_is_a_row_with_an_issue(write_files: Callable) -> None:
    """A link to nothing is not dropped silently: its row says so."""
    root = write_files({"cat/1.png": b"1"})
    (root / "cat/gone.png").symlink_to(root / "nowhere.png")
    issues = scan_folder(root).files["issue"]
    assert issues["cat/gone.png"] == "cannot be opened: No such file or directory (a link to nothing)"
    assert issues["cat/1.png"] == ""


def test_circles_of_linked_folders_end(write_files: Callable) -> None:
    """Folders that link to themselves or to their parents are walked once, so each picture is one row."""
    root = write_files({"cat/1.png": b"1", "dog/2.png": b"1"})
    (root / "cat/self").symlink_to(root / "cat")
    (root / "cat/up").symlink_to(root)
    (root / "dog/over").symlink_to(root / "cat")
    assert scan_folder(root).files.index.tolist() == ["cat/1.png", "dog/2.png"]


def test_a_link_in_a_circle_with_itself_is_an_issue(write_files: Callable) -> None:
    """A picture's name that links to itself is a row with the system's reason."""
    root = write_files({"cat/1.png": b"1"})
    (root / "cat/loop.png").symlink_to(root / "cat/loop.png")
    assert scan_folder(root).files["issue"]["cat/loop.png"].startswith("cannot be opened: Too many levels of symbolic links")


def test_a_name_that_is_not_utf8_is_a_row_with_an_issue(write_files: Callable) -> None:
    """Names from old archives, which no table could be written with, become rows with an escaped path and a reason."""
    root = write_files({"cat/1.png": b"1"})
    try:
        Path(os.fsdecode(os.fsencode(root) + b"/cat/\xb0\xa1.png")).write_bytes(b"1")
    except OSError:
        pytest.skip("this file system refuses such names")
    files = scan_folder(root).files
    assert files["issue"].to_dict() == {"cat/1.png": "", r"cat/\xb0\xa1.png": "the file's name is not valid UTF-8; rename it"}
    assert "".join(files.index).encode(), "every path can be written"


def test_a_folder_that_is_not_utf8_is_a_label_with_issues(write_files: Callable) -> None:
    """The label of such a folder is escaped too, so that it can be shown and written."""
    root = write_files({"cat/1.png": b"1"})
    try:
        folder = Path(os.fsdecode(os.fsencode(root) + b"/\xb0\xa1"))
        folder.mkdir()
    except OSError:
        pytest.skip("this file system refuses such names")
    (folder / "1.png").write_bytes(b"1")
    files = scan_folder(root).files
    assert files.loc[r"\xb0\xa1/1.png", "label"] == r"\xb0\xa1"
    assert files.loc[r"\xb0\xa1/1.png", "issue"] == "the file's name is not valid UTF-8; rename it"


@pytest.mark.parametrize(("files", "folder", "message"), [
    pytest.param({"cat/1.png": b"1"}, "no", "data folder .*/data/no does not exist; give one with --data DIR: a sub-folder per label", id="missing"),
    pytest.param({"cat/1.png": b"1"}, "cat/1.png", "data folder .*/cat/1.png is a file, not a folder", id="file"),
    pytest.param({"cat/1.txt": b"1", "cat/2.txt": b"", ".x/1": b""}, ".",
                 r"no pictures in .*/data \(2 \.txt files, 1 hidden folder passed over\); put them in one sub-folder per label", id="no-pictures"),
])
def test_a_useless_folder_is_refused_with_advice(files: dict[str, bytes], folder: str, message: str, write_files: Callable) -> None:
    """The message names the folder as an absolute path, says what is wrong with it, and what to do."""
    with pytest.raises(ScratchworkError, match=message):
        scan_folder(write_files(files) / folder)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    """With nothing there, nothing is said to have been passed over."""
    with pytest.raises(ScratchworkError, match=r"no pictures in [^(]*; put them"):
        scan_folder(tmp_path)


@given(order=st.permutations(["b/2.png", "b/10.png", f"{NFD}/1.png", f"{NFC}/2.png", "a/x/1.png", "a.png", "a/1.png", "B/1.png"]))
def test_rows_come_in_one_order(order: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    """The order in which files were made does not show."""
    root = tmp_path_factory.mktemp("order")
    for path in order:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    assert scan_folder(root).files.index.tolist() == [
        "B/1.png", "a.png", "a/1.png", "a/x/1.png", "b/10.png", "b/2.png", f"{NFD}/1.png", f"{NFC}/2.png"]


def test_labels_count_as_people_count() -> None:
    """Numbers within names are numbers, capitals do not matter, and repeats are dropped."""
    assert natural_order(["L2_10", "L2_3", "L10_1", "L2_3", "l2_4"]) == ["L2_3", "l2_4", "L2_10", "L10_1"]
    ordered = ["", "2 dogs", "10 dogs", "Cap", "cat", "cat2", "cat10", "가"]
    assert natural_order(ordered[::-1]) == ordered


@given(names=st.lists(labels, max_size=8), data=st.data())
@example(names=["1", "01", "001", "١", "²"], data=None)  # equal numbers, and digits that int() or isdigit() see elsewhere
def test_natural_order_is_one_total_order(names: list[str], data: st.DataObject | None) -> None:
    """Distinct labels, whatever the order of the input; and each pair stands as it does alone."""
    ordered = natural_order(names)
    assert len(ordered) == len(set(ordered))
    assert set(ordered) == set(names)
    assert natural_order(data.draw(st.permutations(names)) if data else names[::-1]) == ordered
    for a, b in pairwise(ordered):
        assert natural_order([b, a]) == [a, b]
    if len(ordered) > 2:
        assert natural_order([ordered[-1], ordered[0]]) == [ordered[0], ordered[-1]], "transitive"


@given(label=labels, more=labels.filter(bool))
@example(label="cat", more="2")
def test_a_label_comes_before_its_continuations(label: str, more: str) -> None:
    """As in every dictionary and file manager: cat before cat2 before cats."""
    assert natural_order([label + more, label]) == [label, label + more]


@given(number=st.integers(0, 10**12), other=st.integers(0, 10**12), before=st.sampled_from(["", "L", "L2_"]), after=st.sampled_from(["", "_x"]))
def test_numbers_are_compared_as_numbers(number: int, other: int, before: str, after: str) -> None:
    """Between equal texts the smaller number comes first."""
    small, large = sorted({number, other} | {number + 1})[:2]
    assert natural_order([f"{before}{large}{after}", f"{before}{small}{after}"]) == [f"{before}{small}{after}", f"{before}{large}{after}"]
