"""What augmentation does to pictures, for people to look at."""

import numpy as np
import torch

from models.augment import augmented
from models.inference import as_input
from models.networks import front_of
from models.pictures import Pictures
from models.recipes import CnnParameters
from models.tensors import border_colors, sized_tiles


def changed_pictures(pictures: Pictures, p: CnnParameters, versions: int) -> np.ndarray:
    """(n, 1 + versions, S, S, 3) uint8: each picture as it is, then as the training would see it in so many epochs."""
    x = sized_tiles(pictures, p.size, p.gray, torch.device("cpu"))
    fill = border_colors(x).float() / 255
    front = front_of(p.edges)
    shown = [front(as_input(x))]
    for version in range(versions):
        rng = np.random.default_rng([p.seed, version])
        shown.append(front(augmented(as_input(x), fill, torch.zeros(len(x), 1), p.augmentation, rng)[0]))
    sheet = (torch.stack(shown, 1) * 255).round().to(torch.uint8).permute(0, 1, 3, 4, 2)  # (n, 1 + versions, S, S, C)
    return sheet.expand(-1, -1, -1, -1, 3).numpy()
