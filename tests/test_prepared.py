"""What fitted objects work out once for their predictions: never saved, never stale; and networks whose norms went into their weights."""

import pickle

import numpy as np
import pytest
import torch

from models.inference import network_of, state_of
from models.kernel import Block, BlockProjection, KernelRidge
from models.networks import make_network
from models.recipes import CnnParameters


def made(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """60 points of 3 classes."""
    rng = np.random.default_rng(seed)
    codes = np.arange(60) % 3
    return (rng.normal(size=(60, 8)) + codes[:, None]).astype(np.float16), codes


def test_a_prediction_adds_nothing_to_what_is_saved() -> None:
    """Byte for byte; and the copy says the same."""
    X, codes = made(0)
    projection, kernel = BlockProjection([Block("a", 1)], 4, 0), KernelRidge()
    kernel.fit(projection.fit_transform({"a": X.astype(np.float32)}), codes, 3, np.ones(60))
    before = pickle.dumps((projection, kernel))
    scores = kernel.scores(projection.transform({"a": X.astype(np.float32)}))
    assert pickle.dumps((projection, kernel)) == before
    projection, kernel = pickle.loads(before)
    assert np.array_equal(kernel.scores(projection.transform({"a": X.astype(np.float32)})), scores)


def test_a_second_fit_forgets_the_first() -> None:
    """As if it had been the only one."""
    (X, codes), (other, _) = made(1), made(2)
    twice, once = KernelRidge(), KernelRidge()
    twice.fit(X, codes, 3, np.ones(60)).scores(X)
    assert np.array_equal(twice.fit(other, codes, 3, np.ones(60)).scores(X), once.fit(other, codes, 3, np.ones(60)).scores(X))


@pytest.mark.parametrize("arch", ["scratch", "camp"])
def test_norms_go_into_the_convolutions(arch: str) -> None:
    """A finished network has no norm of its own left and says what the trained one said."""
    p = CnnParameters(arch=arch, size=32, width=16)
    trained = make_network(arch, 5, 32, 16, 3)
    for number, module in enumerate(m for m in trained.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        draw = torch.Generator().manual_seed(number)
        for values, low in ((module.running_mean, -1.0), (module.running_var, 0.5), (module.weight.data, 0.5), (module.bias.data, -1.0)):
            values.copy_(low + torch.rand(values.shape, generator=draw))
    finished = network_of(state_of(trained), p, 5)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in finished.modules())
    x = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(9))
    with torch.inference_mode():
        assert torch.allclose(finished(x), trained.eval()(x), rtol=1e-3, atol=1e-4)
