"""Who set and removed which label, when. Recording the same event twice changes nothing.

A webhook tells an event without GitHub's id, a harvest tells the same one with it: the two are one
when label, direction and actor agree, they lie within a minute, and nothing contrary lies between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.core import types
from bot.store import labels
from bot.store.tables import Issue, LabelEvent

SAME_WITHIN = timedelta(seconds=60)


def record(
    session: Session, issue_id: int, events: Iterable[types.LabelEvent], *, source: str
) -> int:
    """Store label events of an issue, under the names that the labels have now.

    Returns:
        How many of them were new.
    """
    stored = list(_rows(session, issue_id))
    repository_id = session.get_one(Issue, issue_id).repository_id
    renamed = labels.former_names(session, repository_id)
    new = 0
    for event in sorted(events, key=lambda event: event.at):
        name = renamed.get(event.label, event.label)
        known = _find(stored, event, name)
        if known is None:
            stored.append(_row(issue_id, event, name=name, source=source))
            session.add(stored[-1])
            new += 1
        elif known.github_id is None and event.github_id is not None:
            known.github_id, known.at = event.github_id, event.at
    session.flush()
    return new


def of_issue(session: Session, issue_id: int) -> list[types.LabelEvent]:
    """All label events of an issue, oldest first."""
    return [_event(row) for row in _rows(session, issue_id)]


def of_repository(session: Session, repository_id: int) -> dict[int, list[types.LabelEvent]]:
    """Issue id -> its label events, oldest first; issues without any are absent."""
    statement = (
        select(LabelEvent)
        .join(Issue, Issue.id == LabelEvent.issue_id)
        .where(Issue.repository_id == repository_id)
        .order_by(LabelEvent.at, LabelEvent.id)
    )
    found: dict[int, list[types.LabelEvent]] = {}
    for row in session.scalars(statement):
        found.setdefault(row.issue_id, []).append(_event(row))
    return found


def removed_by_human(session: Session, issue_id: int) -> set[str]:
    """Labels whose last word from a human was a removal. They must not come back by us."""
    last = {row.label: row.added for row in _rows(session, issue_id) if row.actor_kind == "human"}
    return {label for label, added in last.items() if not added}


def _rows(session: Session, issue_id: int) -> Sequence[LabelEvent]:
    statement = select(LabelEvent).where(LabelEvent.issue_id == issue_id)
    return session.scalars(statement.order_by(LabelEvent.at, LabelEvent.id)).all()


def _find(stored: list[LabelEvent], event: types.LabelEvent, name: str) -> LabelEvent | None:
    if event.github_id is not None:
        for row in stored:
            if row.github_id == event.github_id:
                return row
    near = [row for row in stored if _told_twice(row, event, name)]
    near = [row for row in near if not _contradicted(stored, row, event.at)]
    return min(near, key=lambda row: abs(row.at - event.at), default=None)


def _told_twice(row: LabelEvent, event: types.LabelEvent, name: str) -> bool:
    return (
        (row.label, row.added, row.actor) == (name, event.added, event.actor)
        and (row.github_id is None or event.github_id is None)
        and abs(row.at - event.at) <= SAME_WITHIN
    )


def _contradicted(stored: list[LabelEvent], row: LabelEvent, at: datetime) -> bool:
    first, last = sorted((row.at, at))
    return any(
        other.label == row.label and other.added != row.added and first <= other.at <= last
        for other in stored
    )


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
