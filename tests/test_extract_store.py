"""Extraction and its cache: one result whatever the order, the jobs and the interruptions; decoded once; whole or not there."""

import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from features.errors import ScratchworkError
from features.extract import CHUNK_FILES, Extracted, ExtractionSettings, Facts, Request, extract, extract_chunk, read_file
from features.families import feature_names
from features.store import INDEX_COLUMNS, FeatureStore

SETTINGS = ExtractionSettings()
ARRAYS = ("features", "hashes", "tiles")


def files_of(root: Path) -> list[str]:
    return sorted(str(file) for file in root.rglob("*") if file.is_file())


def by_digest(chunks: list[Extracted]) -> dict[str, tuple]:
    """sha256 → (facts, features, hash, tile) as bytes, to compare whatever the order."""
    found: dict[str, tuple] = {}
    for chunk in chunks:
        readable = iter(range(len(chunk.features)))
        for facts in chunk.facts:
            row = None if facts.issue else next(readable)
            arrays = () if row is None else tuple(getattr(chunk, name)[row].tobytes() for name in ARRAYS)
            found[facts.sha256] = (repr(facts), *arrays)
    return found


def fill(store: FeatureStore, files: list[str], per_chunk: int = 3) -> list[bool]:
    """Extract what the store does not know and append it; per file, whether it was skipped."""
    skipped = []
    with store.writing():
        known = frozenset(store.index.index)
        for start in range(0, len(files), per_chunk):
            chunk = extract_chunk([Request(file, known) for file in files[start:start + per_chunk]], SETTINGS)
            store.append(chunk, [Path(file).stat().st_size for file in files[start:start + per_chunk]])
            skipped += chunk.skipped
    return skipped


def contents(store: FeatureStore) -> dict[str, tuple]:
    """sha256 → everything that the store holds about it but the row's number."""
    arrays = {name: np.array(getattr(store, name)) for name in ARRAYS}
    return {digest: (repr(row.drop("row").to_dict()), *(arrays[name][row["row"]].tobytes() for name in ARRAYS if row["row"] >= 0))
            for digest, row in store.index.iterrows()}


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """``tiny_disk("size=64k")`` mounts, and mounts again with other options, a real file system in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = False

    def mount(options: str) -> Path:
        nonlocal mounted
        command = ["mount", "-t", "tmpfs", "-o", f"remount,{options}" if mounted else options, "none", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("a small file system can be mounted by root on Linux only")
        mounted = True
        return folder
    yield mount
    if mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


# Extraction


def test_a_file_gives_facts_and_numbers(small_set: Path) -> None:
    """The digest, the header and the mean are the file's; features, hash and tile have their shapes."""
    extracted = extract_chunk([Request(str(small_set / "cat/cat0.png"))], SETTINGS)
    image = Image.open(small_set / "cat/cat0.png")
    digest = hashlib.sha256((small_set / "cat/cat0.png").read_bytes()).hexdigest()
    assert extracted.facts == [Facts(digest, "PNG", "RGB", *image.size, pytest.approx(np.asarray(image).mean()), "")]
    assert [array.shape for array in extracted[1:4]] == [(1, len(feature_names())), (1, 32), (1, 128, 128, 3)]
    assert extracted.skipped == [False]


@pytest.mark.parametrize(("name", "issue"), [
    pytest.param("cat/empty.png", "empty file", id="empty"), pytest.param("dog/html.jpg", "not a picture: HTML", id="html"),
    pytest.param("dog/truncated.png", "damaged PNG", id="truncated"), pytest.param("no.png", "cannot be opened: No such file", id="missing"),
    pytest.param("cat", "cannot be opened: Is a directory", id="folder"),
])
def test_trouble_is_a_value(name: str, issue: str, small_set: Path) -> None:
    """An unreadable file is facts with an issue and no picture; a digest is there if the bytes were."""
    facts, picture, known = read_file(Request(str(small_set / name)), SETTINGS)
    assert facts.issue.startswith(issue)
    assert picture is None
    assert not known
    assert (facts.sha256 != "") == (small_set / name).is_file()


