"""What we think: vectors, heads, decisions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.base import Base
from bot.store.tables.columns import now, one_of, row_id


class Vector(Base):
    """An issue text as one encoder saw it. No fixed dimension: two bundles live side by side."""

    __tablename__ = "vectors"

    issue_id: Mapped[int] = mapped_column(
        ForeignKey("issues.id", ondelete="CASCADE"), primary_key=True
    )
    bundle: Mapped[str] = mapped_column(primary_key=True)
    backend: Mapped[str] = mapped_column(primary_key=True)
    text_version: Mapped[int] = mapped_column(primary_key=True)
    embedding: Mapped[Any] = mapped_column(VECTOR(), nullable=False)


class WordCount(Base):
    """The hashed words of an issue; `key` is another number when text, author or way of counting is."""

    __tablename__ = "word_counts"

    issue_id: Mapped[int] = mapped_column(
        ForeignKey("issues.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    key: Mapped[int]
    counts: Mapped[bytes]


class Head(Base):
    """A fitted head of a repository, with what it expects of itself. Never changed once stored."""

    __tablename__ = "heads"
    __table_args__ = (UniqueConstraint("repository_id", "version"),)

    id: Mapped[int] = row_id()
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id"))
    version: Mapped[int]
    bundle: Mapped[str]
    backend: Mapped[str]
    artefact: Mapped[bytes | None] = mapped_column(deferred=True)
    """None once the version is too old to come back; what it decided still refers to it."""
    expectation: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = now()
    reason: Mapped[str]


class Decision(Base):
    """What we meant to do about one label of one issue, and why."""

    __tablename__ = "decisions"
    __table_args__ = (
        one_of("action", "apply", "suggest", "abstain"),
        # One delivery decides a label of an issue once, however often its job runs.
        UniqueConstraint("issue_id", "delivery_id", "label"),
        Index(None, "delivery_id"),
    )

    id: Mapped[int] = row_id()
    issue_id: Mapped[int] = mapped_column(ForeignKey("issues.id"))
    delivery_id: Mapped[int | None] = mapped_column(
        ForeignKey("deliveries.id", ondelete="SET NULL")
    )
    label: Mapped[str]
    action: Mapped[str]
    reason: Mapped[str]
    probability: Mapped[float]
    threshold: Mapped[float | None]
    head_id: Mapped[int | None] = mapped_column(ForeignKey("heads.id"))
    bundle: Mapped[str]
    decided_at: Mapped[datetime] = now()
