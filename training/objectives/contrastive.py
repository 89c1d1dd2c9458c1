"""Supervised contrastive loss: issues with the same labels are pulled together, the rest apart.

Every issue of a batch is encoded once and compared with all others (Khosla et al. 2020,
https://arxiv.org/abs/2004.11362, the variant with the sum outside of the logarithm).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from training.objectives import Batch
from training.recipe import Within

LEAST = torch.finfo(torch.float32).min
"""Instead of -inf: a row with nothing to compare would become no number."""


@dataclass(frozen=True, slots=True)
class Contrastive:
    """Pairs weigh by the overlap of their label sets (Jaccard): 1 for the same, 0 for no common label.

    `within` a repository: issues of others are neither alike nor unlike, they are not compared.
    """

    temperature: float
    within: Within = "batch"

    def __call__(self, batch: Batch) -> torch.Tensor:
        similar = batch.vectors @ batch.vectors.T / self.temperature
        out = torch.eye(len(similar), dtype=torch.bool, device=similar.device)
        if self.within == "repository" and batch.repo is not None:
            out = out | (batch.repo[:, None] != batch.repo[None, :])
        weight = label_overlap(batch.known).masked_fill(out, 0.0)
        total = weight.sum(dim=1)
        log_share = similar.masked_fill(out, LEAST).log_softmax(dim=1)
        loss = -(weight * log_share.masked_fill(out, 0.0)).sum(dim=1) / total.clamp(min=1e-6)
        heard = (total > 0).float()
        return (loss * heard).sum() / heard.sum().clamp(min=1.0)


def label_overlap(known: torch.Tensor) -> torch.Tensor:
    """[n, n]: common positives / positives of either, over labels known of both issues."""
    positive, told = (known > 0).float(), (known != 0).float()
    common = positive @ positive.T
    either = positive @ told.T + told @ positive.T - common
    return common / either.clamp(min=1.0)
