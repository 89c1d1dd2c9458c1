"""A semi-supervised term for the tests of the fit: it learns, remembers, and can break things on cue."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from bot.core.types import IssueText
from training.objectives import Batch, Clock, Moment, Stage, Term, TermLoss
from training.task import Ints


def shout(text: IssueText, seed: object) -> IssueText:
    """Another reading: the title alone."""
    return IssueText(text.title, "")


@dataclass
class Probe(Term):
    """Learns what the teacher (from round 1 on: the student before) says of issues, seen otherwise."""

    name: ClassVar[str] = "probe"
    on_step: ClassVar[Callable[[Clock], None]] = staticmethod(lambda clock: None)
    """Called in each step: where tests send signals."""
    seen: ClassVar[list[str]] = []

    ratio: float = 0.5
    rounds: int = 2
    weight: float = 0.5
    targets: torch.Tensor = field(init=False, default_factory=lambda: torch.zeros(0))
    steps: torch.Tensor = field(init=False, default_factory=lambda: torch.zeros(1))

    def begin_round(self, stage: Stage) -> Ints | None:
        self.seen.append(f"round {stage.clock.round}")
        everything = np.arange(len(stage.pool.texts))
        if stage.clock.round == 0:
            self.targets = torch.full((len(everything), len(stage.space.labels)), 0.5)
            return everything[:4]
        passes = [stage.predict(everything, by="previous", dropout=seed) for seed in (1, 2)]
        self.targets = torch.stack(passes).mean(dim=0).sigmoid()
        return None

    def begin_step(self, stage: Stage) -> None:
        if self.seen[-1:] != [epoch := f"epoch {stage.clock.epoch}"]:
            self.seen.append(epoch)

    def weigh(self, labelled: Batch, clock: Clock) -> torch.Tensor | None:
        return torch.full_like(labelled.known, 0.5 + clock.done / 2)

    def __call__(self, moment: Moment) -> TermLoss:
        self.on_step(moment.stage.clock)
        self.steps += 1
        student, teacher = moment.student(shout), moment.teacher()
        assert moment.student(shout) is student
        assert not teacher.logits.requires_grad
        targets = (self.targets[moment.rows] + teacher.logits.sigmoid()) / 2
        loss = binary_cross_entropy_with_logits(student.logits, targets)
        return TermLoss(loss, {"steps": self.steps.item()})

    def state(self) -> dict[str, torch.Tensor]:
        return {"targets": self.targets, "steps": self.steps}

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:
        self.targets, self.steps = state["targets"], state["steps"]


def at(round_: int, step: int, *, send: signal.Signals) -> Callable[[Clock], None]:
    """A signal to this process in that step."""

    def act(clock: Clock) -> None:
        if (clock.round, clock.step) == (round_, step):
            os.kill(os.getpid(), send)

    return act
