"""Which body belongs to which title: each pair of a batch against all others of it, both ways.

InfoNCE (https://arxiv.org/abs/1807.03748) over the issues' own halves; needs no label.
"""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

TEMPERATURE = 0.05


def title_body_loss(titles: torch.Tensor, bodies: torch.Tensor) -> torch.Tensor:
    """Of unit vectors [n, d] each, in the same order."""
    similar = titles @ bodies.T / TEMPERATURE
    right = torch.arange(len(similar), device=similar.device)
    return (cross_entropy(similar, right) + cross_entropy(similar.T, right)) / 2
