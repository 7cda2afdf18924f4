"""Predictions of finished networks: beside each other as alone, and over at once where somebody interrupts."""

import time

import numpy as np
import pytest
import torch

from features.errors import ScratchworkError
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


def test_a_batch_that_memory_does_not_hold_is_seen_in_halves(members: list[Member], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same probabilities, of stages and while training too; a picture that is too much by itself is said to be."""
    real, limit = inference.as_input, 10
    whole = log_proba_of_members(members, SMALL, CLASSES, noise(33))
    network = inference.networks_of(members[:1], SMALL, CLASSES)[0]
    x = torch.from_numpy(noise(33).tiles).permute(0, 3, 1, 2)[:, :, ::4, ::4].contiguous()
    watched = inference.log_proba(network, x)

    def tight(x: torch.Tensor) -> torch.Tensor:
        if len(x) > limit:
            raise torch.OutOfMemoryError("no memory")
        return real(x)

    monkeypatch.setattr(inference, "as_input", tight)
    np.testing.assert_allclose(log_proba_of_members(members, SMALL, CLASSES, noise(33)), whole, atol=1e-5)
    np.testing.assert_allclose(inference.log_proba(network, x), watched, atol=1e-5)
    limit = 0
    with pytest.raises(ScratchworkError, match="does not hold a picture of 32 px"):
        log_proba_of_members(members, SMALL, CLASSES, noise(3))
