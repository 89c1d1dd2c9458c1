"""Installations, and the budget of writes that all workers of an installation share."""

from __future__ import annotations

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.store.tables import Installation, Repository

_RESERVE = text(
    """
    UPDATE installations
    SET next_write_at =
        greatest(coalesce(next_write_at, '-infinity'), clock_timestamp())
        + :slots * write_interval * interval '1 second'
    WHERE id = :id
    RETURNING extract(epoch FROM next_write_at - clock_timestamp()) - :slots * write_interval
    """
)


def get(session: Session, installation_id: int) -> Installation | None:
    return session.get(Installation, installation_id)


def upsert(
    session: Session,
    *,
    id: int,
    account: str,
    suspended: bool = False,
    write_interval: float | None = None,
) -> None:
    """Add an installation, or bring it back; `write_interval` (seconds) is kept where not given."""
    values = {"account": account, "suspended": suspended, "removed_at": None}
    if write_interval is not None:
        values["write_interval"] = write_interval
    statement = insert(Installation).values(id=id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


def suspend(session: Session, installation_id: int, *, suspended: bool = True) -> None:
    session.execute(
        update(Installation).where(Installation.id == installation_id).values(suspended=suspended)
    )


def remove(session: Session, installation_id: int) -> None:
    """The App was uninstalled: its repositories are removed with it, what they taught stays."""
    session.execute(
        update(Installation).where(Installation.id == installation_id).values(removed_at=func.now())
    )
    session.execute(
        update(Repository)
        .where(Repository.installation_id == installation_id)
        .values(status="removed")
    )


def active(session: Session) -> list[Installation]:
    statement = select(Installation).where(
        Installation.removed_at.is_(None), ~Installation.suspended
    )
    return list(session.scalars(statement.order_by(Installation.id)))


def reserve_write(session: Session, installation_id: int, *, slots: int = 1) -> float:
    """Take the next free moment to write to this installation, and leave `slots` intervals after it.

    Use a session of its own and commit at once: the row stays locked until then.

    Returns:
        Seconds to wait before writing; 0.0 if the moment is now.
    Raises:
        LookupError: there is no such installation.
    """
    wait = session.execute(_RESERVE, {"id": installation_id, "slots": slots}).scalar_one_or_none()
    if wait is None:
        raise LookupError(f"installation {installation_id} is unknown")
    return max(0.0, float(wait))


def set_write_interval(session: Session, installation_id: int, seconds: float) -> None:
    """The least time between two writes to an installation."""
    session.execute(
        update(Installation)
        .where(Installation.id == installation_id)
        .values(write_interval=seconds, next_write_at=None)
    )
