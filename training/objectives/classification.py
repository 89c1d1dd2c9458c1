"""Classification loss of the linear head: cross-entropy over exclusive labels, else binary per label.

Unknown pairs weigh nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from training.objectives import Batch

SHUT = -1e4
"""Logit of a label that the issue's repository does not use."""


@dataclass(frozen=True, slots=True)
class Classification:
    """`smoothing` moves targets off 0 and 1, for labels are noisy."""

    smoothing: float

    def __call__(self, batch: Batch) -> torch.Tensor:
        return self._exclusive(batch) if batch.single else self._per_label(batch)

    def _exclusive(self, batch: Batch) -> torch.Tensor:
        used = batch.known != 0
        positive = (batch.known > 0).float()
        target = positive * (1 - self.smoothing) + self.smoothing * used / used.sum(1, keepdim=True)
        log_share = batch.logits.masked_fill(~used, SHUT).log_softmax(dim=1)
        return -(target * log_share).sum(dim=1).mean()

    def _per_label(self, batch: Batch) -> torch.Tensor:
        told = (batch.known != 0).float()
        target = (batch.known > 0).float() * (1 - self.smoothing) + self.smoothing / 2
        loss = binary_cross_entropy_with_logits(batch.logits, target, reduction="none")
        return (loss * told).sum() / told.sum().clamp(min=1.0) * LOUDER


LOUDER = 4.0
"""A mean over labels that mostly are absent is a small number; this brings it to the size of the rest."""
