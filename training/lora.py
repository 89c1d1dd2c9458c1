"""Low-rank updates of an encoder's matrices (Hu et al. 2021, https://arxiv.org/abs/2106.09685).

A parametrisation of torch, so that nothing else knows of it; merged before anything is saved.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import parametrize


class LowRank(nn.Module):  # type: ignore[misc]
    """W -> W + scale * up @ down. Starts as W itself, for `up` is zero."""

    def __init__(self, weight: torch.Tensor, *, rank: int, scale: float) -> None:
        super().__init__()
        outputs, inputs = weight.shape
        like = {"dtype": weight.dtype, "device": weight.device}
        self.down = nn.Parameter(torch.randn(rank, inputs, **like) / rank)
        self.up = nn.Parameter(torch.zeros(outputs, rank, **like))
        self.scale = scale

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + self.scale * (self.up @ self.down)


def add_low_rank(encoder: nn.Module, *, rank: int, scale: float) -> None:
    """Every matrix of the layers gets an update; embeddings stay as they are."""
    for module in list(encoder.modules()):
        if isinstance(module, nn.Linear):
            update = LowRank(module.weight, rank=rank, scale=scale)
            parametrize.register_parametrization(module, "weight", update)


def merge_low_rank(encoder: nn.Module) -> None:
    """Adds the updates to the weights; nothing to do where there are none."""
    for module in list(encoder.modules()):
        if isinstance(module, nn.Linear) and parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
