"""The demo set: repeatable to the byte, with the classes and faults that it says it has, and never half there."""

import hashlib
import io
import re
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from features.errors import ScratchworkError, UnreadablePicture
from features.images import read_picture
from features.scan import DEMO_MARKER, label_of, scan_folder
from sources import demo
from sources.canvas import draw_page
from sources.demo import (
    CORRUPTIONS,
    MOST_OVERLAP,
    PHOTO_LABELS,
    DemoSet,
    crop_boxes,
    installed_photos,
    label_sizes,
    make_demo_set,
    plan_demo_set,
)
from sources.drawings import DRAWINGS

SCALE = 0.05


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> DemoSet:
    return make_demo_set(tmp_path_factory.mktemp("demo") / "set", seed=3, scale=SCALE)


def rows(made: DemoSet, kind: str) -> list[demo.Truth]:
    return [row for row in made.truth if row.kind == kind]


def digests(folder: Path) -> dict[str, str]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_same_seed_gives_the_same_bytes_and_another_seed_others(made: DemoSet, tmp_path: Path) -> None:
    """A benchmark on the demo set means the same pictures everywhere."""
    again = make_demo_set(tmp_path / "again", seed=3, scale=SCALE)
    other = make_demo_set(tmp_path / "other", seed=4, scale=SCALE)
    assert digests(again.folder) == digests(made.folder)
    assert again.truth == made.truth
    drawn = [{digest for path, digest in digests(one.folder).items() if path != DEMO_MARKER} for one in (made, other)]
    shared = drawn[0] & drawn[1]
    assert len(shared) <= 2  # the empty file and the HTML text


def test_truth_tells_every_file_and_counts_agree(made: DemoSet) -> None:
    """What is on disk, what ``truth`` says and what is counted are one."""
    on_disk = set(digests(made.folder)) - {DEMO_MARKER}
    assert on_disk == {row.path for row in made.truth}
    assert len(on_disk) == len(made.truth)
    assert made.faults == {kind: n for kind, n in Counter(row.kind for row in made.truth).items() if kind != "clean"}
    assert made.labels == Counter(label_of(row.path) for row in made.truth)
    assert [row.path for row in made.truth] == sorted(row.path for row in made.truth)


def test_product_sees_the_pictures_and_nothing_else(made: DemoSet) -> None:
    """The scan finds each file under its label; neither names nor a file in the folder give the truth away."""
    scan = scan_folder(made.folder)
    assert set(scan.files.index) == {row.path for row in made.truth}
    assert scan.passed_over == {"hidden file": 1}
    assert all(re.fullmatch(r"[a-z]{12,20}\.(jpg|png|webp)", path.partition("/")[2]) for path in scan.files.index)


def test_twenty_labels_some_of_them_korean(made: DemoSet) -> None:
    """Folder names beyond ASCII are part of what the demo shows; they are written in NFC."""
    assert len(made.labels) == 20
    assert {"집", "나무", "물고기", "우산"} < set(made.labels)
    assert all(unicodedata.is_normalized("NFC", label) for label in made.labels)
    assert all(n >= demo.LEAST for n in Counter(label_of(row.path) for row in rows(made, "clean")).values())


def test_plan_at_full_scale_is_the_promised_set() -> None:
    """About 2,350 files, 20:1 from the largest to the smallest label, each fault in its share."""
    sizes = list(label_sizes(1.0).values())
    assert (sizes[0], sizes[-1]) == (400, 20)
    assert sizes == sorted(sizes, reverse=True)
    plan = plan_demo_set(sorted(installed_photos()), seed=0, scale=1.0)
    assert 2000 <= len(plan) <= 2400
    assert len({planned.truth.path for planned in plan}) == len({planned.seed for planned in plan}) == len(plan)
    counts = Counter(planned.truth.kind for planned in plan)
    assert counts["clean"] == sum(sizes)
    assert counts["corrupt"] == 12
    shares = {kind: counts[kind] / counts["clean"] for kind in ("photo", "exact_dup", "near_dup", "mislabel")}
    assert shares == pytest.approx({"photo": 0.05, "exact_dup": 0.03, "near_dup": 0.03, "mislabel": 0.03}, abs=0.001)


def test_photos_lie_in_five_labels_and_come_from_all_files() -> None:
    """Every photo that is installed is cut about equally often."""
    photos = sorted(installed_photos())
    cuts = [planned.truth for planned in plan_demo_set(photos) if planned.truth.kind == "photo"]
    assert {label_of(row.path) for row in cuts} == set(PHOTO_LABELS)
    often = Counter(row.source for row in cuts)
    assert set(often) == set(photos)
    assert max(often.values()) - min(often.values()) <= 1


def test_wrong_labels_name_the_right_one(made: DemoSet) -> None:
    """A mislabelled picture lies under another label than its own."""
    assert rows(made, "mislabel")
    assert all(row.source in DRAWINGS and row.source != label_of(row.path) for row in rows(made, "mislabel"))


