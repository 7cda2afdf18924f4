"""``nn.Conv2d`` that takes the shorter way (`models.winograd`) where there is one.

Apart from it, since that imports a compiler: who predicts a picture, or has a GPU or products in bfloat16, shall not wait for it.
"""

import torch
from torch import nn

FEWEST_PICTURES = 4  # of fewer, as of a lone one and its mirror image, the shorter way is not asked for


class Convolution(nn.Conv2d):
    """In float32 on a CPU 3 x 3 convolutions are worked out by minimal filtering, from so many pictures and channels on."""

    def _conv_forward(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        if not self._is_shorter(x):
            return super()._conv_forward(x, weight, bias)
        from models.winograd import MinimalFiltering

        y = MinimalFiltering.apply(x, weight)
        return y if bias is None else y + bias[:, None, None]

    def _is_shorter(self, x: torch.Tensor) -> bool:
        """Decided by shapes alone: the same machine does the same at every call."""
        if torch.compiler.is_compiling() or x.device.type != "cpu" or x.dtype != torch.float32 or torch.is_autocast_enabled("cpu"):
            return False
        if len(x) < FEWEST_PICTURES:
            return False
        found = self.kernel_size, self.stride, self.padding, self.padding_mode, self.dilation, self.groups
        if found != ((3, 3), (1, 1), (1, 1), "zeros", (1, 1), 1):
            return False
        from models import winograd

        n, _, height, width = x.shape
        return winograd.is_shorter(n, self.in_channels, self.out_channels, height, width)
