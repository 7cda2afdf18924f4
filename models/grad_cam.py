"""Where a network looked: Grad-CAM (Selvaraju et al. 2017) at the stage that still has places to tell apart.

A stage's maps are weighted by how much the predicted class's logit grows with them, summed, and what is negative is cut off.
"""

import numpy as np
import torch

from models.inference import as_input, network_of
from models.kernel_head import Member
from models.pictures import Pictures
from models.recipes import CnnParameters
from models.tensors import sized_tiles

STAGE = -2  # the last but one: an eighth of the side in patches
CHUNK = 128


def looked_at(member: Member, p: CnnParameters, n_classes: int, pictures: Pictures, codes: np.ndarray) -> np.ndarray:
    """(n, H, W) float32 in [0, 1]: what spoke for class ``codes`` (n,) in each picture; 0 everywhere where nothing did. ``scratch`` only."""
    network = network_of(member.state, p, n_classes)
    parts = [np.empty((0, 1, 1), np.float32)]
    for start in range(0, len(pictures.rows), CHUNK):
        own = np.arange(start, min(start + CHUNK, len(pictures.rows)))
        x = network.scaled(as_input(sized_tiles(pictures.take(own), p.size, p.gray, torch.device("cpu"))))
        stages = list(network.body.stages)  # type: ignore[arg-type]
        for stage in stages[:STAGE + 1]:
            x = stage(x)
        maps = x.detach().requires_grad_()
        x = maps
        for stage in stages[STAGE + 1:]:
            x = stage(x)
        logits = network.body.head(network.body.pool(x))  # type: ignore[operator]
        gradient, = torch.autograd.grad(logits[torch.arange(len(own)), torch.from_numpy(codes[own])].sum(), maps)
        heat = torch.relu((maps * gradient.mean((2, 3), keepdim=True)).sum(1)).detach()
        parts.append((heat / heat.amax((1, 2), keepdim=True).clamp(min=1e-12)).numpy())
    return np.concatenate(parts[1:] or parts)