def test_exact_duplicates_repeat_the_bytes_some_under_another_label(made: DemoSet) -> None:
    """Same bytes, other name; one in five contradicts the label of what it repeats."""
    digest = digests(made.folder)
    copies = rows(made, "exact_dup")
    assert all(digest[row.path] == digest[row.source] for row in copies)
    moved = [row for row in copies if label_of(row.path) != label_of(row.source)]
    assert len(moved) == -(-len(copies) // 5)
    clean = [digest[row.path] for row in rows(made, "clean")]
    assert len(set(clean)) == len(clean)


def test_near_duplicates_look_alike_and_differ_in_bytes(made: DemoSet) -> None:
    """Rescaled or recompressed, and still the same picture in the same label."""
    near = rows(made, "near_dup")
    assert near
    for row in near:
        copy, source = (Image.open(made.folder / path).convert("L").resize((48, 48)) for path in (row.path, row.source))
        assert np.abs(np.asarray(copy, float) - np.asarray(source, float)).mean() < 6
        assert label_of(row.path) == label_of(row.source)
        assert (made.folder / row.path).read_bytes() != (made.folder / row.source).read_bytes()


def test_corrupt_files_give_no_picture_and_all_others_do(made: DemoSet) -> None:
    """Pillow refuses each broken file, so does the product, and nothing else is broken."""
    corrupt = rows(made, "corrupt")
    assert {row.source for row in corrupt} == set(CORRUPTIONS)
    for row in corrupt:
        data = (made.folder / row.path).read_bytes()
        with pytest.raises((OSError, SyntaxError)):
            Image.open(io.BytesIO(data)).load()
        with pytest.raises(UnreadablePicture):
            read_picture(data)
    for row in made.truth:
        if row.kind != "corrupt":
            assert read_picture((made.folder / row.path).read_bytes()).width > 0


def test_photo_crops_differ(made: DemoSet) -> None:
    """No two crops are the same file."""
    digest = digests(made.folder)
    crops = [digest[row.path] for row in rows(made, "photo")]
    assert len(set(crops)) == len(crops) >= len(PHOTO_LABELS)


def test_crops_of_one_photo_overlap_little_and_avoid_what_is_empty() -> None:
    """The boxes stay inside; an empty sky is never cut out alone."""
    photo = np.random.default_rng(0).integers(0, 256, (400, 600), np.uint8)
    photo[:, :250] = 200
    boxes = crop_boxes(photo, 8, np.random.default_rng(1))
    for i, (left, top, right, bottom) in enumerate(boxes):
        assert 0 <= left < right <= 600 and 0 <= top < bottom <= 400
        assert right > 250
        assert all(demo._overlap(boxes[i], other) <= MOST_OVERLAP for other in boxes[:i])


@pytest.mark.parametrize("label", DRAWINGS)
def test_every_kind_draws_something_new_each_time(label: str) -> None:
    """A page is never empty, and two pages are never alike."""
    rng = np.random.default_rng(5)
    pages = [draw_page(DRAWINGS[label], 120, 120, rng) for _ in range(6)]
    assert all(page.shape == (120, 120, 3) and page.dtype == np.uint8 for page in pages)
    for page in pages:
        content = np.abs(page.astype(int) - page[0, 0]).max(axis=2) > 24
        assert 0.003 < content.mean() < 0.98
    assert len({page.tobytes() for page in pages}) == len(pages)


def test_finished_set_is_not_drawn_again(made: DemoSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """The marker of the same seed and scale is enough; the truth is known all the same."""
    monkeypatch.setattr(demo, "_write_files", lambda *_: pytest.fail("drawn again"))
    assert make_demo_set(made.folder, seed=3, scale=SCALE) == made


def test_another_set_in_the_folder_is_refused(made: DemoSet) -> None:
    """A finished set of another seed is not overwritten."""
    before = digests(made.folder)
    with pytest.raises(ScratchworkError, match=r"seed 3, scale 0\.05.*seed 9.*delete that folder"):
        make_demo_set(made.folder, seed=9, scale=SCALE)
    assert digests(made.folder) == before


def test_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Somebody's pictures are never mixed with the demo's."""
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(ScratchworkError, match=f"{re.escape(tmp_path.name)} holds files that are not a finished demo set; empty"):
        make_demo_set(tmp_path, scale=SCALE)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(ScratchworkError, match="is a file"):
        make_demo_set(tmp_path / "mine.txt", scale=SCALE)


def test_interrupted_run_leaves_nothing_that_looks_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interruption in the middle the folder is as it was before, and the next run can go ahead."""
    folder = tmp_path / "set"
    folder.mkdir()
    drawn = iter(range(30))

    def interrupted(*_: object) -> bytes:
        if next(drawn, None) is None:
            raise KeyboardInterrupt
        return b"picture"

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(demo, "_file_bytes", interrupted)
        make_demo_set(folder, scale=0.001)
    assert list(tmp_path.iterdir()) == [folder]
    assert list(folder.iterdir()) == []
    monkeypatch.setattr(demo, "_file_bytes", lambda *_: b"picture")
    assert len(scan_folder(make_demo_set(folder, scale=0.001).folder).files) == len(make_demo_set(folder, scale=0.001).truth)
    assert list(tmp_path.iterdir()) == [folder]


def test_photos_that_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One photo is enough; without any the message says what was looked for."""
    monkeypatch.setattr(demo, "PHOTOS", {"skimage": ("no such photo.png", "coffee.png")})
    assert list(installed_photos()) == ["coffee.png"]
    monkeypatch.setattr(demo, "find_spec", lambda _: None)
    with pytest.raises(ScratchworkError, match=r"looked for no such photo\.png, coffee\.png in skimage/data"):
        make_demo_set(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("seed", "scale"), [(-1, 1.0), (0, 0.0), (0, float("nan")), (0, float("inf"))])
def test_impossible_seeds_and_scales_are_refused(seed: int, scale: float) -> None:
    """The message says what would do."""
    with pytest.raises(ScratchworkError, match="the seed must be 0 or more, the scale above 0"):
        plan_demo_set(["coffee.png"], seed, scale)
