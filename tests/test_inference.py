"""Predictions of finished networks: beside each other as alone, and over at once where somebody interrupts."""

import time

import numpy as np
import pytest
import torch

from models import inference
from models.inference import log_proba_of_members, stages_of_state, state_of
from models.kernel_head import KernelHead, Member
from models.networks import make_network
from models.pictures import Pictures
from models.recipes import cnn_parameters

SMALL = cnn_parameters(chosen={"size": 32, "width": 8, "precision": "float32"})
CLASSES = 4


def noise(n: int) -> Pictures:
    """n pictures of nothing."""
    return Pictures(np.zeros((n, 1), np.float32), np.random.default_rng(0).integers(0, 256, (n, 128, 128, 3), np.uint8), np.arange(n))


@pytest.fixture(scope="module")
def members() -> list[Member]:
    """Three networks as they begin, each with a kernel head."""
    pictures, codes, found = noise(20), np.arange(20) % CLASSES, []
    for seed in range(3):
        torch.manual_seed(seed)
        state = state_of(make_network("scratch", CLASSES, SMALL.size, SMALL.width, 3))
        found.append(Member(state, KernelHead().fit(stages_of_state(state, SMALL, CLASSES, pictures), codes, CLASSES, seed)))
    return found


@pytest.mark.parametrize("jobs", [1, 2, 5, None])
def test_networks_beside_each_other_say_what_they_say_alone(members: list[Member], jobs: int | None) -> None:
    """Three networks, three batches: to the last bit the mean of what each says, for any number of threads; torch has as many threads afterwards
    as before."""
    pictures, before = noise(130), torch.get_num_threads()
    alone = np.mean([log_proba_of_members([member], SMALL, CLASSES, pictures, jobs=1) for member in members], axis=0)
    told: list[tuple[int, int]] = []
    together = log_proba_of_members(members, SMALL, CLASSES, pictures, jobs=jobs, progress=lambda done, n: told.append((done, n)))
    np.testing.assert_array_equal(together, alone)
    assert told == [(64, 130), (128, 130), (130, 130)]
    assert torch.get_num_threads() == before


def test_few_pictures_and_none(members: list[Member]) -> None:
    """Three pictures are said of as among many; of none there is nothing to say."""
    pictures = noise(130)
    few = log_proba_of_members(members, SMALL, CLASSES, pictures.take(np.arange(3)), jobs=1)
    np.testing.assert_allclose(few, log_proba_of_members(members, SMALL, CLASSES, pictures)[:3], atol=1e-4)
    assert log_proba_of_members(members, SMALL, CLASSES, pictures.take(np.arange(0))).shape == (0, CLASSES)


def test_an_interruption_drops_what_has_not_begun(members: list[Member], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the other batches."""
    begun = []

    def slow(*given: object, **more: object) -> tuple[np.ndarray, list[np.ndarray]]:
        begun.append(time.sleep(0.01))
        return np.zeros((64, CLASSES)), []

    def stop(done: int, n: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(inference, "seen", slow)
    headless = [Member(member.state, None) for member in members]
    with pytest.raises(KeyboardInterrupt):
        log_proba_of_members(headless, SMALL, CLASSES, noise(30 * 64), jobs=2, progress=stop)
    assert len(begun) < 30
