"""CAP: as many pseudo-positives of each label as its share among the labelled issues says.

Xie et al. 2023, https://arxiv.org/abs/2305.02795 (class-distribution-aware pseudo-labelling): one cut a
label at the quantile of its own scores, so that frequent labels do not take everything and rare ones are
not silent; between the upper and the lower cut a pair teaches nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from training.augment import augmentation
from training.augment.reading import Augment
from training.objectives import Moment, Stage, Term, TermLoss
from training.objectives.pseudo import (
    log_probabilities,
    mean_over,
    per_label_loss,
    probabilities,
)


@dataclass
class ClassAware(Term):
    """Pseudo-labels are drawn up anew now and then, evenly over the steps."""

    name: ClassVar[str] = "cap"
    weight: float = 1.0
    ratio: float = 2.0
    augment: str = "mixed"
    """How the student reads the issue; the pseudo-labels come from the issue as filed."""
    trusted: float = 0.6
    """Share of the expected positives, and of the expected negatives, that is believed."""
    after: float = 0.25
    """Share of the steps that go by first: a network that knows nothing yet would teach that."""
    looks: int = 4
    """Between two looks at the whole pool lies 1 / `looks` of the steps: as it stands there are three. Not
    one an epoch: few labels make many, a large history one."""
    _pseudo: torch.Tensor | None = field(default=None, init=False)
    """[m, L] in {+1, -1, 0}, like known pairs."""
    _looked: float = field(default=-1.0, init=False)
    """Share of the steps that were done at the last look."""
    _reading: Augment | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        # A name that does not exist is refused before anything is trained.
        augmentation(self.augment, ())

    def begin_step(self, stage: Stage) -> None:
        clock = stage.clock
        if clock.step == 0:
            self._pseudo = torch.zeros(stage.pool.allowed.shape, dtype=torch.int8)
            self._looked = -1.0
        fresh = self._looked >= 0 and clock.done - self._looked < 1 / self.looks
        if clock.done < self.after or fresh:
            return
        self._looked = clock.done
        rows = np.arange(len(stage.pool.texts))
        allowed = torch.as_tensor(stage.pool.allowed)
        found = probabilities(stage.predict(rows), allowed, single=stage.space.single)
        shares = expected_shares(stage)
        self._pseudo = torch.as_tensor(
            believed(found.numpy(), stage.pool.allowed, shares, trusted=self.trusted)
        )

    def __call__(self, moment: Moment) -> TermLoss:
        assert self._pseudo is not None
        pseudo = self._pseudo[moment.rows].to(moment.allowed.device)
        if self._reading is None:
            self._reading = augmentation(self.augment, moment.stage.pool.texts)
        if not pseudo.any():
            return TermLoss(moment.labelled.logits.sum() * 0.0, {"positives": 0.0})
        logits = moment.student(self._reading).logits
        wanted = (pseudo > 0).float()
        if moment.stage.space.single:
            log_share = log_probabilities(logits, moment.allowed)
            loss = mean_over(-(wanted * log_share).sum(1), wanted.sum(1).clamp(max=1.0))
        else:
            loss = per_label_loss(logits, wanted, (pseudo != 0).float())
        return TermLoss(loss, {"positives": float(wanted.sum() / len(wanted))})

    def state(self) -> dict[str, torch.Tensor]:
        if self._pseudo is None:
            return {}
        return {"pseudo": self._pseudo, "looked": torch.tensor(self._looked, dtype=torch.float64)}

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        if state:
            self._pseudo, self._looked = state["pseudo"], float(state["looked"])


def expected_shares(stage: Stage) -> NDArray[np.float64]:
    """[L]: share of each label among the labelled issues that tell whether they have it."""
    positive = (stage.known > 0).sum(axis=0)
    told = (stage.known != 0).sum(axis=0)
    return np.asarray(positive / np.maximum(told, 1), dtype=np.float64)


def believed(
    found: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    shares: NDArray[np.float64],
    *,
    trusted: float,
) -> NDArray[np.int8]:
    """[m, L]: +1 for the highest `trusted * share` of a label's scores, -1 for the lowest `trusted *
    (1 - share)`, 0 between and where the repository does not use the label."""
    pseudo = np.zeros(found.shape, dtype=np.int8)
    for label, share in enumerate(shares):
        mine = np.flatnonzero(allowed[:, label])
        order = mine[np.argsort(-found[mine, label], kind="stable")]
        positives = round(trusted * share * len(order))
        negatives = round(trusted * (1 - share) * len(order))
        pseudo[order[:positives], label] = 1
        pseudo[order[len(order) - negatives :], label] = -1
    return pseudo
