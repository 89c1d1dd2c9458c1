"""Repositories: who they are, how far they have learned, their rules, and which head serves."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.store.tables import Head, Repository

Status = Literal["new", "learning", "ready", "paused", "removed"]


def upsert(
    session: Session, *, id: int, installation_id: int, full_name: str, private: bool
) -> None:
    """Add a repository, or bring a removed one back as new. A known one keeps its status."""
    values = {"installation_id": installation_id, "full_name": full_name, "private": private}
    statement = insert(Repository).values(id=id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
    session.execute(
        update(Repository)
        .where(Repository.id == id, Repository.status == "removed")
        .values(status="new", history_cursor=None)
    )


def get(session: Session, repository_id: int) -> Repository | None:
    return session.get(Repository, repository_id)


def lock(session: Session, repository_id: int) -> Repository:
    """The row as it is now, held until the transaction ends."""
    statement = select(Repository).where(Repository.id == repository_id).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).one()


def by_name(session: Session, full_name: str) -> Repository | None:
    """The repository that bears this name now, in any case of letters."""
    statement = select(Repository).where(
        func.lower(Repository.full_name) == full_name.lower(), Repository.status != "removed"
    )
    return session.scalars(statement.order_by(Repository.id.desc()).limit(1)).first()


def all_active(session: Session) -> list[Repository]:
    """Repositories that are not removed, by name."""
    statement = select(Repository).where(Repository.status != "removed")
    return list(session.scalars(statement.order_by(Repository.full_name)))


def rename(session: Session, repository_id: int, full_name: str) -> None:
    _set(session, repository_id, full_name=full_name)


def set_private(session: Session, repository_id: int, *, private: bool) -> None:
    _set(session, repository_id, private=private)


def set_status(session: Session, repository_id: int, status: Status) -> None:
    _set(session, repository_id, status=status)


def advance(session: Session, repository_id: int, status: Literal["learning", "ready"]) -> None:
    """How far learning came. Whoever was paused or removed meanwhile stays so."""
    session.execute(
        update(Repository)
        .where(Repository.id == repository_id, Repository.status.not_in(["paused", "removed"]))
        .values(status=status)
        .execution_options(synchronize_session="fetch")
    )


def save_rules(
    session: Session,
    repository_id: int,
    *,
    text: str | None,
    etag: str | None,
    error: str | None,
) -> None:
    """Keep the rules file as read. `error` is what was wrong with it, for the status."""
    _set(
        session,
        repository_id,
        rules_text=text,
        rules_etag=etag,
        rules_error=error,
        rules_checked_at=func.now(),
    )


def touch_rules(session: Session, repository_id: int) -> None:
    """GitHub said the rules have not changed."""
    _set(session, repository_id, rules_checked_at=func.now())


def save_cursor(session: Session, repository_id: int, cursor: str | None) -> None:
    """Remember how far the history was read, so that reading resumes there."""
    _set(session, repository_id, history_cursor=cursor)


def activate_head(session: Session, repository_id: int, head_id: int) -> None:
    """Let this head serve from now on.

    Raises:
        LookupError: the head is not one of this repository's.
    """
    owner = session.scalar(select(Head.repository_id).where(Head.id == head_id))
    if owner != repository_id:
        raise LookupError(f"head {head_id} does not belong to repository {repository_id}")
    _set(session, repository_id, head_id=head_id)


def drop_head(session: Session, repository_id: int) -> None:
    """Nothing serves any more: there is no label to learn."""
    _set(session, repository_id, head_id=None)


def _set(session: Session, repository_id: int, **values: Any) -> None:
    session.execute(
        update(Repository)
        .where(Repository.id == repository_id)
        .values(**values)
        .execution_options(synchronize_session="fetch")
    )
