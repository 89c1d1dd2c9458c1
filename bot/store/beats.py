"""Workers that live, and what they serve. The web process learns the active bundle from here."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.store.tables import WorkerBeat


def beat(session: Session, worker: str, *, bundle: str | None, backend: str | None) -> None:
    values = {"bundle": bundle, "backend": backend, "seen_at": func.clock_timestamp()}
    statement = insert(WorkerBeat).values(worker=worker, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["worker"], set_=values))


def forget(session: Session, worker: str) -> None:
    """The worker stopped in order."""
    session.execute(delete(WorkerBeat).where(WorkerBeat.worker == worker))


def fresh(session: Session, *, within: timedelta) -> list[WorkerBeat]:
    """Workers seen within that time, the latest first."""
    statement = select(WorkerBeat).where(WorkerBeat.seen_at > func.now() - within)
    return list(session.scalars(statement.order_by(WorkerBeat.seen_at.desc())))


def sweep(session: Session, *, older_than: timedelta) -> None:
    """Drop the beats that workers left which were killed."""
    session.execute(delete(WorkerBeat).where(WorkerBeat.seen_at < func.now() - older_than))
