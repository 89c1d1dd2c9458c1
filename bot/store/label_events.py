"""Who set and removed which label, when. Recording the same event twice changes nothing.

A webhook tells an event without GitHub's id, a harvest tells the same one with it: the two are one
when label, direction and actor agree, they lie within a minute, and nothing contrary lies between.
What a person had us do counts as that person's, whoever GitHub says it was (`ON_BEHALF`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from bot.core import types
from bot.store import labels
from bot.store.tables import Issue, LabelEvent

SAME_WITHIN = timedelta(seconds=60)

ON_BEHALF = "command"
"""Source of an event that a person asked us for; its actor is that person."""

OUR_WRITE = "effect"
"""Source of an event that we saw ourselves bring about, by our clock; GitHub's goes over it."""

_IN_ORDER = (LabelEvent.at, LabelEvent.github_id, LabelEvent.id)
"""Oldest first. GitHub cuts times to the second and counts its ids up, and harvests read backwards."""


def record(
    session: Session, issue_id: int, events: Iterable[types.LabelEvent], *, source: str
) -> int:
    """Store label events of an issue, under the names that the labels have now.

    Returns:
        How many of them were new.
    """
    repository_id = session.get_one(Issue, issue_id).repository_id
    new = record_all(session, repository_id, {issue_id: list(events)}, source=source)
    return sum(map(len, new.values()))


def record_all(
    session: Session,
    repository_id: int,
    events: Mapping[int, Sequence[types.LabelEvent]],
    *,
    source: str,
) -> dict[int, list[types.LabelEvent]]:
    """`record` for many issues of one repository (issue id -> events), in a handful of queries.

    Returns:
        Issue id -> its new events; issues without any are absent.
    """
    renamed = labels.former_names(session, repository_id)
    stored = _rows_of(session, events)
    added: dict[int, list[LabelEvent]] = {}
    for issue_id, told in events.items():
        rows = stored.setdefault(issue_id, [])
        for event in sorted(told, key=lambda event: (event.at, event.github_id or 0)):
            name = renamed.get(event.label, event.label)
            if not _merged(rows, event, name=name, source=source):
                rows.append(_row(issue_id, event, name=name, source=source))
                added.setdefault(issue_id, []).append(rows[-1])
    session.add_all(row for rows in added.values() for row in rows)
    session.flush()
    return {issue_id: [_event(row) for row in rows] for issue_id, rows in added.items()}


def _rows_of(session: Session, issue_ids: Iterable[int]) -> dict[int, list[LabelEvent]]:
    found: dict[int, list[LabelEvent]] = {}
    statement = select(LabelEvent).where(LabelEvent.issue_id.in_(list(issue_ids)))
    for row in session.scalars(statement.order_by(*_IN_ORDER)):
        found.setdefault(row.issue_id, []).append(row)
    return found


def _merged(rows: Sequence[LabelEvent], event: types.LabelEvent, *, name: str, source: str) -> bool:
    """Whether an event is stored already; what the new telling knows better is taken from it."""
    known = _find(rows, event, name=name, source=source)
    if known is None:
        return False
    if known.github_id is None and (event.github_id is not None or known.source == OUR_WRITE):
        known.github_id, known.at = event.github_id, event.at
    if source == ON_BEHALF and known.actor_kind == "us":
        known.actor, known.actor_kind, known.source = event.actor, event.actor_kind, source
    return True


def of_issue(session: Session, issue_id: int) -> list[types.LabelEvent]:
    """All label events of an issue, oldest first."""
    return [_event(row) for row in _rows(session, issue_id)]


def of_repository(session: Session, repository_id: int) -> dict[int, list[types.LabelEvent]]:
    """Issue id -> its label events, oldest first; issues without any are absent."""
    found: dict[int, list[types.LabelEvent]] = {}
    for issue_id, event in among(session, repository_id):
        found.setdefault(issue_id, []).append(event)
    return found


def among(
    session: Session, repository_id: int, *conditions: ColumnElement[bool]
) -> list[tuple[int, types.LabelEvent]]:
    """(issue id, event) of a repository under these conditions, oldest first."""
    names = ("issue_id", *types.LabelEvent.__dataclass_fields__)
    statement = (
        select(*(LabelEvent.__table__.c[name] for name in names))
        .join(Issue, Issue.id == LabelEvent.issue_id)
        .where(Issue.repository_id == repository_id, *conditions)
        .order_by(*_IN_ORDER)
    )
    return [(row[0], types.LabelEvent(*row[1:])) for row in session.execute(statement)]


def removed_by_human(session: Session, issue_id: int) -> set[str]:
    """Labels whose last word from a human was a removal. They must not come back by us."""
    last = {row.label: row.added for row in _rows(session, issue_id) if row.actor_kind == "human"}
    return {label for label, added in last.items() if not added}


def _rows(session: Session, issue_id: int) -> Sequence[LabelEvent]:
    statement = select(LabelEvent).where(LabelEvent.issue_id == issue_id)
    return session.scalars(statement.order_by(*_IN_ORDER)).all()


def _find(
    stored: Sequence[LabelEvent], event: types.LabelEvent, *, name: str, source: str
) -> LabelEvent | None:
    if event.github_id is not None:
        for row in stored:
            if row.github_id == event.github_id:
                return row
    near = [
        row
        for row in stored
        if _told_twice(row, event, name) and _one_hand(row, event, source=source)
    ]
    near = [row for row in near if not _contradicted(stored, row, event)]
    return min(
        near, key=lambda row: (row.actor != event.actor, abs(row.at - event.at)), default=None
    )


def _told_twice(row: LabelEvent, event: types.LabelEvent, name: str) -> bool:
    return (
        (row.label, row.added) == (name, event.added)
        and (row.github_id is None or event.github_id is None)
        and abs(row.at - event.at) <= SAME_WITHIN
    )


def _one_hand(row: LabelEvent, event: types.LabelEvent, *, source: str) -> bool:
    """The same actor; or we, doing what a person asked us for."""
    if row.source == ON_BEHALF and event.actor_kind == "us":
        return True
    if source == ON_BEHALF and row.actor_kind == "us":
        return True
    return row.actor == event.actor


def _contradicted(stored: Sequence[LabelEvent], row: LabelEvent, event: types.LabelEvent) -> bool:
    """Whether something contrary lies between the two. In one second only ids tell: with one, each
    telling finds its own event; without any, a label set again is rather taken for a second time."""
    first, last = sorted((row.at, event.at))
    between = [
        other for other in stored
        if other.label == row.label and other.added != row.added and first <= other.at <= last
    ]  # fmt: skip
    if row.github_id is None and event.github_id is None:
        return bool(between)
    return any(first < other.at < last for other in between)


def _row(issue_id: int, event: types.LabelEvent, *, name: str, source: str) -> LabelEvent:
    return LabelEvent(
        issue_id=issue_id,
        label=name,
        added=event.added,
        actor=event.actor,
        actor_kind=event.actor_kind,
        at=event.at,
        github_id=event.github_id,
        source=source,
    )


def _event(row: LabelEvent) -> types.LabelEvent:
    return types.LabelEvent(
        label=row.label,
        added=row.added,
        actor=row.actor,
        actor_kind=row.actor_kind,  # type: ignore[arg-type] # the table checks it
        at=row.at,
        github_id=row.github_id,
    )
