"""Several losses -> one: by fixed factors, or by factors that are learned from how sure each loss is.

Learned: Kendall, Gal and Cipolla 2018, https://arxiv.org/abs/1705.07115: exp(-s) loss + s / 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

LARGEST = 4.0
"""Bound of |s|: a loss that reaches zero would otherwise grow without end."""


class FixedBalance(nn.Module):  # type: ignore[misc]
    """The sum of factor x loss."""

    def __init__(self, factors: Mapping[str, float]) -> None:
        super().__init__()
        self.factors = dict(factors)

    def forward(self, losses: Mapping[str, torch.Tensor]) -> torch.Tensor:
        weighed = (self.factors[name] * loss for name, loss in losses.items())
        return sum(weighed, torch.zeros(()))


class LearnedBalance(nn.Module):  # type: ignore[misc]
    """One s a loss; starts with the factors. A loss of zero has nothing to say of its s.

    A factor of 0 keeps its loss out.
    """

    def __init__(self, factors: Mapping[str, float]) -> None:
        super().__init__()
        heard = {name: factor for name, factor in factors.items() if factor > 0}
        self.unsure = nn.ParameterDict(
            {name: nn.Parameter(torch.tensor(-math.log(factor))) for name, factor in heard.items()}
        )

    def forward(self, losses: Mapping[str, torch.Tensor]) -> torch.Tensor:
        total = torch.zeros(())
        for name, loss in losses.items():
            if name in self.unsure and loss.item() != 0:
                s = self.unsure[name].clamp(-LARGEST, LARGEST)
                total = total + torch.exp(-s) * loss + s / 2
        return total
