"""The replay itself: issues arrive, the head that serves decides, corrections come and are learned.

Refits and whole fits go the steps of `bot.jobs.learning.refit` and `.learn`, with the product's functions,
on values instead of a database. Beside the head that serves stand two that only watch: the last whole fit
without memory and refits of single labels, and the first head of all.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.learning_log import WATCHING, Arrival, Log, Taught, Who
from benchmarks.learning_world import SETTLING, World
from bot.classify.choices import Earlier, choice_after, heed_practice
from bot.classify.head import DELTA, Head, fit_head, refit_labels
from bot.classify.history import History
from bot.classify.memory import Memory
from bot.classify.trial import Lesson, Trial, compare
from bot.core.decide import decide
from bot.core.evidence import KnownPairs
from bot.core.label_text import label_text
from bot.core.rules import Rules
from bot.core.types import Decision, LabelEvent, LabelSpec, Score
from bot.core.unbiased import Practice
from bot.jobs.learning import past as pasts
from bot.jobs.requests import REFIT_DEBOUNCE

AHEAD: dict[Who, int] = {"fast": 8, "slow": 32, "frozen": 32}
"""Issues scored together, as long as the head stays."""


class Replay:
    """One world and the heads in it."""

    def __init__(self, world: World, *, whole_every: int, target: float) -> None:
        self.world, self.log = world, Log()
        self._every, self._target = whole_every, target
        self._coming: list[tuple[datetime, int, tuple[LabelEvent, ...]]] = []
        self._touched: dict[str, None] = {}
        self._corrected_at: list[datetime] = []
        self._refit_at: datetime | None = None
        self._choices = self._since_whole = 0
        self.heads: dict[Who, Head] = {}
        self._scores = {who: _Ahead(world, size) for who, size in AHEAD.items()}

    def run(self) -> Log:
        world = self.world
        self._whole(world.filed[world.start], rows=world.start)
        self.heads["frozen"] = self.heads["fast"]
        for row in range(world.start, len(world)):
            self._until(world.filed[row], rows=row)
            self._arrive(row)
        self._until(world.filed[-1] + timedelta(days=365), rows=len(world))
        return self.log

    def _arrive(self, row: int) -> None:
        if self._since_whole >= self._every:
            self._whole(self.world.filed[row], rows=row)
        self._since_whole += 1
        silent = self.world.arrive(row)
        decided = {who: self._decide(who, row) for who in WATCHING}
        applied = {
            who: frozenset(one.label for one in found if one.action == "apply")
            for who, found in decided.items()
        }
        self.log.arrivals.append(Arrival(row, silent, applied))
        self.world.decided(row, decided["fast"])
        names = self.world.names(row + 1)
        if events := self.world.answers(row, names, self.heads["fast"].exclusive):
            heapq.heappush(self._coming, (events[0].at, row, tuple(events)))

    def _decide(self, who: Who, row: int) -> tuple[Decision, ...]:
        head = self.heads[who]
        return decide(
            self._scores[who].of(head, row),
            rules=Rules(),
            exclusive=head.exclusive,
            present=(),
            removed_by_human=(),
            available=head.labels,
        )

    def _until(self, moment: datetime, *, rows: int) -> None:
        """Everything that happens before a moment."""
        while True:
            due = [at for at in (self._refit_at, *(c[0] for c in self._coming[:1])) if at]
            if not due or min(due) > moment:
                return
            if self._refit_at == min(due):
                self._refit(self._refit_at, rows=rows)
            else:
                self._visited()

    def _visited(self) -> None:
        _, row, events = heapq.heappop(self._coming)
        for one in self.world.corrected(row, events, self.heads["fast"].exclusive):
            self._touched |= dict.fromkeys(one.labels)
            self._corrected_at.append(one.at)
            if self._refit_at is None:
                self._refit_at = one.at + timedelta(seconds=REFIT_DEBOUNCE)

    def _refit(self, moment: datetime, *, rows: int) -> None:
        """As `bot.jobs.learning.refit`: the touched labels and the memory; cuts and calibration stay."""
        old = self.heads["fast"]
        names = list(old.labels)
        labels = [label for label in self._touched if label in names]
        if not labels:
            self._whole(moment, rows=rows)
            return
        done = _Done.now("labels", moment)
        known = self.world.known(names, moment, rows=rows, exclusive=old.exclusive)
        history, lessons, memory = self.taught_by(names, known, old.memory, old.exclusive)
        new = replace(refit_labels(old, history, labels), memory=memory)
        columns = [names.index(label) for label in labels]
        trial = compare(old, new, history=history, lessons=lessons, columns=columns)
        self._settle(done, new, trial, trial.objection)

    def _whole(self, moment: datetime, *, rows: int) -> None:
        """As `bot.jobs.learning.learn`."""
        done = _Done.now("whole", moment)
        old, world = self.heads.get("fast"), self.world
        names = world.names(rows)
        exclusive = world.exclusive(names, moment, rows=rows)
        known = world.known(names, moment, rows=rows, exclusive=exclusive)
        told = old.memory if old and list(old.labels) == names else Memory.empty(0)
        history, lessons, memory = self.taught_by(names, known, told, exclusive)
        specs = [LabelSpec(name) for name in names]
        plain = fit_head(
            history,
            specs,
            label_vectors=world.encode([label_text(spec) for spec in specs]),
            exclusive=exclusive,
            target=self._target,
            earlier=self._earlier(names, known, moment),
        )
        new = replace(plain, memory=memory)
        same = old is not None and list(old.labels) == names
        trial = (
            compare(old, new, history=history, lessons=lessons, columns=range(len(names)))
            if old and same
            else None
        )
        good = trial is None or (trial.precision_after or 1.0) >= self._target
        objection = "" if trial is None or good else trial.objection
        if not objection:
            self.heads["slow"] = plain
        self._since_whole = 0
        self._settle(done, new, trial, objection)

    def taught_by(
        self, names: Sequence[str], known: KnownPairs, told: Memory, exclusive: pasts.Groups
    ) -> tuple[History, list[Lesson], Memory]:
        """What a head is taught of `known` [rows, names]; `told` is what the old one remembers."""
        world, rows = self.world, len(known)
        return pasts.teaching(
            world.past(names, rows=rows),
            names,
            known=known,
            settling=timedelta(0),
            told=told,
            vectors=world.vectors[:rows],
            counts=world.counts[:rows],
            exclusive=exclusive,
            unbiased=world.unbiased(rows),
        )

    def _earlier(self, names: Sequence[str], known: KnownPairs, moment: datetime) -> Earlier:
        unbiased = self.world.unbiased(len(known))
        serving = self.heads.get("fast")
        before = choice_after(
            serving.expectation if serving else None,
            pairs=int((known[unbiased] != 0).sum()),
            made=self._choices,
            target=self._target,
        )
        self._choices = before.choice
        practice, filed = _practice(self.world, names, known, moment)
        return heed_practice(
            before,
            practice,
            names,
            filed=filed,
            now=moment.timestamp(),
            target=self._target,
            delta=DELTA,
        )

    def _settle(self, done: _Done, new: Head, trial: Trial | None, objection: str) -> None:
        """The new head serves or the old one stays; nothing waits any more."""
        wall, cpu = time.perf_counter() - done.wall, time.process_time() - done.cpu
        waits = tuple((done.at - at).total_seconds() for at in self._corrected_at)
        taught = Taught(done.kind, done.at, wall, cpu, trial, objection, waits)
        self.log.taught.append(taught)
        self._touched, self._corrected_at, self._refit_at = {}, [], None
        if objection:
            return
        self.heads["fast"] = new
        memory = new.memory
        told = zip(memory.issues, memory.columns, memory.signs, memory.trust, strict=True)
        for row, column, sign, trust in told:
            if trust > 0:  # What was only ruled out nobody corrected.
                self.log.learned.setdefault((int(row), new.labels[column], int(sign)), done.at)


@dataclass(frozen=True, slots=True)
class _Done:
    """When a refit began, in the world and by the clocks of this machine."""

    kind: Literal["labels", "whole"]
    at: datetime
    wall: float
    cpu: float

    @classmethod
    def now(cls, kind: Literal["labels", "whole"], moment: datetime) -> _Done:
        return cls(kind, moment, time.perf_counter(), time.process_time())


def _practice(
    world: World, names: Sequence[str], known: KnownPairs, moment: datetime
) -> tuple[Practice, NDArray[np.float64]]:
    """What became of the settled issues that arrived, as `bot.jobs.learning.practice` reads it; when they came."""
    rows = [r for r in range(world.start, len(known)) if world.filed[r] + SETTLING < moment]
    meant = [world.labels_meant(row) for row in rows]
    applied = np.array([[name in labels for name in names] for labels in meant], np.bool_)
    weights = [1 / world.draws[r].probability if world.draws[r].silent else 0.0 for r in rows]
    filed = np.array([world.filed[row].timestamp() for row in rows], np.float64)
    shaped = applied.reshape(len(rows), len(names))
    return Practice(shaped, known[rows], np.array(weights, np.float64)), filed


class _Ahead:
    """Scores of the next few issues by one head: together they cost far less."""

    def __init__(self, world: World, size: int) -> None:
        self._world, self._size = world, size
        self._head: Head | None = None
        self._start = 0
        self._scores: list[list[Score]] = []

    def of(self, head: Head, row: int) -> list[Score]:
        if head is not self._head or not self._start <= row < self._start + len(self._scores):
            rows = slice(row, row + self._size)
            self._head, self._start = head, row
            self._scores = head.score(
                self._world.texts[rows], self._world.vectors[rows], self._world.associations[rows]
            )
        return self._scores[row - self._start]
