"""3 x 3 convolutions in float32 on a CPU by minimal filtering, F(4 x 4, 3 x 3) (Winograd 1980; Lavin & Gray 2016).

Squares of 4 x 4 results are worked out together from the 6 x 6 numbers that they depend on: 36 products of matrices instead of 144, between
transforms whose cost does not grow with the number of channels squared. torch's own convolution multiplies directly on processors without
bfloat16; an epoch of our networks takes three quarters of its time by this (docs/lab-notes.md), and results differ by a hundred-thousandth of
the largest.
"""

from functools import cache
from typing import Any

import torch
from torch import nn
from torch.autograd.function import once_differentiable

SIDE = 4  # of the squares of results
REACH = SIDE + 2  # side of what they depend on
FEWEST_CHANNELS = 48  # the transforms of fewer cost more than the products saved
FEWEST_SQUARES = 64  # over all pictures; the filters' transform must pay too
# for the points 0, 1, -1, 2, -2 and infinity: what is applied from both sides to numbers, to filters, and to their products
TAKEN = ((4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0), (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0), (0, 4, 0, -5, 0, 1))
FILTERS = ((1 / 4, 0, 0), (-1 / 6, -1 / 6, -1 / 6), (-1 / 6, 1 / 6, -1 / 6), (1 / 24, 1 / 12, 1 / 6), (1 / 24, -1 / 12, 1 / 6), (0, 0, 1))
RESULTS = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))


class Convolution(nn.Conv2d):
    """``nn.Conv2d`` that takes the shorter way where there is one."""

    def _conv_forward(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        if not self._is_shorter(x):
            return super()._conv_forward(x, weight, bias)
        y = MinimalFiltering.apply(x, weight)
        return y if bias is None else y + bias[:, None, None]

    def _is_shorter(self, x: torch.Tensor) -> bool:
        """Decided by shapes alone: the same machine does the same at every call."""
        if x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling():
            return False
        found = self.kernel_size, self.stride, self.padding, self.padding_mode, self.dilation, self.groups
        plain = found == ((3, 3), (1, 1), (1, 1), "zeros", (1, 1), 1)
        n, _, height, width = x.shape
        return (plain and not height % SIDE and not width % SIDE and min(self.in_channels, self.out_channels) >= FEWEST_CHANNELS
                and n * height * width >= FEWEST_SQUARES * SIDE**2)


class MinimalFiltering(torch.autograd.Function):
    """(B, I, H, W), (O, I, 3, 3) → (B, O, H, W) for sides that are multiples of `SIDE`; zeros around the pictures."""

    @staticmethod
    def forward(context: Any, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """The products, place by place of the 36, over all squares at once."""
        b, inputs, height, width = x.shape
        taken = (_both_sides(TAKEN, x.dtype) @ _overlapping(x)).view(REACH**2, -1, inputs)
        filters = (_both_sides(FILTERS, x.dtype) @ weight.permute(2, 3, 1, 0).reshape(9, -1)).view(REACH**2, inputs, -1)
        context.save_for_backward(taken, filters)
        context.shape = x.shape
        y = _both_sides(RESULTS, x.dtype) @ torch.bmm(taken, filters).view(REACH**2, -1)
        y = y.view(SIDE, SIDE, b, height // SIDE, width // SIDE, -1).permute(2, 3, 0, 4, 1, 5)
        return y.reshape(b, height, width, -1).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Every step of `forward` transposed."""
        taken, filters = context.saved_tensors
        b, inputs, height, width = context.shape
        squares = gradient.permute(0, 2, 3, 1).reshape(b, height // SIDE, SIDE, width // SIDE, SIDE, -1).permute(2, 4, 0, 1, 3, 5)
        products = (_both_sides(RESULTS, gradient.dtype).T @ squares.reshape(SIDE**2, -1)).view(REACH**2, taken.shape[1], -1)
        of_x = of_weight = None
        if context.needs_input_grad[1]:
            of_weight = _both_sides(FILTERS, gradient.dtype).T @ torch.bmm(taken.transpose(1, 2), products).view(REACH**2, -1)
            of_weight = of_weight.view(3, 3, inputs, -1).permute(3, 2, 0, 1)
        if context.needs_input_grad[0]:
            of_x = _both_sides(TAKEN, gradient.dtype).T @ torch.bmm(products, filters.transpose(1, 2)).view(REACH**2, -1)
            of_x = _added(of_x.view(REACH, REACH, b, height // SIDE, width // SIDE, inputs))
        return of_x, of_weight


@cache
def _both_sides(matrix: tuple[tuple[float, ...], ...], dtype: torch.dtype) -> torch.Tensor:
    """(r, c) → (r * r, c * c): the matrix from the left and its transpose from the right, as one product."""
    one = torch.tensor(matrix, dtype=torch.float64)
    return torch.kron(one, one).to(dtype)


def _overlapping(x: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W) → (36, squares * C): every square with the row or column of numbers around it."""
    b, channels, height, width = x.shape
    padded = x.new_zeros(b, height + 2, width + 2, channels)
    padded[:, 1:-1, 1:-1] = x.permute(0, 2, 3, 1)
    of_picture, of_row, of_place, of_channel = padded.stride()
    squares = padded.as_strided((REACH, REACH, b, height // SIDE, width // SIDE, channels),
                                (of_row, of_place, of_picture, SIDE * of_row, SIDE * of_place, of_channel))
    return squares.reshape(REACH**2, -1)


def _added(squares: torch.Tensor) -> torch.Tensor:
    """(6, 6, B, H / 4, W / 4, C) → (B, C, H, W): `_overlapping` transposed."""
    _, _, b, rows, columns, channels = squares.shape
    whole = squares.new_zeros(b, rows + 1, SIDE, columns + 1, SIDE, channels)
    for down, some_rows in enumerate((slice(0, SIDE), slice(SIDE, REACH))):
        for right, some_columns in enumerate((slice(0, SIDE), slice(SIDE, REACH))):
            part = squares[some_rows, some_columns].permute(2, 3, 0, 4, 1, 5)
            whole[:, down:down + rows, :part.shape[2], right:right + columns, :part.shape[4]] += part
    height, width = rows * SIDE, columns * SIDE
    return whole.view(b, height + SIDE, width + SIDE, channels)[:, 1:height + 1, 1:width + 1].permute(0, 3, 1, 2)
