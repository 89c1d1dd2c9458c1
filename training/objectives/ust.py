"""UST: self-training on what the last student was sure of, a fresh student each round.

Mukherjee and Awadallah 2020, https://papers.nips.cc/paper/2020/hash/f23d125da1e29e34c552f448610ff25f-Abstract.html:
dropout stays on for several passes (MC dropout); the information between answer and weights (BALD) ranks
what to learn from; the variance of the passes weighs it. Here per label (Bernoulli), with a quota for each
label, and one for issues that get none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch

from training.objectives import Moment, Stage, Term, TermLoss
from training.objectives.pseudo import (
    TINY,
    bernoulli_entropy,
    log_probabilities,
    mean_over,
    per_label_loss,
    probabilities,
)
from training.task import Ints


@dataclass
class SelfTraining(Term):
    """Round 0 learns from labels alone; each later one from what the student before was sure of."""

    name: ClassVar[str] = "ust"
    rounds: int = 3
    weight: float = 1.0
    ratio: float = 1.0
    passes: int = 10
    """With dropout, to tell how sure the student is."""
    looked_at: int = 2048
    """Issues of the pool that a round looks at, drawn anew each time."""
    quota: int = 32
    """Issues chosen for each label, and for none."""
    _target: torch.Tensor | None = field(default=None, init=False)
    _trust: torch.Tensor | None = field(default=None, init=False)

    def begin_round(self, stage: Stage) -> Ints | None:
        size, labels = stage.pool.allowed.shape
        self._target = torch.zeros(size, labels)
        self._trust = torch.zeros(size, labels)
        if stage.clock.round == 0:
            return np.zeros(0, dtype=np.int64)
        random = np.random.default_rng([stage.seed, stage.clock.round])
        rows = np.sort(random.permutation(size)[: self.looked_at])
        drawn = self._passes(stage, rows)
        allowed = torch.as_tensor(stage.pool.allowed[rows])
        mean, variance = drawn.mean(0), drawn.var(0, unbiased=False)
        unsure = bernoulli_entropy(mean) - bernoulli_entropy(drawn).mean(0)
        guess = _guess(mean, single=stage.space.single)
        chosen = self._choose(guess, unsure, allowed, random)
        self._target[rows] = guess.float()
        self._trust[rows] = _trust(variance) * allowed
        return rows[chosen]

    def __call__(self, moment: Moment) -> TermLoss:
        assert self._target is not None
        assert self._trust is not None
        logits = moment.student().logits
        target = self._target[moment.rows].to(logits.device)
        trust = self._trust[moment.rows].to(logits.device)
        if moment.stage.space.single:
            log_share = log_probabilities(logits, moment.allowed)
            loss = mean_over(-(target * log_share).sum(1), (trust * target).sum(1))
        else:
            loss = per_label_loss(logits, target, trust)
        figures = {"positives": float(target.sum() / len(target)), "trust": float(trust.mean())}
        return TermLoss(loss, figures)

    def state(self) -> dict[str, torch.Tensor]:
        if self._target is None or self._trust is None:
            return {}
        return {"target": self._target, "trust": self._trust}

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        if state:
            self._target, self._trust = state["target"], state["trust"]

    def _passes(self, stage: Stage, rows: Ints) -> torch.Tensor:
        """Probabilities [passes, m, L] of the student before, dropout on."""
        allowed = torch.as_tensor(stage.pool.allowed[rows])
        single = stage.space.single
        seeds = range(stage.clock.round * 1000, stage.clock.round * 1000 + self.passes)
        return torch.stack(
            [
                probabilities(
                    stage.predict(rows, by="previous", dropout=seed), allowed, single=single
                )
                for seed in seeds
            ]
        )

    def _choose(
        self,
        guess: torch.Tensor,
        unsure: torch.Tensor,
        allowed: torch.Tensor,
        random: np.random.Generator,
    ) -> Ints:
        """Rows, drawn the likelier the surer the student is: a quota for each label, and for none."""
        chosen: list[Ints] = []
        none = ~guess.any(1)
        doubts = [(guess[:, label], unsure[:, label]) for label in range(guess.shape[1])]
        doubts.append((none & allowed.any(1), unsure.max(1).values))
        for mine, doubt in doubts:
            rows = mine.nonzero().flatten().numpy()
            if len(rows):
                sure = 1 - doubt[rows].double().numpy() / np.log(2)
                odds = np.clip(sure, TINY, None)
                size = min(self.quota, len(rows))
                chosen.append(random.choice(rows, size, replace=False, p=odds / odds.sum()))
        return np.unique(np.concatenate(chosen)) if chosen else np.zeros(0, dtype=np.int64)


def _guess(mean: torch.Tensor, *, single: bool) -> torch.Tensor:
    """bool [m, L]: labels that the passes agree on."""
    if not single:
        return mean >= 0.5
    return torch.nn.functional.one_hot(mean.argmax(1), mean.shape[1]).bool()


def _trust(variance: torch.Tensor) -> torch.Tensor:
    """Minus the log of the variance (the paper's weight), scaled to [0, 1]: .25 is the most a
    probability can vary."""
    most, least = np.log(0.25), np.log(1e-4)
    return ((most - variance.clamp(1e-4, 0.25).log()) / (most - least)).float()
