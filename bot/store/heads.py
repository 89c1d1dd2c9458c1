"""Fitted heads. A head is never changed once stored; which one serves is the repository's row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, undefer

from bot.store.tables import Head, Repository


def save(
    session: Session,
    repository_id: int,
    *,
    artefact: bytes,
    expectation: Mapping[str, Any],
    bundle: str,
    backend: str,
    reason: str,
) -> int:
    """Store a head as the next version of its repository. It does not serve by that.

    Returns:
        The id of the head.
    """
    # Versions are counted under the repository's lock, for two workers may fit at once.
    session.execute(select(Repository.id).where(Repository.id == repository_id).with_for_update())
    newest = session.scalar(
        select(func.max(Head.version)).where(Head.repository_id == repository_id)
    )
    head = Head(
        repository_id=repository_id,
        version=(newest or 0) + 1,
        bundle=bundle,
        backend=backend,
        artefact=artefact,
        expectation=_without_nan(expectation),
        reason=reason,
    )
    session.add(head)
    session.flush()
    return head.id


def get(session: Session, head_id: int) -> Head | None:
    """A head with its artefact."""
    return session.get(Head, head_id, options=[undefer(Head.artefact)])


def active(session: Session, repository_id: int) -> Head | None:
    """The head that serves this repository, with its artefact."""
    statement = (
        select(Head)
        .join(Repository, Repository.head_id == Head.id)
        .where(Repository.id == repository_id)
        .options(undefer(Head.artefact))
    )
    return session.scalars(statement).one_or_none()


def versions(session: Session, repository_id: int) -> list[Head]:
    """All heads of a repository, newest first; their artefacts stay in the database until read."""
    statement = select(Head).where(Head.repository_id == repository_id)
    return list(session.scalars(statement.order_by(Head.version.desc())))


def _without_nan(value: Any) -> Any:
    """JSON has no NaN; a figure that does not exist is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return value
