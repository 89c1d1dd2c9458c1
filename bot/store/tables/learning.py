"""What is to be learned next, and what came of learning it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.base import Base
from bot.store.tables.columns import now, one_of, row_id


class Touched(Base):
    """A label that a correction touched and no refit has taken up. Only added and taken, never changed,
    so that a thousand corrections at once do not wait for each other."""

    __tablename__ = "touched_labels"
    __table_args__ = (Index(None, "repository_id"),)

    id: Mapped[int] = row_id()
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id"))
    label: Mapped[str]
    reason: Mapped[str]
    touched_at: Mapped[datetime] = now()


class Refit(Base):
    """One attempt at a better head, and why it serves or does not. A rollback is one too."""

    __tablename__ = "refits"
    __table_args__ = (
        one_of("kind", "labels", "whole", "rollback"),
        Index(None, "repository_id", "id"),
        Index(None, "head_after"),
    )

    id: Mapped[int] = row_id()
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id"))
    kind: Mapped[str]
    labels: Mapped[list[str]]
    head_before: Mapped[int | None] = mapped_column(ForeignKey("heads.id"))
    head_after: Mapped[int | None] = mapped_column(ForeignKey("heads.id"))
    swapped: Mapped[bool]
    reason: Mapped[str]
    report: Mapped[dict[str, Any]]
    seconds: Mapped[float]
    created_at: Mapped[datetime] = now()
