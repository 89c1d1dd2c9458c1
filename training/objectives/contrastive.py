"""Supervised contrastive loss: issues with the same labels are pulled together, the rest apart.

Every issue of a batch is encoded once and compared with all others (Khosla et al. 2020,
https://arxiv.org/abs/2004.11362, the variant with the sum outside of the logarithm).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from training.objectives import Batch


@dataclass(frozen=True, slots=True)
class Contrastive:
    """Pairs weigh by the overlap of their label sets (Jaccard): 1 for the same, 0 for no common label."""

    temperature: float

    def __call__(self, batch: Batch) -> torch.Tensor:
        similar = batch.vectors @ batch.vectors.T / self.temperature
        itself = torch.eye(len(similar), dtype=torch.bool, device=similar.device)
        log_share = similar.masked_fill(itself, float("-inf")).log_softmax(dim=1)
        weight = label_overlap(batch.known).masked_fill(itself, 0.0)
        total = weight.sum(dim=1)
        loss = -(weight * log_share.masked_fill(itself, 0.0)).sum(dim=1) / total.clamp(min=1e-6)
        heard = (total > 0).float()
        return (loss * heard).sum() / heard.sum().clamp(min=1.0)


def label_overlap(known: torch.Tensor) -> torch.Tensor:
    """[n, n]: common positives / positives of either, over labels known of both issues."""
    positive, told = (known > 0).float(), (known != 0).float()
    common = positive @ positive.T
    either = positive @ told.T + told @ positive.T - common
    return common / either.clamp(min=1.0)
