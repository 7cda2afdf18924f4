"""Losses over label weights (B, n_classes), so that smoothed and mixed labels need no other code.

Weighted: each class counts by the reciprocal of its number of pictures. Focal: Lin et al. 2017, pictures that are already right
count less. Logit adjustment (Menon et al. 2021): the log prior is added while training, so that rare classes are not paid for being rare.
"""

import numpy as np
import torch
import torch.nn.functional as F

from models.recipes import CnnParameters


def label_weights(codes: torch.Tensor, n_classes: int, smoothing: float) -> torch.Tensor:
    """(B,) class codes → (B, n_classes) weights that sum to 1."""
    return smoothed(F.one_hot(codes, n_classes).float(), smoothing)


def smoothed(weights: torch.Tensor, smoothing: float) -> torch.Tensor:
    """(B, n_classes) label weights → the share ``smoothing`` of each spread over all classes."""
    return weights * (1 - smoothing) + smoothing / weights.shape[1]


def class_priors(codes: np.ndarray, n_classes: int, sampling: float) -> np.ndarray:
    """(n_classes,) share of each class in what is drawn with this ``sampling``; never 0."""
    counts = np.bincount(codes, minlength=n_classes).astype(float)
    drawn = np.where(counts > 0, counts, 1) ** (1 - sampling)
    return drawn / drawn.sum()


def loss_of(logits: torch.Tensor, targets: torch.Tensor, p: CnnParameters, prior: torch.Tensor) -> torch.Tensor:
    """(B, n_classes) logits and label weights, (n_classes,) ``prior`` → the mean loss."""
    logits = logits.float() + p.logit_adjustment * prior.log()
    log_proba = F.log_softmax(logits, dim=1)
    each = -targets * log_proba
    if p.loss == "focal":
        each = each * (1 - log_proba.exp()) ** p.focal_gamma
    if p.loss == "weighted":
        weight = targets / prior
        return (each / prior).sum() / weight.sum()
    return each.sum(1).mean()
