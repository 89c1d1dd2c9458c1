"""The time machine: every issue decided by the head of its day, in time order, with refits between.

A head is fitted on the issues filed before the moment, with the labels known at that moment. Issues are
handed out one by one, so that who reads them may teach the record before asking for the next.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from bot.classify.head import Head, fit_heads
from bot.classify.history import History
from bot.classify.promise import winners
from bot.core.decide import decide
from bot.core.families import infer_exclusive
from bot.core.label_text import label_text
from bot.core.rules import Rules, learnable
from bot.core.text import issue_text
from bot.core.types import Decision, IssueText, LabelSpec, Score
from bot.preview.past import PastIssue
from bot.preview.record import Record

AHEAD = 32
"""Issues scored together."""

Floats = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Floats]


@dataclass(frozen=True, slots=True)
class RefitPolicy:
    """When the head is learned anew: after `issues` arrivals, or `days` after the last time.

    `seconds` bounds the time of all refits: where they cost more, they become rarer.
    """

    issues: int = 50
    days: float | None = None
    first: int = 20
    """Issues before the first head: fewer teach nothing."""
    seconds: float = 600.0

    @classmethod
    def for_size(cls, issues: int, *, seconds: float = 600.0) -> RefitPolicy:
        """At most 28 refits of a small history, every 50 issues of a large one."""
        return cls(issues=min(50, max(5, issues // 28)), seconds=seconds)

    def due(self, *, arrived: int, passed: timedelta, stretch: float) -> bool:
        """`arrived` issues and `passed` time after the last refit. `stretch` >= 1 makes both rarer."""
        if arrived >= self.issues * stretch:
            return True
        return self.days is not None and passed >= timedelta(days=self.days) * stretch


@dataclass(frozen=True, slots=True)
class Refit:
    """The heads of one moment, one per promise; they differ in their cuts alone."""

    number: int
    at: datetime
    taught_by: int
    """Issues filed before."""
    heads: Mapping[float, Head]
    seconds: float

    @property
    def any_head(self) -> Head:
        return next(iter(self.heads.values()))


@dataclass(frozen=True, slots=True)
class Decided:
    """One issue as it was dealt with at its moment. Without a head yet, there are no labels."""

    row: int
    refit: Refit | None
    labels: tuple[str, ...] = ()
    probabilities: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    free: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    """Labels that the score alone decides: none of their group is likelier, the issue has none of it."""
    decisions: Mapping[float, tuple[Decision, ...]] = field(default_factory=dict)
    """Promise -> a decision per label."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What stays the same through a replay. `vectors` [n, d] are of `texts`, and both of `issues`."""

    issues: Sequence[PastIssue]
    texts: Sequence[IssueText]
    vectors: Floats
    encode: Encode
    """Of the labels' own words."""
    rules: Rules = field(default_factory=Rules)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    existing: frozenset[str] | None = None
    counts: csr_matrix | None = None
    """Words of `texts` and authors, as `bot.classify.words` counts them; else every refit counts them anew."""
    seen: NDArray[np.bool_] | None = None
    """Issues [n] that the encoder learned from, if any."""

    def specs_of(self, names: Sequence[str]) -> tuple[LabelSpec, ...]:
        return tuple(
            LabelSpec(
                name, self.rules.of_label(name).description or self.descriptions.get(name, "")
            )
            for name in names
        )

    def learnable(self, name: str) -> bool:
        return (self.existing is None or name in self.existing) and learnable(name, self.rules)


def texts_of(issues: Sequence[PastIssue]) -> list[IssueText]:
    return [issue_text(issue.title, issue.body) for issue in issues]


def rewind(
    scene: Scene,
    record: Record,
    *,
    targets: Sequence[float],
    policy: RefitPolicy,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Decided]:
    """Decide every issue of the scene, oldest first, as on the day it was filed.

    Lazy: `record` is asked at the next refit, so a reader that simulates maintainers may change it.
    """
    spent, refit, ahead = 0.0, None, _Ahead(scene)
    for row, issue in enumerate(scene.issues):
        if _is_due(policy, refit, row, issue.created_at, spent=spent, total=len(scene.issues)):
            refit = fit_at(
                scene,
                record,
                issue.created_at,
                rows=row,
                targets=targets,
                number=refit.number + 1 if refit else 1,
                clock=clock,
            )
            spent += refit.seconds
        yield _decide(scene, record, row, refit, ahead)


