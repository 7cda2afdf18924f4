"""3 x 3 convolutions in float32 on a CPU by minimal filtering, F(4 x 4, 3 x 3) (Winograd 1980; Lavin & Gray 2016).

Squares of 4 x 4 results are worked out together from the 6 x 6 numbers that they depend on: 36 products of matrices instead of 144, between
transforms whose cost does not grow with the number of channels squared (`models.squares`). torch's own convolution multiplies directly on
processors without bfloat16; an epoch of our networks takes three fifths of its time by this (docs/lab-notes.md), and results differ by a
hundred-thousandth of the largest.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from models import squares
from models.squares import LANES, REACH, SIDE

AT_A_TIME = 2**22  # transformed numbers; fewer would make threads wait for each other more often, more would take memory
APART = 16  # numbers between planes, so that the 36 numbers of a square do not compete for the same places of a cache
FEWEST_CHANNELS = 16  # the transforms of fewer cost more than the products saved
FEWEST_SQUARES = 64  # over all pictures; the filters' transform must pay too
FILTERS = ((1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6), (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1))


def is_shorter(pictures: int, inputs: int, outputs: int, height: int, width: int) -> bool:
    """Whether such a convolution is worked out faster by `MinimalFiltering`, if at all."""
    return (not height % SIDE and not width % SIDE and not inputs % LANES and not outputs % LANES and min(inputs, outputs) >= FEWEST_CHANNELS
            and pictures * height * width >= FEWEST_SQUARES * SIDE**2)


class MinimalFiltering(torch.autograd.Function):
    """(B, I, H, W), (O, I, 3, 3) → (B, O, H, W) for sides that are multiples of `SIDE`, channels of `LANES`; zeros around the pictures."""

    @staticmethod
    def forward(context: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """A few pictures at a time: the products, place by place of the 36, over all their squares at once."""
        x = _channels_last(x)
        b, height, width, inputs = x.shape
        filters = (_both_sides(FILTERS, x.dtype) @ weight.permute(2, 3, 1, 0).reshape(9, -1)).view(REACH**2, inputs, -1)
        y = x.new_empty(b, height, width, filters.shape[2])
        for some_x, some_y in zip(*_few_at_a_time(x, y), strict=True):
            taken, products = _planes(some_x), _planes(some_y)
            _by_pictures(squares.take, some_x, taken)
            torch.bmm(taken, filters, out=products)
            _by_pictures(squares.give, some_y, products)
        context.save_for_backward(x, filters)
        return y.permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Every step of `forward` transposed. What was multiplied is transformed once more: as fast as to keep it, and nothing is kept."""
        x, filters = context.saved_tensors
        gradient = _channels_last(gradient)
        of_x = torch.zeros_like(x) if context.needs_input_grad[0] else None
        of_filters = torch.zeros_like(filters) if context.needs_input_grad[1] else None
        for some_x, some_gradient, some_of_x in zip(*_few_at_a_time(x, gradient, x if of_x is None else of_x), strict=True):
            taken, products = _planes(some_x), _planes(some_gradient)
            _by_pictures(squares.give_back, some_gradient, products)
            if of_filters is not None:
                _by_pictures(squares.take, some_x, taken)
                torch.baddbmm(of_filters, taken.transpose(1, 2), products, out=of_filters)
            if of_x is not None:
                _by_pictures(squares.take_back, some_of_x, torch.bmm(products, filters.transpose(1, 2), out=taken))
        of_weight = None
        if of_filters is not None:
            of_weight = (_both_sides(FILTERS, x.dtype).T @ of_filters.view(REACH**2, -1)).view(3, 3, *filters.shape[1:]).permute(3, 2, 0, 1)
        return None if of_x is None else of_x.permute(0, 3, 1, 2), of_weight


def _few_at_a_time(*pictures: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
    """Each (B, H, W, C) in parts of as many pictures, whose planes hold no more than `AT_A_TIME` numbers."""
    height, width = pictures[0].shape[1:3]
    most = max(x.shape[3] for x in pictures)
    return [x.split(max(1, AT_A_TIME // (REACH**2 * (height * width // SIDE**2) * most))) for x in pictures]


def _planes(pictures: torch.Tensor) -> torch.Tensor:
    """(36, squares, C), not filled yet, for pictures of this shape (B, H, W, C) and kind."""
    b, height, width, channels = pictures.shape
    squares = b * height * width // SIDE**2
    return pictures.new_empty(REACH**2, squares * channels + APART)[:, :squares * channels].view(REACH**2, squares, channels)


def _channels_last(x: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W) → (B, H, W, C), contiguous; usually nothing is copied."""
    return x.permute(0, 2, 3, 1).contiguous()


def _by_pictures(transform: Callable, pictures: torch.Tensor, planes: torch.Tensor) -> None:
    """As many threads as torch has, each with pictures of its own: whatever their number, the same numbers."""
    count, arrays = len(pictures), (pictures.numpy(), planes.numpy())
    threads = min(torch.get_num_threads(), count)
    if threads == 1:
        transform(*arrays, 0, count)
        return
    own, *others = pairwise(count * k // threads for k in range(threads + 1))
    begun = [_pool(threads - 1).submit(transform, *arrays, *part) for part in others]
    transform(*arrays, *own)
    for other in begun:
        other.result()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, "squares")


@cache
def _both_sides(matrix: tuple[tuple[float, ...], ...], dtype: torch.dtype) -> torch.Tensor:
    """(r, c) → (r * r, c * c): the matrix from the left and its transpose from the right, as one product."""
    one = torch.tensor(matrix, dtype=torch.float64)
    return torch.kron(one, one).to(dtype)
