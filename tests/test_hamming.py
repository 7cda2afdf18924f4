"""The radius search misses nothing: against brute force, for few hashes and for many, for hashes at random and in crowds."""

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


@pytest.mark.parametrize("indexed", [False, True], ids=["all-with-all", "multi-index"])
@given(seed=st.integers(0, 999), n=st.integers(0, 60), flips=st.integers(0, 40), radius=st.integers(0, 47))
def test_no_pair_is_missed_and_none_made_up(indexed: bool, seed: int, n: int, flips: int, radius: int) -> None:
    """The very pairs and distances of brute force, each once, in order."""
    hashes = crowd(seed, n, flips)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hamming, "ALL_PAIRS_UP_TO", 0 if indexed else 10**6)
        pairs, apart = pairs_within(hashes, radius)
    assert dict(zip(map(tuple, pairs.tolist()), apart.tolist(), strict=True)) == brute_force(hashes, radius)
    assert pairs.tolist() == sorted(pairs.tolist())


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the blocks in which pairs are compared, the result is one."""
    hashes = crowd(5, 300, 30)
    whole = pairs_within(hashes, 31)
    for limit in (0, 10**6):
        monkeypatch.setattr(hamming, "ALL_PAIRS_UP_TO", limit)
        monkeypatch.setattr(hamming, "BLOCK_PAIRS", 97)
        cut = pairs_within(hashes, 31)
        assert np.array_equal(cut[0], whole[0])
        assert np.array_equal(cut[1], whole[1])
