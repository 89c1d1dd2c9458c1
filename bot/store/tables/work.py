"""What came in, what goes out, what runs: deliveries, effects, schedules, workers."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.base import Base
from bot.store.tables.columns import now, one_of, row_id


class Delivery(Base):
    """A webhook delivery, byte for byte. stored -> done | ignored | failed."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("target_id", "guid"),
        one_of("status", "stored", "ignored", "done", "failed"),
        Index(None, "event", "status"),
    )

    id: Mapped[int] = row_id()
    target_id: Mapped[int]
    guid: Mapped[str]
    event: Mapped[str]
    action: Mapped[str | None]
    installation_id: Mapped[int | None]
    body: Mapped[bytes]
    received_at: Mapped[datetime] = now()
    status: Mapped[str] = mapped_column(server_default="stored")
    outcome: Mapped[str] = mapped_column(server_default="")


class Effect(Base):
    """Something we do on GitHub because of a decision. pending -> done | failed | skipped."""

    __tablename__ = "effects"
    __table_args__ = (
        one_of("kind", "add", "remove", "suggest", "comment"),
        one_of("status", "pending", "done", "failed", "skipped"),
        UniqueConstraint("decision_id", "kind", "label"),
        Index(None, "issue_id"),
    )

    id: Mapped[int] = row_id()
    issue_id: Mapped[int] = mapped_column(ForeignKey("issues.id"))
    decision_id: Mapped[int | None] = mapped_column(ForeignKey("decisions.id"))
    kind: Mapped[str]
    label: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default="pending")
    detail: Mapped[str] = mapped_column(server_default="")
    waited_s: Mapped[float] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime] = now()
    done_at: Mapped[datetime | None]


class ScheduleRun(Base):
    """One due time of one schedule; without an outcome it is being run, or its run died."""

    __tablename__ = "schedule_runs"

    name: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = now()
    outcome: Mapped[str] = mapped_column(server_default="")


class Harvest(Base):
    """How far the issue events of a repository are read: all up to `seen` (GitHub's id). While a walk
    from the newest event down to there is under way, `cursor` is its next page and `newest` is what
    `seen` becomes at its end; `etag` is of the first page that it began with."""

    __tablename__ = "harvests"

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id"), primary_key=True, autoincrement=False
    )
    seen: Mapped[int | None]
    etag: Mapped[str | None]
    cursor: Mapped[str | None]
    newest: Mapped[int | None]


class WorkerBeat(Base):
    """A worker that lives, and what it serves."""

    __tablename__ = "worker_beats"

    worker: Mapped[str] = mapped_column(primary_key=True)
    bundle: Mapped[str | None]
    backend: Mapped[str | None]
    seen_at: Mapped[datetime] = now()


class QueueMigration(Base):
    """A schema change of the job engine that this database has."""

    __tablename__ = "queue_migrations"

    name: Mapped[str] = mapped_column(primary_key=True)
    applied_at: Mapped[datetime] = now()