def test_jobs_do_not_show(small_set: Path) -> None:
    """Two processes give the same chunks, in the order of the requests, as one."""
    requests = [Request(file) for file in files_of(small_set)] * (2 * CHUNK_FILES // 9)
    assert len(requests) > CHUNK_FILES
    alone, together = list(extract(requests, SETTINGS, jobs=1)), list(extract(requests, SETTINGS, jobs=2))
    assert [len(chunk.facts) for chunk in alone] == [len(chunk.facts) for chunk in together]
    for a, b in zip(alone, together, strict=True):
        assert repr(a.facts) == repr(b.facts)
        assert a.skipped == b.skipped
        assert all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ARRAYS)


def test_workers_find_files_named_from_here(small_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that were started in another folder read the names as they are meant in this one."""
    requests = [Request(file) for file in files_of(small_set)] * (2 * CHUNK_FILES // 9)
    expected = list(extract(requests, SETTINGS, jobs=2))
    monkeypatch.chdir(small_set)
    found = list(extract([Request(os.path.relpath(request.file)) for request in requests], SETTINGS, jobs=2))
    assert repr([chunk.facts for chunk in found]) == repr([chunk.facts for chunk in expected])


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_files_does_not_show(seed: int, small_set: Path) -> None:
    """A picture's numbers do not depend on its neighbours in a chunk."""
    files = files_of(small_set)
    shuffled = np.random.default_rng(seed).permutation(files).tolist()
    chunks = list(extract([Request(file) for file in shuffled], SETTINGS, jobs=1))
    expected = by_digest([extract_chunk([Request(file)], SETTINGS) for file in files])
    assert by_digest(chunks) == expected
    assert len(expected) == 8


def test_nothing_to_extract_is_nothing(small_set: Path) -> None:
    """No requests give no chunks; a chunk without readable files has empty arrays of the right widths."""
    assert list(extract([], SETTINGS, jobs=2)) == []
    chunk = extract_chunk([Request(str(small_set / "cat/empty.png"))], SETTINGS)
    assert (chunk.features.shape, chunk.hashes.shape, chunk.tiles.shape) == ((0, len(feature_names())), (0, 32), (0, 128, 128, 3))


def test_a_known_digest_is_not_decoded(small_set: Path) -> None:
    """With its digest known, a file gives only that digest: no facts, no numbers."""
    requests = [Request(file) for file in files_of(small_set)]
    first = extract_chunk(requests, SETTINGS)
    known = frozenset(facts.sha256 for facts in first.facts)
    second = extract_chunk([Request(request.file, known) for request in requests], SETTINGS)
    assert first.skipped == [False] * 9
    assert second.skipped == [True] * 9
    assert repr(second.facts) == repr([Facts(facts.sha256) for facts in first.facts]), "by repr, since NaN is not NaN"
    assert len(second.features) == len(second.hashes) == len(second.tiles) == 0


def test_the_fingerprint_names_what_shapes_numbers() -> None:
    """Trimming changes the numbers and the fingerprint; the limit on pixels changes neither."""
    assert replace(SETTINGS, trim=False).fingerprint() != SETTINGS.fingerprint()
    assert replace(SETTINGS, max_pixels=1).fingerprint() == SETTINGS.fingerprint() == ExtractionSettings().fingerprint()


# Store


def test_what_was_appended_is_read_back(small_set: Path, tmp_path: Path) -> None:
    """After reopening, index and arrays are what this run saw, to the last bit, and what extraction gave."""
    store = FeatureStore(tmp_path / "cache", SETTINGS)
    fill(store, files_of(small_set))
    again = FeatureStore(tmp_path / "cache", SETTINGS)
    pd.testing.assert_frame_equal(store.index, again.index, check_exact=True)
    assert contents(store) == contents(again)
    extracted = by_digest([extract_chunk([Request(file)], SETTINGS) for file in files_of(small_set)])
    for digest, row in again.index.iterrows():
        facts, *arrays = extracted[digest]
        assert repr(Facts(digest, *row.drop(["bytes", "row"]).tolist())) == facts
        if arrays:
            assert [np.array(getattr(again, name)[row["row"]]).tobytes() for name in ARRAYS] == arrays


def test_unreadable_files_are_in_the_index_without_a_row(small_set: Path, tmp_path: Path) -> None:
    """They have row -1 and their issue; the readable are numbered without gaps; equal files are stored once."""
    store = FeatureStore(tmp_path, SETTINGS)
    fill(store, files_of(small_set))
    assert len(files_of(small_set)) == 9
    assert len(store.index) == 8
    assert ((store.index["row"] == -1) == (store.index["issue"] != "")).all()
    assert (store.index["row"] == -1).sum() == 3
    assert sorted(store.index["row"])[3:] == [0, 1, 2, 3, 4]
    assert len(store.features) == len(store.hashes) == len(store.tiles) == 5
    sizes = {read_file(Request(file), SETTINGS)[0].sha256: Path(file).stat().st_size for file in files_of(small_set)}
    assert store.index["bytes"].to_dict() == sizes


def test_copies_within_a_chunk_are_stored_once(small_set: Path, tmp_path: Path) -> None:
    """However a chunk repeats contents, readable and not, each is one entry and the arrays stay in step with the index."""
    files = files_of(small_set)
    store, repeated = FeatureStore(tmp_path / "a", SETTINGS), FeatureStore(tmp_path / "b", SETTINGS)
    fill(store, files)
    fill(repeated, [file for file in files for _ in range(3)] + files, per_chunk=10)
    assert contents(repeated) == contents(store)


def test_a_second_pass_decodes_nothing(small_set: Path, tmp_path: Path) -> None:
    """What is in the cache is skipped, new files cost only themselves, and the files of the cache do not change."""
    files = files_of(small_set)
    assert not any(fill(FeatureStore(tmp_path / "cache", SETTINGS), files[:4]))
    assert fill(FeatureStore(tmp_path / "cache", SETTINGS), files).count(True) == 4
    before = {file: Path(file).read_bytes() for file in files_of(tmp_path / "cache")}
    assert all(fill(FeatureStore(tmp_path / "cache", SETTINGS), files))
    assert {file: Path(file).read_bytes() for file in files_of(tmp_path / "cache")} == before


def test_the_limit_on_pixels_is_asked_again(small_set: Path, tmp_path: Path) -> None:
    """Too large for one run is not remembered, as the next run may allow more; such a file has no row to mislead."""
    store, file = FeatureStore(tmp_path, SETTINGS), str(small_set / "cat/cat0.png")
    with store.writing():
        store.append(extract_chunk([Request(file)], ExtractionSettings(max_pixels=10)), [1])
    assert len(store.index) == 0
    assert fill(store, [file]) == [False]
    assert len(store.features) == 1


def test_rows_are_found_by_digest(small_set: Path, tmp_path: Path) -> None:
    """`rows_of` leads from contents to array rows in the order asked, and refuses what was never extracted."""
    store = FeatureStore(tmp_path, SETTINGS)
    fill(store, files_of(small_set))
    digests = store.index.index[store.index["row"] >= 0][::-1]
    for digest, row in zip(digests, store.rows_of(digests.to_series()), strict=True):
        assert store.index.loc[digest, "row"] == row
    with pytest.raises(KeyError, match="0000"):
        store.rows_of(pd.Series(["0000"]))


def test_an_empty_store_has_empty_arrays(tmp_path: Path) -> None:
    """Before the first run everything is there, with no rows, and opening writes nothing."""
    store = FeatureStore(tmp_path / "cache", SETTINGS)
    assert [getattr(store, name).shape for name in ARRAYS] == [(0, len(feature_names())), (0, 32), (0, 128, 128, 3)]
    assert len(store.index) == 0
    assert not (tmp_path / "cache").exists()


def test_arrays_are_read_only(small_set: Path, tmp_path: Path) -> None:
    """A reader cannot spoil the cache."""
    store = FeatureStore(tmp_path, SETTINGS)
    fill(store, files_of(small_set))
    with pytest.raises(ValueError, match="read-only"):
        store.tiles[0] = 0


def test_settings_do_not_share_a_cache(small_set: Path, tmp_path: Path) -> None:
    """Another fingerprint is another folder: nothing of the one shows in the other."""
    fill(FeatureStore(tmp_path, SETTINGS), files_of(small_set))
    assert len(FeatureStore(tmp_path, replace(SETTINGS, trim=False)).index) == 0


# Interruptions


def header_and(lines: int, last_line: float) -> Callable[[bytes], int]:
    """How many bytes of a journal are left with ``lines`` whole lines and a share of the next."""
    def kept(journal: bytes) -> int:
        ends = np.cumsum([0, *map(len, journal.splitlines(keepends=True))])
        return int(ends[lines] + last_line * (ends[lines + 1] - ends[lines]))
    return kept


@pytest.mark.parametrize(("kept", "left"), [
    pytest.param(lambda journal: 0, 0, id="nothing-was-written-into-it"),
    pytest.param(header_and(0, 0.5), 0, id="middle-of-the-header"),
    pytest.param(header_and(1, 0), 0, id="header-only"),
    pytest.param(header_and(1, 0.5), 0, id="middle-of-the-first-line"),
    pytest.param(header_and(6, 0.9), 5, id="near-the-end-of-a-line"),
    pytest.param(lambda journal: len(journal) - 1, 7, id="only-the-last-line-end-is-missing"),
    pytest.param(len, 8, id="whole"),
])
def test_an_interrupted_run_is_repaired_and_continued(kept: Callable, left: int, small_set: Path, tmp_path: Path) -> None:
    """Wherever the journal was cut, with arrays ahead of it, whole lines count, and a re-run ends as if never interrupted."""
    files = files_of(small_set)
    whole, broken = FeatureStore(tmp_path / "whole", SETTINGS), FeatureStore(tmp_path / "broken", SETTINGS)
    fill(whole, files)
    fill(broken, files)
    journal = broken.folder / "index.csv"
    os.truncate(journal, kept(journal.read_bytes()))
    for name in ARRAYS:
        with (broken.folder / f"{name}.bin").open("ab") as file:
            file.write(b"half a row")
    reopened = FeatureStore(tmp_path / "broken", SETTINGS)
    assert len(reopened.index) == left, "readable at once, by whole lines"
    assert contents(reopened) == {digest: contents(whole)[digest] for digest in reopened.index.index}
    assert sum(fill(reopened, files)) == sum(read_file(Request(f), SETTINGS)[0].sha256 in whole.index.index[:left] for f in files)
    assert contents(reopened) == contents(FeatureStore(tmp_path / "broken", SETTINGS)) == contents(whole)
    assert {f.name: f.stat().st_size for f in reopened.folder.iterdir()} == {f.name: f.stat().st_size for f in whole.folder.iterdir()}


def test_a_line_cut_within_a_character_is_cut_off(small_set: Path, tmp_path: Path) -> None:
    """A reason in another language may be cut between two bytes of one letter; that line is dropped like any other."""
    store = FeatureStore(tmp_path, SETTINGS)
    fill(store, files_of(small_set))
    with (store.folder / "index.csv").open("ab") as journal:
        journal.write(("0" * 64 + ",,,0,0,nan,손상").encode()[:-1])
    assert len(FeatureStore(tmp_path, SETTINGS).index) == 8
    assert all(fill(store, files_of(small_set)))


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_lost_rows_are_refused(name: str, small_set: Path, tmp_path: Path) -> None:
    """An array shorter than the journal is damage that no re-run repairs: readers and writers say what to delete."""
    fill(FeatureStore(tmp_path, SETTINGS), files_of(small_set))
    store = FeatureStore(tmp_path, SETTINGS)
    file = store.folder / f"{name}.bin"
    os.truncate(file, file.stat().st_size - 1)
    message = rf"{name}\.bin is shorter than its index says; delete the folder .* and run again"
    with pytest.raises(ScratchworkError, match=message), store.writing():
        pass
    with pytest.raises(ScratchworkError, match=message):
        getattr(store, name)
    file.unlink()
    with pytest.raises(ScratchworkError, match=message):
        getattr(FeatureStore(tmp_path, SETTINGS), name)


def test_an_index_of_other_columns_is_refused(small_set: Path, tmp_path: Path) -> None:
    """A journal of another version is not guessed at."""
    store = FeatureStore(tmp_path, SETTINGS)
    fill(store, files_of(small_set))
    journal = store.folder / "index.csv"
    journal.write_text(journal.read_text().replace(",".join(INDEX_COLUMNS), ",".join(INDEX_COLUMNS[::-1])))
    with pytest.raises(ScratchworkError, match=r"index\.csv is not an index of this version; delete the folder"):
        FeatureStore(tmp_path, SETTINGS)


def test_one_writer_at_a_time(small_set: Path, tmp_path: Path) -> None:
    """A second run that would write is refused at once; readers are not; afterwards, and after a crash, the way is free."""
    first, second = FeatureStore(tmp_path, SETTINGS), FeatureStore(tmp_path, SETTINGS)
    with first.writing():
        with pytest.raises(ScratchworkError, match=r"another run is extracting into .*; wait for it, or use another"), second.writing():
            pass
        assert len(FeatureStore(tmp_path, SETTINGS).index) == 0
    with pytest.raises(RuntimeError, match="crash"), first.writing():
        raise RuntimeError("crash")
    assert fill(second, files_of(small_set)).count(True) == 0


def test_a_writer_sees_what_was_written_since_it_opened(small_set: Path, tmp_path: Path) -> None:
    """Two stores opened together that write one after the other do not overwrite each other."""
    files = files_of(small_set)
    first, second = FeatureStore(tmp_path / "a", SETTINGS), FeatureStore(tmp_path / "a", SETTINGS)
    fill(first, files[:5])
    fill(second, files[::-1])
    alone = FeatureStore(tmp_path / "b", SETTINGS)
    fill(alone, files)
    assert contents(second) == contents(FeatureStore(tmp_path / "a", SETTINGS)) == contents(alone)
    assert FeatureStore(tmp_path / "a", SETTINGS).index.index.is_unique


def test_an_exception_keeps_what_was_appended(small_set: Path, tmp_path: Path) -> None:
    """Ctrl-C between two chunks loses neither the chunks before it nor the store's own view of them."""
    store, files = FeatureStore(tmp_path, SETTINGS), files_of(small_set)
    with pytest.raises(KeyboardInterrupt), store.writing():
        store.append(extract_chunk([Request(file) for file in files[:3]], SETTINGS), [1] * 3)
        raise KeyboardInterrupt
    assert len(store.index) == 3
    assert contents(store) == contents(FeatureStore(tmp_path, SETTINGS))


PAGE = 4096  # a file system in memory gives whole pages
FEATURE_PAGES, TILE_PAGES = -(-4 * len(feature_names()) // PAGE), 128 * 128 * 3 // PAGE


@pytest.mark.parametrize("pages", [
    pytest.param(FEATURE_PAGES - 1, id="in-the-features"), pytest.param(FEATURE_PAGES, id="in-the-hashes"),
    pytest.param(FEATURE_PAGES + 1 + TILE_PAGES - 1, id="in-the-tiles"),
    pytest.param(FEATURE_PAGES + 1 + TILE_PAGES, id="in-the-first-line-of-the-journal"),
    pytest.param(6 * (FEATURE_PAGES + 1 + TILE_PAGES), id="in-a-later-chunk"),
])
def test_a_full_disk_stops_with_advice_and_a_rerun_continues(pages: int, small_set: Path, tiny_disk: Callable, tmp_path: Path) -> None:
    """Wherever the room runs out, the message names it; with more room the same command goes on from what was stored."""
    pictures = [file for file in files_of(small_set) if read_file(Request(file), SETTINGS)[1]]
    for seed in range(12):
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8)).save(tmp_path / f"{seed}.png")
        pictures.append(str(tmp_path / f"{seed}.png"))
    disk = tiny_disk(f"size={pages * PAGE}")
    with pytest.raises(ScratchworkError, match=r"the disk is full \(\d+ MB free at .*/disk/cache/.*free some space .* and run again"):
        fill(FeatureStore(disk / "cache", SETTINGS), pictures, per_chunk=1)
    stored = len(FeatureStore(disk / "cache", SETTINGS).index)
    assert (stored > 0) == (pages > 2 * TILE_PAGES)
    tiny_disk("size=4m")
    store, alone = FeatureStore(disk / "cache", SETTINGS), FeatureStore(tmp_path / "cache", SETTINGS)
    fill(store, pictures, per_chunk=1)
    fill(alone, pictures)
    assert contents(store) == contents(FeatureStore(disk / "cache", SETTINGS)) == contents(alone)


@pytest.mark.parametrize("existing", [pytest.param(False, id="new-cache"), pytest.param(True, id="cache-of-before")])
def test_a_read_only_disk_stops_with_advice(existing: bool, small_set: Path, tiny_disk: Callable) -> None:
    """Where nothing can be written, the message says where and what to give instead; reading goes on."""
    disk = tiny_disk("size=4m")
    if existing:
        fill(FeatureStore(disk / "cache", SETTINGS), files_of(small_set))
    tiny_disk("ro")
    store = FeatureStore(disk / "cache", SETTINGS)
    with pytest.raises(ScratchworkError, match=r"cannot write to .*: Read-only file system; give another --artifacts DIR"):
        fill(store, files_of(small_set))
    assert len(store.tiles) == (5 if existing else 0)
