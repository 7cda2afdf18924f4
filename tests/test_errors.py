"""Why a picture was wrong: neighbours by brute force, causes by their rules, shares that add up, and a page that no file name can break."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.errors import NEIGHBOURS, Neighbours, error_table, nearest
from models.grad_cam import looked_at
from models.inference import state_of
from models.kernel_head import KernelHead, Member
from models.networks import make_network
from models.pictures import Pictures
from models.recipes import cnn_parameters
from reports.errors import MOST_SHOWN, explained, write_errors
from reports.thumbnails import Album

CLASSES = ["cat", "개", "emu"]
points = arrays.arrays(np.float32, st.tuples(st.integers(1, 9), st.just(3)), elements=st.integers(-9, 9).map(float))


@given(points, points, st.integers(1, 4))
def test_the_nearest_are_the_nearest(X: np.ndarray, among: np.ndarray, k: int) -> None:
    """Positions and distances are those of the whole matrix of distances, nearest first."""
    positions, distances = nearest(X, among, k)
    matrix = np.linalg.norm(X[:, None].astype(float) - among[None], axis=2)
    assert positions.shape == (len(X), min(k, len(among)))
    assert distances == pytest.approx(np.sort(matrix, axis=1)[:, :k], abs=1e-3)
    assert np.take_along_axis(matrix, positions, 1) == pytest.approx(distances, abs=1e-3)


def table_of(n: int = 1, p_true: float = 0.3, p_predicted: float = 0.6, photo: bool = False, px: float = 200, distance: float = 0.3,
             near: tuple[str, ...] = ("cat", "cat", "emu")) -> pd.DataFrame:
    """n pictures, cats taken for 개."""
    proba = np.tile([p_true, p_predicted, 1 - p_true - p_predicted], (n, 1))
    around = Neighbours(np.zeros((n, NEIGHBOURS), int), np.full((n, NEIGHBOURS), distance), 0.5)
    return error_table(np.full(n, "cat"), np.full(n, "개"), proba, CLASSES, {"cnn": proba[:, ::-1]}, ["stripes"] * n, around,
                       np.tile(np.array(near, dtype=object), (n, 1)), np.full(n, px), np.full(n, photo))


@pytest.mark.parametrize(("facts", "cause"), [
    ({"photo": True, "px": 5}, "a photograph"),
    ({"p_true": 0.01, "p_predicted": 0.95, "near": ("개", "개", "cat")}, "label doubtful"),
    ({"p_true": 0.01, "p_predicted": 0.95}, "unclear"),
    ({"distance": 0.05, "near": ("개", "cat", "cat")}, "a training picture just like it has the other label"),
    ({"px": 20}, "too small"),
    ({"distance": 0.9}, "unlike anything in training"),
    ({"p_true": 0.4, "p_predicted": 0.5}, "near the other class"),
    ({"p_true": 0.1, "near": ("개", "개", "개")}, "looks like the other class"),
])
def test_a_cause_is_the_first_rule_that_fits(facts: dict, cause: str) -> None:
    """Each rule by a picture that it is about."""
    table = table_of(**facts)
    assert table["cause"].tolist() == [cause]
    assert table.loc[0, ["true", "predicted", "spoke_for_it"]].tolist() == ["cat", "개", "stripes"]


def test_the_page_is_whole_and_harmless(tmp_path: Path) -> None:
    """Names are text and nothing else, nothing is loaded from anywhere, of very many errors the surest are shown and all counted; and the report
    reads back what was written."""
    n = MOST_SHOWN + 5
    table = table_of(n).set_index(pd.Index([f"<script>alert({i})</script>.png" for i in range(n)], name="path"))
    digests = np.array([f"{i:064}" for i in range(n)], dtype=object)
    near = np.tile(digests[:1], (n, NEIGHBOURS))
    album = Album(np.full((1, 128, 128, 3), 200, np.uint8), {digests[0]: 0})
    facts = {"name": "오답 & more", "model": "cnn", "model_sha256": "ab", "held_out": True, "parts": ["cnn"]}
    told = explained(table, digests, near, np.full((n, NEIGHBOURS), "개", dtype=object), np.full((n, NEIGHBOURS), 0.5),
                     np.ones((n, 4, 4), np.float32), facts)
    files = write_errors(told, album, tmp_path)
    page = files[1].read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http:" not in page and "https:" not in page
    assert f"{MOST_SHOWN} of {n} wrong pictures" in page
    assert page.count("<article>") == MOST_SHOWN
    assert "오답 &amp; more" in page
    assert len(album.files) == 2  # the one picture of the cache, and the same with its heat
    back = pd.read_parquet(files[2])
    assert back.attrs == told.attrs
    assert back["near_labels"].map(list).tolist() == told["near_labels"].tolist()
    assert (pd.read_csv(files[0])["cause"] == told["cause"].to_numpy()).all()
    assert "heat" not in pd.read_csv(files[0])


def test_heat_lies_where_the_maps_are() -> None:
    """One value in [0, 1] per place of the last stage but one; where a picture is flat everywhere, so is the heat but for the rim."""
    p = cnn_parameters(chosen={"size": 64, "width": 8})
    member = Member(state_of(make_network("scratch", 3, 64, 8, 3, 2)), None)
    tiles = np.full((2, 128, 128, 3), 255, np.uint8)
    tiles[1, 40:80, 20:60] = 0
    heat = looked_at(member, p, 3, Pictures(np.empty(0), tiles, np.arange(2)), np.array([0, 2]))
    assert heat.shape == (2, 8, 8)
    assert heat.min() >= 0
    assert heat.max() <= 1
    assert heat[0, 3:5, 3:5].std() < 1e-3


def test_a_kernel_head_learns_what_the_stages_tell() -> None:
    """Classes that differ in one stage only are told apart; of large classes some rows are enough, of small ones all stay."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, 300)
    stages = [rng.random((300, 12), np.float32), (rng.random((300, 8)) * 0.3 + np.eye(3, 8)[codes]).astype(np.float32)]
    head = KernelHead().fit([stage[:200] for stage in stages], codes[:200], 3, 0)
    z = head.log_proba([stage[200:] for stage in stages])
    assert np.exp(z).sum(1) == pytest.approx(1)
    assert (z.argmax(1) == codes[200:]).mean() > 0.95
    assert head.embed(stages).shape[0] == 300
