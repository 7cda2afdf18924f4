"""Orthogonalised momentum: beside the singular value decomposition, the polynomial written out, and AdamW for all that is no inner matrix."""

import copy

import pytest
import torch

from models.fitting import _optimizer
from models.muon import QUINTIC, ROUNDS, Muon, orthogonalized
from models.networks import make_network
from models.recipes import cnn_parameters

SHAPES = [(5, 40), (40, 5), (12, 12), (1, 7)]


def made(shape: tuple[int, int], seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_polynomial_written_out(shape: tuple[int, int]) -> None:
    """Newton and Schulz's rounds on the matrix itself, in double precision, say the same as ours on its square in single precision."""
    x = made(shape)
    x = x / torch.linalg.matrix_norm(x @ x.T).sqrt()
    for _ in range(ROUNDS):
        square = x @ x.T
        x = QUINTIC[0] * x + QUINTIC[1] * square @ x + QUINTIC[2] * square @ square @ x
    assert torch.allclose(orthogonalized(made(shape).float()).double(), x, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_keeps_the_singular_vectors_and_evens_the_values(shape: tuple[int, int]) -> None:
    """U' O V is diagonal, and every singular value that is not next to nothing becomes about 1."""
    matrix = made(shape)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    inner = u.T @ orthogonalized(matrix) @ v.T
    values = inner.diagonal()
    assert torch.allclose(inner, torch.diag(values), atol=1e-9)
    assert values.min() > 0.65
    assert values.max() < 1.2


def test_it_turns_with_the_matrix_and_does_not_see_its_scale() -> None:
    """Whatever orthonormal coordinates rows and columns have, so that pixels and cosine coefficients learn alike."""
    matrix, (rows, _), (columns, _) = made((6, 20)), torch.linalg.qr(made((6, 6), 1)), torch.linalg.qr(made((20, 20), 2))
    assert torch.allclose(orthogonalized(rows @ matrix @ columns), rows @ orthogonalized(matrix) @ columns, atol=1e-9)
    assert torch.allclose(orthogonalized(1e-3 * matrix), orthogonalized(matrix), atol=1e-9)
    assert torch.equal(orthogonalized(torch.zeros(3, 4)), torch.zeros(3, 4))


def steps(optimizer: torch.optim.Optimizer, weights: list[torch.Tensor], count: int, first: int = 0) -> None:
    for number in range(first, first + count):
        for i, weight in enumerate(weights):
            weight.grad = torch.randn(weight.shape, generator=torch.Generator().manual_seed(100 * number + i))
        optimizer.step()


def test_a_matrix_moves_as_torchs_muon_moves_it() -> None:
    """A convolution's weights as the matrix of as many rows; torch's own begins at another norm, and in bfloat16, so that factors differ a little."""
    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this torch has none")
    start = torch.randn(16, 4, 3, 3, generator=torch.Generator().manual_seed(7))
    ours, theirs = start.clone().requires_grad_(), start.flatten(1).clone().requires_grad_()
    one = Muon([{"params": [ours], "orthogonal": True, "weight_decay": 0.1}], lr=0.01)
    two = torch.optim.Muon([theirs], lr=0.01, weight_decay=0.1, momentum=0.95, nesterov=True, adjust_lr_fn="match_rms_adamw")
    for number in range(5):
        gradient = torch.randn(16, 36, generator=torch.Generator().manual_seed(number))
        ours.grad, theirs.grad = gradient.view_as(ours), gradient
        one.step()
        two.step()
    moved, wanted = (ours.detach() - start).flatten(), (theirs.detach() - start.flatten(1)).flatten()
    assert torch.nn.functional.cosine_similarity(moved, wanted, dim=0) > 0.98
    assert moved.norm() / wanted.norm() == pytest.approx(1, abs=0.1)


def test_what_is_no_inner_matrix_is_adamws() -> None:
    """The stem, the dense layer, norms and biases; and of the network's convolutions all but the first are orthogonal."""
    p = cnn_parameters(chosen={"width": 8, "size": 32})
    network = make_network("scratch", 3, 32, 8, 3)
    found = _optimizer(network, p)
    inner = found.param_groups[0]["params"]
    convolutions = [m.weight for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [id(w) for w in inner] == [id(w) for w in convolutions[1:]]
    assert sum(len(group["params"]) for group in found.param_groups) == len(list(network.parameters()))

    start = [torch.randn(3, 5), torch.randn(5)]
    ours, theirs = ([w.clone().requires_grad_() for w in start] for _ in range(2))
    steps(Muon([{"params": ours, "weight_decay": 0.2}], lr=0.01), ours, 4)
    steps(torch.optim.AdamW(theirs, lr=0.01, weight_decay=0.2), theirs, 4)
    assert all(torch.equal(one, two) for one, two in zip(ours, theirs, strict=True))


def test_a_loaded_state_goes_on_as_the_one_that_was_kept() -> None:
    """Momentum included."""
    weights = [torch.randn(4, 2, 3, 3).requires_grad_(), torch.randn(4).requires_grad_()]
    others = [w.detach().clone().requires_grad_() for w in weights]

    def optimizer(of: list[torch.Tensor]) -> Muon:
        return Muon([{"params": of[:1], "orthogonal": True}, {"params": of[1:]}], lr=0.01)

    kept, fresh = optimizer(weights), optimizer(others)
    steps(kept, weights, 3)
    for weight, other in zip(weights, others, strict=True):
        other.data.copy_(weight.data)
    fresh.load_state_dict(copy.deepcopy(kept.state_dict()))
    steps(kept, weights, 2, first=3)
    steps(fresh, others, 2, first=3)
    assert all(torch.equal(one, two) for one, two in zip(weights, others, strict=True))


def test_the_rate_follows_the_optimizer() -> None:
    """Unless one is given; an architecture's own rate is its own optimizer's."""
    assert [cnn_parameters(chosen=chosen).learning_rate for chosen in ({}, {"optimizer": "adamw"}, {"optimizer": "adamw", "learning_rate": 1e-2})] \
        == [4e-3, 2e-3, 1e-2]
    for arch, optimizer, rate in [("camp", {}, 1e-3), ("vgg16", {}, 1e-2), ("vgg16", {"optimizer": "adamw"}, 2e-3),
                                  ("resnet50", {"optimizer": "muon"}, 4e-3), ("vgg16", {"optimizer": "adamw", "learning_rate": 1e-4}, 1e-4)]:
        assert cnn_parameters(arch=arch, chosen=optimizer).learning_rate == rate


def squared(weights: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([w.flatten() for w in weights]).square().sum()


def test_a_closure_is_called_once_before_anything_moves() -> None:
    """As torch's optimizers have it: its gradients are what the step takes, for matrices as for the rest, and its loss comes back."""
    start = [torch.randn(4, 2, 3, 3), torch.randn(4)]
    ours, others = ([w.clone().requires_grad_() for w in start] for _ in range(2))
    one, two = (Muon([{"params": of[:1], "orthogonal": True}, {"params": of[1:]}], lr=0.01) for of in (ours, others))
    calls = []

    def loss() -> float:
        calls.append(all(torch.equal(w, first) for w, first in zip(ours, start, strict=True)))
        total = squared(ours)
        total.backward()
        return total.item()

    assert one.step(loss) == pytest.approx(squared(start).item())
    assert calls == [True]
    squared(others).backward()
    two.step()
    assert all(torch.equal(a, b) for a, b in zip(ours, others, strict=True))
