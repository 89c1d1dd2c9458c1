"""What training minimises: one file per objective, all behind the one protocol below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch


@dataclass(frozen=True, slots=True)
class Batch:
    """What the network made of a batch of issues, and what is known of them."""

    vectors: torch.Tensor
    """[n, d] unit vectors"""
    logits: torch.Tensor
    """[n, L]"""
    known: torch.Tensor
    """[n, L] in {+1, -1, 0}"""
    single: bool
    """Each issue has exactly one label."""


class Objective(Protocol):
    """A scalar loss of a batch; zero (with a gradient) where the batch has nothing to say."""

    def __call__(self, batch: Batch) -> torch.Tensor: ...
