"""The radius search misses nothing: against brute force, in crowds of near and equal hashes, in blocks of any size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleaning import hamming
from cleaning.hamming import pairs_within


def brute_force(hashes: np.ndarray, radius: int) -> dict[tuple[int, int], int]:
    bits = np.unpackbits(hashes, axis=1).astype(int)
    found = {}
    for i in range(len(hashes)):
        for j in range(i + 1, len(hashes)):
            apart = int(np.abs(bits[i] - bits[j]).sum())
            if apart <= radius:
                found[i, j] = apart
    return found


def crowd(seed: int, n: int, flips: int) -> np.ndarray:
    """n hashes, each one of four with up to ``flips`` bits changed: many near pairs, some equal ones."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (4, 256), np.uint8)[rng.integers(0, 4, n)]
    for row in bits:
        row[rng.choice(256, rng.integers(0, flips + 1), replace=False)] ^= 1
    return np.packbits(bits, axis=1)


@given(seed=st.integers(0, 999), n=st.integers(0, 60), flips=st.integers(0, 40), radius=st.integers(0, 256), wide=st.sampled_from([8, 16, 32]))
def test_no_pair_is_missed_and_none_made_up(seed: int, n: int, flips: int, radius: int, wide: int) -> None:
    """The very pairs and distances of brute force, each once, in order, for hashes of 64 bits and more."""
    hashes = crowd(seed, n, flips)[:, :wide]
    pairs, apart = pairs_within(hashes, radius)
    assert dict(zip(map(tuple, pairs.tolist()), apart.tolist(), strict=True)) == brute_force(hashes, radius)
    assert pairs.tolist() == sorted(pairs.tolist())


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (7, 5), (3, 64), (16, 299), (400, 400)])
def test_blocks_do_not_show(rows: int, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large the blocks in which hashes are compared, the result is one."""
    hashes = crowd(5, 300, 30)
    whole = pairs_within(hashes, 31)
    monkeypatch.setattr(hamming, "BLOCK_ROWS", rows)
    monkeypatch.setattr(hamming, "BLOCK_COLUMNS", columns)
    cut = pairs_within(hashes, 31)
    assert np.array_equal(cut[0], whole[0])
    assert np.array_equal(cut[1], whole[1])


def test_opposite_hashes_are_as_far_apart_as_can_be() -> None:
    """256 differing bits are counted as 256."""
    hashes = np.array([[0] * 32, [255] * 32], np.uint8)
    assert len(pairs_within(hashes, 255)[0]) == 0
    assert pairs_within(hashes, 256)[1].tolist() == [256]


def test_no_hashes_have_no_pairs() -> None:
    """None and one are sets too."""
    for n in (0, 1):
        pairs, apart = pairs_within(np.zeros((n, 32), np.uint8), 31)
        assert pairs.shape == (0, 2)
        assert apart.shape == (0,)
