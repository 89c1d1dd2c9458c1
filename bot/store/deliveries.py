"""Webhook deliveries: read them back, and say how each ended. Storing them is `bot.store.inbox`."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from bot.store.tables import Delivery

Status = Literal["done", "ignored", "failed"]


def get(session: Session, delivery_id: int) -> Delivery | None:
    return session.get(Delivery, delivery_id)


def age(session: Session, delivery_id: int) -> float:
    """Seconds since it came; 0 for an unknown one."""
    seconds = func.extract("epoch", func.now() - Delivery.received_at)
    found = session.scalar(select(seconds).where(Delivery.id == delivery_id))
    return float(found or 0)


def finish(session: Session, delivery_id: int, *, status: Status, outcome: str) -> None:
    """Say how a delivery ended; `outcome` is for an operator and holds no text of an issue. What ended
    stays as it ended, whoever was taken for dead over it: it is counted so."""
    open_ = Delivery.id == delivery_id, Delivery.status == "stored"
    session.execute(update(Delivery).where(*open_).values(status=status, outcome=outcome))
