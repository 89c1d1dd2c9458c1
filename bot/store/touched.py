"""The labels that corrections touched since the last refit took some up."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from bot.store.tables import Touched


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits to be learned: rows to be ended once it is, labels without repeats, reasons."""

    rows: tuple[int, ...]
    labels: tuple[str, ...]
    reasons: tuple[str, ...]


def note(session: Session, repository_id: int, labels: Collection[str], *, reason: str) -> None:
    """Remember that a correction touched `labels`."""
    rows = [
        {"repository_id": repository_id, "label": label, "reason": reason}
        for label in sorted(set(labels))
    ]
    if rows:
        session.execute(insert(Touched), rows)


def waiting(session: Session, repository_id: int) -> Waiting:
    """What waits now; what comes later stays out of it."""
    statement = select(Touched).where(Touched.repository_id == repository_id)
    rows = list(session.scalars(statement.order_by(Touched.id)))
    return Waiting(
        rows=tuple(row.id for row in rows),
        labels=tuple(dict.fromkeys(row.label for row in rows)),
        reasons=tuple(dict.fromkeys(row.reason for row in rows)),
    )


def take(session: Session, found: Waiting) -> None:
    """End what was taken up."""
    session.execute(delete(Touched).where(Touched.id.in_(found.rows)))
