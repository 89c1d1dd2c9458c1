"""What we meant to do about each label of an issue, and why."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.core import types
from bot.store.tables import Decision

_REDECIDED = (
    "action",
    "reason",
    "probability",
    "threshold",
    "head_id",
    "bundle",
)


def record(
    session: Session,
    issue_id: int,
    decisions: Sequence[types.Decision],
    *,
    delivery_id: int | None,
    head_id: int | None,
    bundle: str,
) -> list[int]:
    """Store decisions, in their order. A job that runs again replaces what it decided before.

    Returns:
        The id of each decision, in the order given.
    """
    if not decisions:
        return []
    statement = insert(Decision).values(
        [
            {
                "issue_id": issue_id,
                "delivery_id": delivery_id,
                "label": decision.label,
                "action": decision.action,
                "reason": decision.reason,
                "probability": decision.probability,
                "threshold": decision.threshold,
                "head_id": head_id,
                "bundle": bundle,
            }
            for decision in decisions
        ]
    )
    stored = session.execute(
        statement.on_conflict_do_update(
            index_elements=["issue_id", "delivery_id", "label"],
            set_={name: statement.excluded[name] for name in _REDECIDED},
        ).returning(Decision.label, Decision.id)
    )
    ids = {row.label: row.id for row in stored}
    return [ids[decision.label] for decision in decisions]


def of_issue(session: Session, issue_id: int) -> list[Decision]:
    """All decisions on an issue, oldest first."""
    statement = select(Decision).where(Decision.issue_id == issue_id)
    return list(session.scalars(statement.order_by(Decision.decided_at, Decision.id)))


def exist_for(session: Session, delivery_id: int) -> bool:
    """Whether a delivery was decided on already."""
    found = select(Decision.id).where(Decision.delivery_id == delivery_id).limit(1)
    return session.scalar(found) is not None
