"""The semi-supervised terms of a run: when they are asked, and what they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from training.fit.loop import Learner, Told
from training.fit.plan import Plan
from training.fit.unlabelled import Glance, Oracle, Reader, Stream
from training.network import Network
from training.objectives import Batch, Clock, Moment, Stage, Term
from training.task import Ints, Task


@dataclass(slots=True)
class Company:
    """The terms of one round, with the rows of the pool that each of them draws from."""

    terms: Sequence[Term]
    task: Task
    reader: Reader
    learner: Learner
    previous: Network | None
    seed: int
    batch: int
    """Labelled issues of a batch, and batches of a step."""
    accumulate: int
    round: int
    rounds: int
    clock: Clock = field(init=False)
    drawn: dict[str, Ints] = field(default_factory=dict)
    streams: dict[str, Stream] = field(default_factory=dict)

    def begin(self, step: int, *, plan: Plan) -> None:
        """At the start of a round the terms relabel, before a step they may look around."""
        self.clock = Clock(self.round, self.rounds, plan.epoch(step), step, len(plan.steps))
        stage = self._stage()
        if step == 0:
            for term in self.terms:
                rows = term.begin_round(stage)
                pool = np.arange(len(self.reader.pool.texts))
                self.drawn[term.name] = pool if rows is None else rows
        for term in self.terms:
            term.begin_step(stage)

    def weigh(self, batch: Batch) -> Batch:
        """The labelled batch with what the terms think its pairs should count."""
        for term in self.terms:
            factor = term.weigh(batch, self.clock)
            if factor is not None:
                told = factor if batch.weight is None else batch.weight * factor
                batch = replace(batch, weight=told)
        return batch

    def look(self, labelled: Batch, *, step: int, part: int) -> Told:
        """What the terms say of their next unlabelled batches."""
        losses: dict[str, torch.Tensor] = {}
        metrics: dict[str, float] = {}
        for term in self.terms:
            if not len(self.drawn[term.name]):
                continue
            said = term(self._moment(term, labelled, step=step, part=part))
            losses[term.name] = said.loss
            metrics |= {f"{term.name}/{key}": value for key, value in said.metrics.items()}
        return Told(losses, metrics)

    def state(self) -> dict[str, Any]:
        return {
            term.name: {
                "rows": torch.as_tensor(self.drawn[term.name]),
                "state": dict(term.state()),
            }
            for term in self.terms
            if term.name in self.drawn
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        for term in self.terms:
            if term.name in state:
                self.drawn[term.name] = state[term.name]["rows"].numpy()
                term.restore(state[term.name]["state"])

    def _moment(self, term: Term, labelled: Batch, *, step: int, part: int) -> Moment:
        rows = self._stream(term).batch(step * self.accumulate + part)
        seed = (self.seed, self.round, step, part)
        allowed = torch.as_tensor(self.reader.pool.allowed[rows]).to(self.reader.device.kind)
        return Moment(
            stage=self._stage(),
            labelled=labelled,
            rows=rows,
            allowed=allowed,
            student=Glance(self.reader, self.learner.network, rows, seed, learns=True),
            teacher=Glance(self.reader, self.learner.averaged, rows, seed, learns=False),
        )

    def _stream(self, term: Term) -> Stream:
        if term.name not in self.streams:
            self.streams[term.name] = Stream(
                rows=self.drawn[term.name],
                lengths=self.reader.lengths,
                size=max(round(term.ratio * self.batch), 1),
                seed=(self.seed, self.round, *term.name.encode()),
            )
        return self.streams[term.name]

    def _stage(self) -> Stage:
        return Stage(
            clock=self.clock,
            seed=self.seed,
            space=self.task.space,
            known=self.task.known,
            repo=self.task.repo,
            pool=self.reader.pool,
            predict=Oracle(self.reader, self.learner, self.previous),
        )
