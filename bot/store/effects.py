"""What we did on GitHub. Planned before it is tried, so that a crash leaves a trace to follow."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import ColumnElement, false, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.store.tables import Decision, Effect

Kind = Literal["add", "remove", "suggest", "comment"]
Status = Literal["done", "failed", "skipped"]

SUPERSEDED = "decided again meanwhile"


def plan(
    session: Session,
    issue_id: int,
    *,
    kind: Kind,
    label: str = "",
    decision_id: int | None = None,
) -> int:
    """Write down what is about to be done. The same effect of the same decision is one row.

    Returns:
        The id of the effect, new or found.
    """
    statement = insert(Effect).values(
        issue_id=issue_id, decision_id=decision_id, kind=kind, label=label
    )
    returned = session.execute(
        statement.on_conflict_do_update(
            index_elements=["decision_id", "kind", "label"], set_={"label": label}
        ).returning(Effect.id)
    )
    return returned.scalar_one()


def supersede(session: Session, issue_id: int) -> None:
    """What waits to be done on an issue was decided again: it will not be done."""
    end_waiting(session, status="skipped", detail=SUPERSEDED, issue_id=issue_id)


def end_waiting(
    session: Session,
    *,
    status: Status,
    detail: str,
    issue_id: int | None = None,
    delivery_id: int | None = None,
) -> None:
    """What waits to be done on an issue, or because of a delivery, will not be done."""
    which: list[ColumnElement[bool]] = []
    if issue_id is not None:
        which.append(Effect.issue_id == issue_id)
    if delivery_id is not None:
        planned = select(Decision.id).where(Decision.delivery_id == delivery_id)
        which.append(Effect.decision_id.in_(planned))
    session.execute(
        update(Effect)
        .where(Effect.status == "pending", or_(false(), *which))
        .values(status=status, detail=detail, done_at=func.clock_timestamp())
    )


def finish(
    session: Session, effect_id: int, *, status: Status, detail: str = "", waited_s: float = 0.0
) -> None:
    """Say how it went; `waited_s` is what the spacing of writes cost of it, in seconds."""
    session.execute(
        update(Effect)
        .where(Effect.id == effect_id)
        .values(status=status, detail=detail, waited_s=waited_s, done_at=func.clock_timestamp())
    )


def of_issue(session: Session, issue_id: int) -> list[Effect]:
    """All effects on an issue, oldest first."""
    return list(
        session.scalars(select(Effect).where(Effect.issue_id == issue_id).order_by(Effect.id))
    )
