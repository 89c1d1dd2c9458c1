"""What the semi-supervised terms share: probabilities of allowed labels, and losses against soft targets."""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from training.objectives.classification import SHUT

TINY = 1e-6


def probabilities(logits: torch.Tensor, allowed: torch.Tensor, *, single: bool) -> torch.Tensor:
    """[m, L]; 0 for labels that the issue's repository does not use. Rows sum to one if `single`."""
    if not single:
        return logits.sigmoid() * allowed
    return logits.masked_fill(~allowed, SHUT).softmax(dim=1) * allowed


def log_probabilities(logits: torch.Tensor, allowed: torch.Tensor) -> torch.Tensor:
    """[m, L] of exclusive labels."""
    return logits.masked_fill(~allowed, SHUT).log_softmax(dim=1)


def bernoulli_entropy(p: torch.Tensor) -> torch.Tensor:
    """In nats, per label."""
    p = p.clamp(TINY, 1 - TINY)
    return -(p * p.log() + (1 - p) * (1 - p).log())


def mean_over(loss: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weighted mean; zero, with a gradient, where nothing weighs."""
    return (loss * weight).sum() / weight.sum().clamp(min=TINY)


def per_label_loss(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Binary cross-entropy, the mean over wanted and over unwanted labels counting alike: pseudo-labels
    are mostly absences, which would drown the few that say something."""
    loss = binary_cross_entropy_with_logits(logits, target, reduction="none")
    wanted = (target > 0.5).float()
    return (mean_over(loss, weight * wanted) + mean_over(loss, weight * (1 - wanted))) / 2
