"""Whether a refitted head may serve: held against the one that serves, on pairs that neither saw.

Both heads are learned anew without a fold of the newest issues, near-duplicates in one fold, and judged
on that fold; what the one that serves had not been taught yet is kept from its side. The new one is
refused only where the one-sided paired bound says that pooled precision fell by more than `TOLERATED`:
doubt is for the maintainers who corrected. Refuses to count a correction among the evidence against the
head that was corrected by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from bot.classify.folds import WINDOW, alike
from bot.classify.head import Head
from bot.classify.history import History
from bot.classify.sides import Taught, refit_columns, taught

FOLDS = 4
TOLERATED = 0.02
"""Precision that a refit may surely cost and still serve."""
ONE_SIDED = 1.645
"""Standard errors of a one-sided 95% bound."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A correction as the head sees it: row of the history, columns of the labels; `fresh` if the head
    that serves was not taught it yet."""

    kind: Literal["removal", "addition", "swap"]
    row: int
    removed: int | None
    added: int | None
    trust: float
    fresh: bool

    @property
    def columns(self) -> tuple[int, ...]:
        return tuple(column for column in (self.removed, self.added) if column is not None)

    def right(self, applied: Bools) -> bool:
        """Whether what would be applied to this issue [L] is what the correction asked for."""
        gone = self.removed is None or not applied[self.removed]
        there = self.added is None or bool(applied[self.added])
        return bool(gone and there)


@dataclass(frozen=True, slots=True)
class Tally:
    """Corrections of one kind: how many, and how many come out right by each head."""

    n: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Trial:
    """Figures of both heads. Precision is pooled over all labels, None where nothing known was applied;
    `bound`: what the change of precision surely does not exceed."""

    issues: int
    precision_before: float | None
    precision_after: float | None
    bound: float | None
    coverage_before: float | None
    coverage_after: float | None
    fresh: dict[str, Tally]
    past: dict[str, Tally]

    @property
    def objection(self) -> str:
        """Why the new head must not serve; "" if it may."""
        if self.bound is None or self.bound >= -TOLERATED:
            return ""
        return (
            f"precision fell from {self.precision_before:.1%} to {self.precision_after:.1%} on"
            f" {self.issues} issues that neither head saw, surely by more than {TOLERATED:.0%}"
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare(
    old: Head, new: Head, *, history: History, lessons: Sequence[Lesson], columns: Sequence[int]
) -> Trial:
    """Try `new` against `old` where they differ: in `columns`, of the labels that both have in common.

    `history` is what `new` was taught.
    """
    rows = _judged(history, lessons)
    group = _same_text(history.vectors, rows)
    data = taught(history, new.sides.vocabulary)
    same = old.sides.vocabulary is new.sides.vocabulary
    untold = _untold(data if same else taught(history, old.sides.vocabulary), lessons)
    before, after = (
        _out_of_fold(head, given, rows=rows, group=group, columns=columns)
        for head, given in ((old, untold), (new, data))
    )
    at = {int(row): place for place, row in enumerate(rows)}
    told = sorted(
        (lesson for lesson in lessons if set(lesson.columns) <= set(columns)),
        key=lambda lesson: lesson.row,
    )
    fresh = [lesson for lesson in told if lesson.fresh]
    calm = ~np.isin(rows, [lesson.row for lesson in fresh])
    known = history.known[rows][calm]
    figures = _precision(before[calm], after[calm], known=known, columns=columns, elsewhere=old)
    return Trial(
        issues=int(calm.sum()),
        precision_before=figures[0],
        precision_after=figures[1],
        bound=figures[2],
        coverage_before=_covered(before[calm]),
        coverage_after=_covered(after[calm]),
        fresh=_straight(old, new, history=history, lessons=fresh),
        past=tally(
            [lesson for lesson in told if not lesson.fresh],
            [(before[at[x.row]], after[at[x.row]]) for x in told if not x.fresh],
        ),
    )


def tally(lessons: Sequence[Lesson], applied: Sequence[tuple[Bools, Bools]]) -> dict[str, Tally]:
    """By kind; `applied`: per lesson, what the old and the new head would apply [L]."""
    found: dict[str, Tally] = {}
    for lesson, (before, after) in zip(lessons, applied, strict=True):
        sofar = found.get(lesson.kind, Tally(0, 0, 0))
        found[lesson.kind] = Tally(
            sofar.n + 1,
            sofar.before + lesson.right(before),
            sofar.after + lesson.right(after),
        )
    return found


def _straight(
    old: Head, new: Head, *, history: History, lessons: Sequence[Lesson]
) -> dict[str, Tally]:
    """The fresh lessons by the heads as they are: the issue that was corrected must come out right."""
    rows = [lesson.row for lesson in lessons]
    if not rows:
        return {}
    before, after = (head_applies(head, history, rows) for head in (old, new))
    return tally(lessons, list(zip(before, after, strict=True)))


def head_applies(head: Head, history: History, rows: Sequence[int]) -> Bools:
    """What a head would apply to issues of a history, [rows, L]."""
    data = taught(history.only(rows), head.sides.vocabulary)
    return head.applied(head.sides.evidence_from(data.vectors, data.words), data.vectors)


def _judged(history: History, lessons: Sequence[Lesson]) -> NDArray[np.int64]:
    """Rows of the newest issues whose labels owe nothing to us, and of every correction."""
    newest = np.flatnonzero(history.witnesses)[-WINDOW:]
    return np.union1d(newest, np.array([lesson.row for lesson in lessons], np.int64))


def _same_text(vectors: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """Group [n] of each issue: those with the same text as one of `rows` share its group."""
    n = len(vectors)
    group = np.arange(n, dtype=np.int32)
    for one, other in alike(vectors, rows):
        links = coo_matrix((np.ones(len(one), np.int8), (group[one], group[other])), shape=(n, n))
        group = connected_components(links, directed=False)[1][group]
    return group


def _untold(data: Taught, lessons: Sequence[Lesson]) -> Taught:
    """The same without the fresh lessons."""
    known = data.known.copy()
    for lesson in lessons:
        if lesson.fresh:
            known[lesson.row, list(lesson.columns)] = 0
    return replace(data, known=known)


def _out_of_fold(
    head: Head,
    data: Taught,
    *,
    rows: NDArray[np.int64],
    group: NDArray[np.int32],
    columns: Sequence[int],
) -> Bools:
    """What heads that saw neither an issue nor its like would apply to it, [rows, L]."""
    fold = np.random.default_rng(0).permutation(int(group.max(initial=0)) + 1)[group] % FOLDS
    judged = np.zeros(len(group), dtype=np.bool_)
    judged[rows] = True
    hidden = np.isin(group, group[rows])
    applied = np.zeros((len(group), len(head.labels)), dtype=np.bool_)
    for number in range(FOLDS):
        out = hidden & (fold == number)
        here = np.flatnonzero(judged & out)
        if not len(here):
            continue
        sides = refit_columns(
            head.sides,
            columns,
            taught=data,
            names=head.labels,
            label_vectors=head.label_vectors,
            rows=~out,
        )
        memory = head.memory.without(data.vectors[here])
        blind = replace(head, sides=sides, memory=memory)
        vectors = data.vectors[here]
        applied[here] = blind.applied(sides.evidence_from(vectors, data.words[here]), vectors)
    return applied[rows]


def _precision(
    before: Bools,
    after: Bools,
    *,
    known: NDArray[np.int8],
    columns: Sequence[int],
    elsewhere: Head,
) -> tuple[float | None, float | None, float | None]:
    """Pooled precision of both, and the upper bound of its change. Labels outside `columns` did not
    move: they count with their record of the last full fit."""
    picked = list(columns)
    others = [row for j, row in enumerate(elsewhere.expectation.labels) if j not in set(picked)]
    right0 = sum(row.right for row in others)
    known0 = right0 + sum(row.wrong for row in others)
    truth = known[:, picked]
    (p, n, right, all_) = zip(
        *(_pooled(applied[:, picked], truth, right0, known0) for applied in (before, after)),
        strict=True,
    )
    if p[0] is None or p[1] is None:
        return p[0], p[1], None
    change = (right[1] - p[1] * all_[1]) / n[1] - (right[0] - p[0] * all_[0]) / n[0]
    error = float(np.sqrt((change**2).sum()))
    return p[0], p[1], p[1] - p[0] + ONE_SIDED * error


def _pooled(
    applied: Bools, truth: NDArray[np.int8], right0: int, known0: int
) -> tuple[float | None, int, NDArray[np.int64], NDArray[np.int64]]:
    """Precision, known applied pairs, and of each issue its right and its known ones."""
    right, known = ((applied & (truth > 0)).sum(axis=1), (applied & (truth != 0)).sum(axis=1))
    n = known0 + int(known.sum())
    return (right0 + int(right.sum())) / n if n else None, n, right, known


def _covered(applied: Bools) -> float | None:
    return float(applied.any(axis=1).mean()) if len(applied) else None
