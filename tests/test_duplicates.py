"""Duplicates: copies are proven, lookalikes are not, groups do not chain, and the best picture stays."""

import io
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from cleaning.decisions import ENLARGED, duplicate_table
from cleaning.duplicates import CLOSE_TILE_PX, TURNS, Pictures, Proven, leak_groups, proven_pairs, stars, turned_picture
from features.families import feature_matrix, feature_names
from features.hashes import perceptual_hash
from features.images import read_picture, read_pixels
from features.quality import quality_of
from features.tile import make_tile
from features.view import make_view


def proven(files: list[bytes], **options: float) -> set[tuple[int, int]]:
    pictures = [read_picture(data) for data in files]
    views = [make_view(picture) for picture in pictures]
    features = feature_matrix(views)
    height, width = (features[:, feature_names().index(f"background__{name}")] for name in ("box_height", "box_width"))
    content = np.maximum(height * [p.height for p in pictures], width * [p.width for p in pictures])
    larger = np.array([make_tile(picture.rgb, side_px=CLOSE_TILE_PX).rgb for picture in pictures])
    found = proven_pairs(Pictures(np.array([perceptual_hash(view.half_rgb) for view in views]), np.array([view.tile.rgb for view in views]),
                                  np.arange(len(files)), content, larger.__getitem__, np.array([f"{p.mode} {p.width} {p.height}" for p in pictures]),
                                  lambda k: read_pixels(files[k]).tobytes().hex()), **options)
    return set(map(tuple, found.pairs.tolist()))


