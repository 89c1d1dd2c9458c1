"""Due times of schedules: one process runs each, and one that died midway is run once more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from zlib import crc32

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.store.engine import Database
from bot.store.tables import ScheduleRun

FAILED = "failed"
"""How the outcome of a run begins that came to nothing."""
LATELY = timedelta(days=1)

RUNNING = 5_270_003
"""Advisory lock."""


@contextmanager
def running(database: Database, name: str, due_at: datetime) -> Iterator[bool]:
    """Whether nobody else runs this due time, for the time of the block."""
    key = crc32(f"{name} {due_at.timestamp():.0f}".encode()) - 2**31
    with database.alone(RUNNING, key) as mine:
        yield mine


def claim(session: Session, name: str, due_at: datetime) -> bool:
    """Whether this due time is ours to run, for whoever is alone in `running`. One that began and did not
    end died midway: it is run once more, and has failed unless that says otherwise."""
    insertion = insert(ScheduleRun).values(name=name, due_at=due_at)
    statement = insertion.on_conflict_do_update(
        index_elements=["name", "due_at"],
        set_={"outcome": f"{FAILED}: it died midway, twice", "started_at": func.now()},
        where=ScheduleRun.outcome == "",
    )
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
