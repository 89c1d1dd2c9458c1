"""What the store holds of a repository, as a head is taught: known pairs, corrections, memory.

Mass relabels are no evidence, and what a person said weighs what the correction says it weighs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sqlalchemy.orm import Session

from bot.classify.history import History
from bot.classify.memory import Memory, Remembered
from bot.classify.trial import Lesson
from bot.core.corrections import Correction, Kind
from bot.core.evidence import KnownPairs, by_people, known_row, unopposed
from bot.core.families import families_of, infer_exclusive
from bot.core.provenance import discount_doubtful
from bot.core.rules import Rules, learnable, parse_rules
from bot.core.types import LabelEvent, LabelSpec
from bot.jobs.served import served
from bot.store import corrections, label_events, labels, outlines
from bot.store.outlines import Outline

Groups = Sequence[Sequence[str]]

LATEST = 600
"""Corrections that are tried and remembered: newer ones say what older ones said, or better."""


@dataclass(frozen=True)
class Past:
    """Issues oldest first, who labelled them, and where people corrected us."""

    full_name: str
    issues: Sequence[Outline]
    events: Mapping[int, Sequence[LabelEvent]]
    corrections: Sequence[Correction]
    specs: Sequence[LabelSpec]
    rules: Rules

    @property
    def names(self) -> list[str]:
        return [spec.name for spec in self.specs]

    @property
    def times(self) -> NDArray[np.float64]:
        return np.array([issue.created_at.timestamp() for issue in self.issues], dtype=np.float64)

    @property
    def named_families(self) -> dict[str, str]:
        """Label -> family, where the rules say so."""
        found = {name: self.rules.family_of(name) for name in self.names}
        return {name: family for name, family in found.items() if family}

    def settled(self, settling: timedelta) -> list[bool]:
        """[issues]: whether people had the settling days to label it."""
        before = datetime.now(UTC) - settling
        return [issue.created_at < before for issue in self.issues]

    def exclusive(self) -> tuple[tuple[str, ...], ...]:
        """Groups of which an issue carries one label, as people labelled so far or the rules say."""
        sets = [by_people(issue.labels, self.events.get(issue.id, ())) for issue in self.issues]
        return tuple(tuple(group) for group in infer_exclusive(sets, self.names, self.rules))


def read_past(session: Session, repository_id: int) -> Past:
    """Raises Ignore: the repository is not served."""
    row = served(session, repository_id)
    rules = parse_rules(row.rules_text or "")
    specs = [
        LabelSpec(label.name, rules.of_label(label.name).description or label.description)
        for label in labels.active(session, repository_id)
        if learnable(label.name, rules)
    ]
    events = label_events.of_repository(session, repository_id)
    return Past(
        full_name=row.full_name,
        issues=outlines.of_repository(session, repository_id),
        events=discount_doubtful(events),
        corrections=corrections.of_repository(session, repository_id, events=events),
        specs=specs,
        rules=rules,
    )


def known_pairs(
    past: Past, names: Sequence[str], *, exclusive: Groups, settling: timedelta
) -> KnownPairs:
    """int8 [issues, names]."""
    families = {
        name: past.rules.family_of(name) or family for name, family in families_of(names).items()
    }
    rows = [
        known_row(
            names,
            current=issue.labels,
            events=past.events.get(issue.id, ()),
            families=families,
            exclusive=exclusive,
            settled=settled,
        )
        for issue, settled in zip(past.issues, past.settled(settling), strict=True)
    ]
    return np.array(rows, dtype=np.int8).reshape(len(rows), len(names))


def weak_pairs(past: Past, names: Sequence[str], *, settling: timedelta) -> NDArray[np.bool_]:
    """[issues, names]: labels of ours that people had the settling days to take off, and did not."""
    found = np.zeros((len(past.issues), len(names)), dtype=np.bool_)
    for row, settled in enumerate(past.settled(settling)):
        issue = past.issues[row]
        if settled and (events := past.events.get(issue.id)):
            found[row] = unopposed(names, current=issue.labels, events=events)
    return found


def teaching(
    past: Past,
    names: Sequence[str],
    *,
    known: KnownPairs,
    settling: timedelta,
    told: Memory,
    vectors: NDArray[np.float32],
    counts: csr_matrix,
    exclusive: Groups,
    unbiased: NDArray[np.bool_] | None = None,
    seen: NDArray[np.bool_] | None = None,
) -> tuple[History, list[Lesson], Memory]:
    """What a head of labels `names` is taught of the past; `told` is what the one that serves remembers,
    `seen` [issues] what the encoder learned from."""
    lessons = lessons_of(past, names, known=known, memory=told)
    history = History(
        texts=(),
        vectors=vectors,
        known=known,
        times=past.times,
        counts=counts,
        weights=weights_of(lessons, known),
        unbiased=unbiased,
        seen=seen,
        weak=weak_pairs(past, names, settling=settling),
    )
    memory = memory_of(past, lessons, names, known=known, vectors=vectors, exclusive=exclusive)
    return history, lessons, memory


def lessons_of(
    past: Past, names: Sequence[str], *, known: KnownPairs, memory: Memory
) -> list[Lesson]:
    """The corrections that still stand, as rows and columns; fresh are those that `memory` misses."""
    at = {name: column for column, name in enumerate(names)}
    rows = {issue.id: row for row, issue in enumerate(past.issues)}
    found = []
    for one in past.corrections[-LATEST:]:
        row = rows.get(one.issue_id)
        if row is None:
            continue
        removed = _standing(known[row], at.get(one.removed or ""), -1)
        added = _standing(known[row], at.get(one.added or ""), 1)
        if removed is None and added is None:
            continue
        new = any(
            not memory.knows(one.issue_id, column, sign)
            for column, sign in ((removed, -1), (added, 1))
            if column is not None
        )
        kind = one.kind if None not in (removed, added) else _half(removed)
        found.append(Lesson(kind, row, removed, added, one.weight, fresh=new))
    return found


def memory_of(
    past: Past,
    lessons: Sequence[Lesson],
    names: Sequence[str],
    *,
    known: KnownPairs,
    vectors: NDArray[np.float32],
    exclusive: Groups,
) -> Memory:
    """What the lessons say, word for word. An added label rules out the others of its group: on the same
    text, for nobody said that of issues merely like it."""
    pairs = []
    for lesson in lessons:
        columns = {*lesson.columns, *_ruled_out(lesson.added, names, exclusive)}
        pairs += [
            Remembered(
                past.issues[lesson.row].id,
                vectors[lesson.row],
                column,
                int(known[lesson.row, column]),
                lesson.trust if column in lesson.columns else 0.0,
            )
            for column in sorted(columns)
            if known[lesson.row, column]
        ]
    return Memory.of(pairs, dim=vectors.shape[1])


def weights_of(lessons: Sequence[Lesson], known: KnownPairs) -> NDArray[np.float32] | None:
    """How often each pair counts [n, L]; None where each counts once."""
    if all(lesson.trust == 1 for lesson in lessons):
        return None
    weights = np.ones(known.shape, dtype=np.float32)
    for lesson in lessons:
        weights[lesson.row, list(lesson.columns)] = lesson.trust
    return weights


def _standing(row: NDArray[np.int8], column: int | None, sign: int) -> int | None:
    return column if column is not None and row[column] == sign else None


def _half(removed: int | None) -> Kind:
    return "addition" if removed is None else "removal"


def _ruled_out(added: int | None, names: Sequence[str], exclusive: Groups) -> Iterator[int]:
    if added is None:
        return
    for group in exclusive:
        if names[added] in group:
            yield from (names.index(name) for name in group if name in names)