def jpeg(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def card(number: int, width: int = 240) -> Image.Image:
    """Playing cards that differ by one dot."""
    image = Image.new("RGB", (width, width), "white")
    pen = ImageDraw.Draw(image)
    unit = width / 240
    pen.rounded_rectangle([30 * unit, 10 * unit, 210 * unit, 230 * unit], 14 * unit, outline="black", width=round(4 * unit))
    for k in range(number):
        x, y = (60 + 40 * (k % 4)) * unit, (40 + 45 * (k // 4)) * unit
        pen.ellipse([x, y, x + 24 * unit, y + 24 * unit], fill=(200, 0, 0))
    return image


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("copy", [
    pytest.param(lambda i: jpeg(i, 60), id="poor-jpeg"),
    pytest.param(lambda i: jpeg(i.resize((i.width // 2, i.height // 2), Image.Resampling.BOX), 75), id="half-size-jpeg"),
    pytest.param(lambda i: jpeg(i.resize((i.width * 13 // 10, i.height * 13 // 10)), 60), id="enlarged-jpeg"),
])
def test_a_copy_is_proven(copy: Callable, seed: int, drawing: Callable, encoded: Callable) -> None:
    """Resized and recompressed copies of a drawing are the same picture; the two other drawings beside them are not."""
    originals = [drawing(seed + k, 300, 260, 40) for k in (0, 10, 20)]
    assert proven([*map(encoded, originals), copy(originals[0])]) == {(0, 3)}


def test_equal_pixels_in_another_format_are_found_in_any_crowd() -> None:
    """Rings of dashes that differ in one dash are a crowd in which nothing stands out; a JPEG's pixels saved as PNG are found all the same."""
    def ring(missing: int) -> Image.Image:
        image = Image.new("RGB", (300, 300), "white")
        for k in range(60):
            if k != missing:
                ImageDraw.Draw(image).arc([20, 20, 280, 280], 6 * k, 6 * k + 3, fill="black", width=3)
        return image
    files = [jpeg(ring(k), 90) for k in range(12)]
    buffer = io.BytesIO()
    Image.open(io.BytesIO(files[5])).save(buffer, "PNG")
    assert (5, 12) in proven([*files, buffer.getvalue()])


def test_one_dot_makes_another_card(encoded: Callable) -> None:
    """Flat art that a hash cannot tell apart is told apart on the tiles: seven dots are not eight."""
    assert proven([encoded(card(n)) for n in (5, 6, 7, 8, 9)]) == set()
    assert proven([encoded(card(7)), encoded(card(8)), jpeg(card(7, 170), 75)]) == {(0, 2)}


def test_another_colour_is_another_picture(encoded: Callable) -> None:
    """The same shape in red and in blue is two pictures."""
    def arrow(color: str) -> Image.Image:
        image = Image.new("RGB", (200, 200), "white")
        ImageDraw.Draw(image).polygon([(20, 80), (120, 80), (120, 30), (180, 100), (120, 170), (120, 120), (20, 120)], fill=color)
        return image
    assert proven([encoded(arrow("red")), encoded(arrow("blue")), encoded(arrow("#d01818"))]) <= {(0, 2)}


@pytest.mark.parametrize("turn", range(1, 8), ids=lambda turn: TURNS[turn])
def test_turned_copies_are_found_where_asked_for(turn: int, drawing: Callable, encoded: Callable) -> None:
    """Every mirroring and turning of a drawing is its copy with ``turned`` and another picture without."""
    image = drawing(1, 240, 200, 30)
    files = [encoded(image), jpeg(Image.fromarray(turned_picture(np.asarray(image), turn)), 80), encoded(drawing(2, 240, 200, 30))]
    assert proven(files) == set()
    assert proven(files, turned=True) == {(0, 1)}


def test_empty_pages_are_nobodys_duplicates(encoded: Callable) -> None:
    """Pictures without content say nothing of each other."""
    assert proven([encoded(Image.new("RGB", (n, n), "white")) for n in (40, 80, 300)]) == set()


def test_jobs_do_not_show(drawing: Callable, encoded: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes prove what one proves."""
    monkeypatch.setattr("cleaning.duplicates.CHUNK_PAIRS", 1)
    files = [encoded(drawing(k, 200, 200, 20)) for k in range(4)] + [jpeg(drawing(k, 200, 200, 20), 70) for k in range(4)]
    assert proven(files, jobs=2) == proven(files, jobs=1) == {(k, k + 4) for k in range(4)}


def test_a_chain_is_one_leak_group_but_not_one_duplicate() -> None:
    """a ~ b ~ c without a ~ c: no fold may split them, and c does not go because of a."""
    pairs = np.array([[0, 1], [1, 2]])
    assert len(set(leak_groups(4, pairs)[:3])) == 1
    assert stars(4, pairs, np.array([0.99, 0.98]), np.arange(4)).tolist() == [0, 0, 2, 3]


def test_every_member_of_a_star_is_linked_to_its_head() -> None:
    """On random graphs: heads stand for themselves, members are linked to a better head, and no two heads are linked to spare."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        n = 30
        pairs = np.unique(np.sort(rng.integers(0, n, (40, 2)), axis=1), axis=0)
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        order = rng.permutation(n)
        rank = np.argsort(order)
        links = {*map(tuple, pairs.tolist()), *map(tuple, pairs[:, ::-1].tolist())}
        stands = stars(n, pairs, rng.random(len(pairs)), order)
        for i, head in enumerate(stands.tolist()):
            assert stands[head] == head
            assert i == head or ((i, head) in links and rank[head] < rank[i])
            assert i != head or not any(rank[j] < rank[i] and stands[j] == j and (i, j) in links for j in range(n))


def test_the_best_picture_stands_for_its_copies() -> None:
    """By true resolution, then recompression, then digest; an enlarged and recompressed copy does not stand; nor does the order matter."""
    rows = [("cat/small.png", "c3", 100.0, 0.0), ("cat/big.jpg", "c1", 300.0, 9.0), ("cat/big.png", "c2", 290.0, 0.0),
            ("cat/enlarged.jpg", "c0", 340.0, 20.0), ("cat/other.png", "c9", 50.0, 0.0)]
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [1, 3, 0, 4, 2]):
        pictures = pd.DataFrame([rows[k] for k in order], columns=["path", "sha256", "true_px", "quantizer"]).set_index("path").assign(label="cat")
        at = {sha: k for k, sha in enumerate(pictures["sha256"])}
        pairs = np.sort([[at[a], at[b]] for a, b in combinations(["c0", "c1", "c2", "c3"], 2)], axis=1)
        table = duplicate_table(pictures, Proven(pairs, np.full(len(pairs), 0.99), np.zeros(len(pairs), int)))
        assert table["star"].to_dict() == {**dict.fromkeys(["cat/small.png", "cat/big.jpg", "cat/big.png", "cat/enlarged.jpg"], "cat/big.png"),
                                           "cat/other.png": "cat/other.png"}
        assert set(table["group"]) == {"c0", "c9"}


@pytest.mark.parametrize("seed", range(3))
def test_quality_sees_through_enlarging_and_recompression(seed: int, drawing: Callable, encoded: Callable) -> None:
    """In widths of its edges an enlarged copy is hardly larger and a reduced one much smaller; JPEG's tables say how coarse it is."""
    image = drawing(seed, 300, 260, 40)

    def true_px(copy: Image.Image) -> float:
        return copy.width / quality_of(encoded(copy)).edge_px
    enlarged, reduced = image.resize((390, 338), Image.Resampling.BILINEAR), image.resize((150, 130), Image.Resampling.BOX)
    assert true_px(enlarged) < ENLARGED * true_px(image)
    assert true_px(reduced) * ENLARGED < true_px(image)
    tables = [quality_of(data).quantizer for data in (encoded(image), jpeg(image, 95), jpeg(image, 75), jpeg(image, 50))]
    assert tables == sorted(tables)
    assert tables[0] == 0


@pytest.mark.parametrize(("mode", "like"), [("LA", "L"), ("RGBA", "RGB")])
def test_quality_is_of_what_is_drawn_not_of_how_transparent_it_is(mode: str, like: str, drawing: Callable, encoded: Callable) -> None:
    image = drawing(1, 120, 90, 20).convert(like)
    hole = image.convert(mode)
    hole.putalpha(Image.linear_gradient("L").resize(image.size))
    assert quality_of(encoded(hole)) == quality_of(encoded(image))
