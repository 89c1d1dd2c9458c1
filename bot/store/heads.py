"""Fitted heads. A head is never changed once stored; which one serves is the repository's row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import CursorResult, exists, func, select, update
from sqlalchemy.orm import Session, undefer

from bot.store.tables import Bundle, Decision, Effect, Head, Refit, Repository

NEWEST, WHOLE = 20, 10
"""Versions whose artefact is kept. One is 1 to 5 MB, and a day of corrections makes hundreds."""


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
        expectation=without_nan(expectation),
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


def kept(session: Session, repository_id: int) -> set[int]:
    """Versions whose artefact is still there."""
    statement = select(Head.version).where(
        Head.repository_id == repository_id, Head.artefact.is_not(None)
    )
    return set(session.scalars(statement))


def prune(session: Session, repository_id: int) -> int:
    """Drop the artefacts of versions too old to come back; all else of them stays, for decisions refer
    to it. Kept are the newest `NEWEST`, the newest `WHOLE` of whole fits, the one that serves, the last
    that served on each bundle that may serve again, and what a write that still waits was decided by.

    Returns:
        How many were dropped.
    """
    mine = Head.repository_id == repository_id
    newest = select(Head.id).where(mine).order_by(Head.version.desc()).limit(NEWEST)
    whole = (
        select(Refit.head_after)
        .where(Refit.repository_id == repository_id, Refit.kind == "whole", Refit.swapped)
        .order_by(Refit.id.desc())
        .limit(WHOLE)
    )
    serving = select(Repository.head_id).where(Repository.id == repository_id)
    waiting = (
        select(Decision.head_id)
        .join(Effect, Effect.decision_id == Decision.id)
        .where(Effect.status == "pending")
    )
    last_attempts = (
        select(func.max(Refit.id))
        .join(Head, Head.id == Refit.head_after)
        .join(Bundle, Bundle.id == Head.bundle)
        .where(Refit.repository_id == repository_id, Refit.swapped, Bundle.state != "retired")
        .group_by(Head.bundle)
    )
    of_bundles = select(Refit.head_after).where(Refit.id.in_(last_attempts))
    spared = [ids.subquery() for ids in (newest, whole, serving, waiting, of_bundles)]
    dropped: CursorResult[Any] = session.execute(  # type: ignore[assignment] # what an UPDATE gives
        update(Head)
        .where(mine, Head.artefact.is_not(None))
        .where(*(~exists().where(ids.c[0] == Head.id) for ids in spared))
        .values(artefact=None)
        .execution_options(synchronize_session=False)
    )
    return dropped.rowcount


def without_nan(value: Any) -> Any:
    """JSON has no NaN; a figure that does not exist is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(inner) for inner in value]
    return value


def choices_made(session: Session, repository_id: int) -> int:
    """How many choices of cuts were ever to prove something; a rollback does not undo that."""
    made = func.max(Head.expectation["choice"].as_integer())
    return session.scalar(select(made).where(Head.repository_id == repository_id)) or 0
