"""Classification loss of the linear head: cross-entropy over exclusive labels, else binary per label.

Unknown pairs weigh nothing. Rare labels and hard issues weigh more under the focal loss
(https://arxiv.org/abs/1708.02002) and the asymmetric one (https://arxiv.org/abs/2009.14119).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from training.objectives import Batch
from training.recipe import Loss

SHUT = -1e4
"""Logit of a label that the issue's repository does not use."""
LOUDER = 4.0
"""A mean over labels that mostly are absent is a small number; this brings it to the size of the rest."""
MARGIN = 0.05
"""Asymmetric: a negative whose probability is below this is easy enough to count for nothing."""


@dataclass(frozen=True, slots=True)
class Classification:
    """`smoothing` moves targets off 0 and 1, for labels are noisy.

    `focus` is the exponent of the factor that quiets what is easy: (1 - p of the right answer); with the
    asymmetric loss positives keep their full weight.
    """

    smoothing: float
    kind: Loss = "plain"
    focus: float = 2.0

    def __call__(self, batch: Batch) -> torch.Tensor:
        return self._exclusive(batch) if batch.single else self._per_label(batch)

    def _exclusive(self, batch: Batch) -> torch.Tensor:
        """The share of the right label says how easy the issue is; there are no negatives apart, so
        the asymmetric loss is the plain one."""
        used = batch.known != 0
        positive = (batch.known > 0).float()
        target = positive * (1 - self.smoothing) + self.smoothing * used / used.sum(1, keepdim=True)
        log_share = batch.logits.masked_fill(~used, SHUT).log_softmax(dim=1)
        loss = -(target * log_share).sum(dim=1)
        if self.kind == "focal":
            loss = loss * (1 - (positive * log_share.exp()).sum(dim=1)) ** self.focus
        if batch.weight is None:
            return loss.mean()
        weight = (positive * batch.weight).sum(dim=1)
        return (loss * weight).sum() / weight.sum().clamp(min=1e-6)

    def _per_label(self, batch: Batch) -> torch.Tensor:
        told = (batch.known != 0).float()
        if batch.weight is not None:
            told = told * batch.weight
        positive = batch.known > 0
        target = positive.float() * (1 - self.smoothing) + self.smoothing / 2
        loss = binary_cross_entropy_with_logits(batch.logits, target, reduction="none")
        if self.kind == "focal":
            sure = batch.logits.sigmoid()
            loss = loss * torch.where(positive, 1 - sure, sure).clamp(min=0.0) ** self.focus
        elif self.kind == "asymmetric":
            loss = torch.where(positive, loss, self._negative(batch.logits.sigmoid()))
        return (loss * told).sum() / told.sum().clamp(min=1.0) * LOUDER

    def _negative(self, probability: torch.Tensor) -> torch.Tensor:
        """Of a label that is absent, unsmoothed: the margin forgives more than smoothing asks."""
        above = (probability - MARGIN).clamp(min=0.0)
        return -torch.log1p(-above) * above**self.focus