def fit_at(
    scene: Scene,
    record: Record,
    moment: datetime,
    *,
    rows: int,
    targets: Sequence[float],
    number: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> Refit:
    """The heads that the first `rows` issues teach at `moment`."""
    begin = clock()
    sets = record.label_sets(moment, rows=rows)
    names = sorted({name for labels in sets for name in labels if scene.learnable(name)})
    exclusive = infer_exclusive(sets, names, scene.rules)
    history = History(
        texts=scene.texts[:rows],
        vectors=scene.vectors[:rows],
        known=record.known(moment, rows=rows, labels=names, exclusive=exclusive),
        times=np.array([i.created_at.timestamp() for i in scene.issues[:rows]], dtype=np.float64),
        associations=[issue.association for issue in scene.issues[:rows]],
        counts=scene.counts[:rows] if scene.counts is not None else None,
        seen=scene.seen[:rows] if scene.seen is not None else None,
    )
    specs = scene.specs_of(names)
    heads = (
        fit_heads(
            history,
            specs,
            label_vectors=scene.encode([label_text(spec) for spec in specs]),
            exclusive=exclusive,
            targets=targets,
        )
        if specs
        else ()
    )
    found = {head.target: head for head in heads}
    return Refit(number, moment, rows, heads=found, seconds=clock() - begin)


def _is_due(
    policy: RefitPolicy,
    last: Refit | None,
    row: int,
    moment: datetime,
    *,
    spent: float,
    total: int,
) -> bool:
    if last is None:
        return row >= policy.first
    stretch = _stretch(policy, last, spent=spent, left=total - row)
    return policy.due(arrived=row - last.taught_by, passed=moment - last.at, stretch=stretch)


def _stretch(policy: RefitPolicy, last: Refit, *, spent: float, left: int) -> float:
    """How much rarer refits have to be, should each cost what the last one did."""
    wanted = last.seconds * left / max(1, policy.issues)
    remaining = policy.seconds - spent
    return max(1.0, wanted / remaining) if remaining > 0 else float("inf")


class _Ahead:
    """Scores of the next few issues by the heads that serve now: together they cost far less."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._refit: Refit | None = None
        self._start = 0
        self._scores: dict[float, list[list[Score]]] = {}

    def scores(self, refit: Refit, row: int) -> dict[float, list[Score]]:
        """Promise -> scores of that issue."""
        if refit is not self._refit or not self._start <= row < self._start + AHEAD:
            rows = slice(row, row + AHEAD)
            associations = [issue.association for issue in self._scene.issues[rows]]
            self._refit, self._start = refit, row
            self._scores = {
                target: head.score(self._scene.texts[rows], self._scene.vectors[rows], associations)
                for target, head in refit.heads.items()
            }
        return {target: found[row - self._start] for target, found in self._scores.items()}


def _decide(scene: Scene, record: Record, row: int, refit: Refit | None, ahead: _Ahead) -> Decided:
    if refit is None or not refit.heads:
        return Decided(row, refit)
    present, scores = record.present(row), ahead.scores(refit, row)
    # A preview tells what would be applied, whatever the rules say of today's mode.
    rules = replace(scene.rules, mode="apply", unsure=None)
    decisions = {
        target: decide(
            found,
            rules=rules,
            exclusive=refit.heads[target].exclusive,
            present=present,
            removed_by_human=(),
            available=refit.any_head.labels,
        )
        for target, found in scores.items()
    }
    p = np.array([score.probability for score in next(iter(scores.values()))], dtype=np.float64)
    free = _free(refit.any_head, p, present)
    return Decided(row, refit, refit.any_head.labels, p, free, decisions)


def _free(head: Head, p: NDArray[np.float64], present: frozenset[str]) -> NDArray[np.bool_]:
    """[L]: see `Decided.free`."""
    taken = {x for group in head.exclusive if present & set(group) for x in group} | present
    best = winners(p[None, :], head.labels, head.exclusive)[0]
    return np.asarray(best & [label not in taken for label in head.labels])
