"""Due times of schedules: each is claimed once, by whoever inserts its row."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.store.tables import ScheduleRun

FAILED = "failed"
"""How the outcome of a run begins that came to nothing."""
LATELY = timedelta(days=1)


def claim(session: Session, name: str, due_at: datetime) -> bool:
    """Whether this due time is ours to run."""
    statement = insert(ScheduleRun).values(name=name, due_at=due_at).on_conflict_do_nothing()
    return session.execute(statement.returning(ScheduleRun.name)).first() is not None


def finish(session: Session, name: str, due_at: datetime, *, outcome: str) -> None:
    session.execute(
        update(ScheduleRun)
        .where(ScheduleRun.name == name, ScheduleRun.due_at == due_at)
        .values(outcome=outcome)
    )


def failures(session: Session) -> dict[str, int]:
    """Schedule -> how many of its runs of the last day failed."""
    failed = func.count().filter(ScheduleRun.outcome.startswith(FAILED)).label("failed")
    statement = (
        select(ScheduleRun.name, failed)
        .where(ScheduleRun.started_at > func.now() - LATELY)
        .group_by(ScheduleRun.name)
    )
    return {row.name: row.failed for row in session.execute(statement)}


def latest(session: Session, name: str) -> datetime | None:
    """The newest due time that anybody claimed."""
    return session.scalar(select(func.max(ScheduleRun.due_at)).where(ScheduleRun.name == name))
