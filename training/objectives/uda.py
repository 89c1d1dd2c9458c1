"""UDA: an issue and another reading of it must get the same labels.

Xie et al. 2020, https://arxiv.org/abs/1904.12848: sharpened targets without gradient, a mask for what is
not sure, and training-signal annealing, which releases labelled examples slowly. Per label (Bernoulli
divergence); exclusive labels as in the paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch

from training.augment import augmentation
from training.augment.reading import Augment
from training.objectives import Batch, Clock, Moment, Stage, Term, TermLoss
from training.objectives.classification import SHUT
from training.objectives.pseudo import TINY, log_probabilities, mean_over, per_label_loss

Annealing = Literal["none", "linear", "exp", "log"]


@dataclass
class Consistency(Term):
    """The teacher reads the issue as filed, the student another reading."""

    name: ClassVar[str] = "uda"
    weight: float = 1.0
    ratio: float = 3.0
    augment: str = "mixed"
    temperature: float = 0.4
    """Below 1 the targets are sharper than what the teacher said."""
    sure: float = 0.8
    """Only targets at least as sure as this teach."""
    annealing: Annealing = "linear"
    """How fast labelled pairs are released; `none`: all at once."""
    _reading: Augment | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        # A name that does not exist is refused before anything is trained.
        augmentation(self.augment, ())

    def begin_round(self, stage: Stage) -> None:
        self._reading = augmentation(self.augment, stage.pool.texts)

    def weigh(self, labelled: Batch, clock: Clock) -> torch.Tensor | None:
        """A pair that is answered better than the threshold of the moment does not teach yet: few
        labels would be learned by heart long before the unlabelled issues have had their say."""
        if self.annealing == "none":
            return None
        used = (labelled.known != 0).sum(1, keepdim=True)
        start = 1 / used.clamp(min=1) if labelled.single else 0.5
        threshold = start + _released(clock.done, self.annealing) * (1 - start)
        with torch.no_grad():
            right = _right(labelled)
        return (right <= threshold).float()

    def __call__(self, moment: Moment) -> TermLoss:
        if self._reading is None:  # resumed within a round
            self.begin_round(moment.stage)
        told = moment.teacher().logits
        logits = moment.student(self._reading).logits
        if moment.stage.space.single:
            return self._exclusive(told, logits, moment.allowed)
        target = (told / self.temperature).sigmoid()
        certain = told.sigmoid()
        mask = (torch.maximum(certain, 1 - certain) >= self.sure) & moment.allowed
        # Divergence and cross-entropy differ by the targets' entropy, which has no gradient.
        loss = per_label_loss(logits, target, mask.float())
        positives = ((target > 0.5) & mask).sum() / len(target)
        return TermLoss(loss, {"sure": float(mask.float().mean()), "positives": float(positives)})

    def _exclusive(
        self, told: torch.Tensor, logits: torch.Tensor, allowed: torch.Tensor
    ) -> TermLoss:
        shut = told.masked_fill(~allowed, SHUT)
        target = (shut / self.temperature).softmax(1)
        mask = (shut.softmax(1).max(1).values >= self.sure).float()
        loss = mean_over(-(target * log_probabilities(logits, allowed)).sum(1), mask)
        return TermLoss(loss, {"sure": float(mask.mean())})


def _right(labelled: Batch) -> torch.Tensor:
    """[n, L]: the probability of what is known; of exclusive labels that of the right one, in each
    column. Unknown pairs count as wrong: they have no weight to lose."""
    if labelled.single:
        share = labelled.logits.masked_fill(labelled.known == 0, SHUT).softmax(1)
        right = (share * (labelled.known > 0)).sum(1, keepdim=True)
        return right.expand_as(labelled.known)
    p = labelled.logits.sigmoid()
    return torch.where(labelled.known > 0, p, 1 - p) * (labelled.known != 0)


def _released(done: float, annealing: Annealing) -> float:
    """From 0 to 1; `exp` keeps labels back until late, for few that are learned by heart at once."""
    if annealing == "linear":
        return done
    if annealing == "exp":
        return math.exp((done - 1) * 5)
    return 1 - math.exp(-done * 5) + TINY
