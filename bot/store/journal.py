"""What became of issues that arrived: one read across deliveries, decisions and effects, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.store.tables import Decision, Delivery, Effect, Issue, Vector


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision other than silence about an issue, and what came of it."""

    number: int
    label: str
    action: str
    probability: float
    reason: str
    status: str | None
    """Status of the effect; None where none was planned."""
    received_at: datetime
    done_at: datetime | None


def open_deliveries(session: Session, *, after: int) -> int:
    """Deliveries later than `after` that still wait for a worker, or whose writes do."""
    waiting = select(func.count()).where(Delivery.id > after, Delivery.status == "stored")
    unwritten = (
        select(func.count(func.distinct(Effect.issue_id)))
        .join(Decision, Decision.id == Effect.decision_id)
        .where(Decision.delivery_id > after, Effect.status == "pending")
    )
    return (session.scalar(waiting) or 0) + (session.scalar(unwritten) or 0)


def last_delivery(session: Session) -> int:
    """Id of the newest delivery, 0 without any."""
    return session.scalar(select(func.max(Delivery.id))) or 0


def failures(session: Session, *, after: int) -> Sequence[str]:
    """Why deliveries later than `after` failed."""
    return session.scalars(
        select(Delivery.outcome).where(Delivery.id > after, Delivery.status == "failed")
    ).all()


def entries(session: Session, repository_id: int, *, after: int) -> list[Entry]:
    """What was decided on deliveries later than `after`, in order of arrival."""
    rows = session.execute(
        select(
            Issue.number,
            Decision.label,
            Decision.action,
            Decision.probability,
            Decision.reason,
            Effect.status,
            Delivery.received_at,
            Effect.done_at,
        )
        .join(Issue, Issue.id == Decision.issue_id)
        .join(Delivery, Delivery.id == Decision.delivery_id)
        .outerjoin(Effect, Effect.decision_id == Decision.id)
        .where(
            Issue.repository_id == repository_id,
            Decision.delivery_id > after,
            Decision.action != "abstain",
        )
        .order_by(Decision.id)
    )
    return [Entry(*row) for row in rows]


def embedded(session: Session, repository_id: int) -> int:
    """Issues of a repository that have a vector."""
    found = (
        select(func.count(func.distinct(Vector.issue_id)))
        .join(Issue, Issue.id == Vector.issue_id)
        .where(Issue.repository_id == repository_id)
    )
    return session.scalar(found) or 0
