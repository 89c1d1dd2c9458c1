"""The tables, as SQLAlchemy models. Shapes only: what is done with them lives in one module per noun."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pgvector.sqlalchemy import VECTOR
from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.base import Base


def _id() -> Mapped[int]:
    return mapped_column(Identity(always=True), primary_key=True)


def _github_id() -> Mapped[int]:
    return mapped_column(primary_key=True, autoincrement=False)


def _now() -> Mapped[datetime]:
    return mapped_column(server_default=func.now())


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


class Delivery(Base):
    """A webhook delivery, byte for byte. stored -> done | ignored | failed."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("target_id", "guid"),
        _one_of("status", "stored", "ignored", "done", "failed"),
        Index(None, "event", "status"),
    )

    id: Mapped[int] = _id()
    target_id: Mapped[int]
    guid: Mapped[str]
    event: Mapped[str]
    action: Mapped[str | None]
    installation_id: Mapped[int | None]
    body: Mapped[bytes]
    received_at: Mapped[datetime] = _now()
    status: Mapped[str] = mapped_column(server_default="stored")
    outcome: Mapped[str] = mapped_column(server_default="")


class Installation(Base):
    """The App on one account. `next_write_at` is the budget of writes that all workers share."""

    __tablename__ = "installations"

    id: Mapped[int] = _github_id()
    account: Mapped[str]
    suspended: Mapped[bool] = mapped_column(server_default=text("false"))
    removed_at: Mapped[datetime | None]
    write_interval: Mapped[float] = mapped_column(server_default=text("1.0"))
    next_write_at: Mapped[datetime | None]


class Repository(Base):
    """new -> learning -> ready; paused and removed by people. `head_id` is what serves."""

    __tablename__ = "repositories"
    __table_args__ = (
        _one_of("status", "new", "learning", "ready", "paused", "removed"),
        Index("ix_repositories_full_name", func.lower(text("full_name"))),
    )

    id: Mapped[int] = _github_id()
    installation_id: Mapped[int] = mapped_column(ForeignKey("installations.id"), index=True)
    full_name: Mapped[str]
    private: Mapped[bool] = mapped_column(server_default=text("false"))
    status: Mapped[str] = mapped_column(server_default="new")
    history_cursor: Mapped[str | None]
    rules_text: Mapped[str | None]
    rules_etag: Mapped[str | None]
    rules_checked_at: Mapped[datetime | None]
    rules_error: Mapped[str | None]
    head_id: Mapped[int | None] = mapped_column(ForeignKey("heads.id", use_alter=True))
    missing_contents: Mapped[bool] = mapped_column(server_default=text("false"))


class Label(Base):
    """A label of a repository. GitHub's id, not the name, says whether it is the one we knew."""

    __tablename__ = "labels"
    __table_args__ = (UniqueConstraint("repository_id", "github_id"),)

    id: Mapped[int] = _id()
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id"))
    github_id: Mapped[int]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    color: Mapped[str] = mapped_column(server_default="ededed")
    former_names: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    deleted_at: Mapped[datetime | None]


class Issue(Base):
    """An issue. `as_filed` says that title and body are what the author first wrote."""

    __tablename__ = "issues"
    __table_args__ = (UniqueConstraint("repository_id", "number"),)

    id: Mapped[int] = _id()
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id"))
    number: Mapped[int]
    github_id: Mapped[int]
    title: Mapped[str]
    body: Mapped[str]
    as_filed: Mapped[bool]
    author: Mapped[str]
    author_is_bot: Mapped[bool]
    author_association: Mapped[str]
    state: Mapped[str]
    locked: Mapped[bool]
    is_pull_request: Mapped[bool]
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    labels: Mapped[list[str]]


class LabelEvent(Base):
    """A label added or removed, as harvested from GitHub or told by a webhook (`source`)."""

    __tablename__ = "label_events"
    __table_args__ = (
        _one_of("actor_kind", "human", "us", "bot", "form"),
        UniqueConstraint("issue_id", "github_id"),
        Index(None, "issue_id", "at"),
    )

    id: Mapped[int] = _id()
    issue_id: Mapped[int] = mapped_column(ForeignKey("issues.id"))
    label: Mapped[str]
    added: Mapped[bool]
    actor: Mapped[str]
    actor_kind: Mapped[str]
    at: Mapped[datetime]
    github_id: Mapped[int | None]
    source: Mapped[str]


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


class Head(Base):
    """A fitted head of a repository, with what it expects of itself. Never changed once stored."""

    __tablename__ = "heads"
    __table_args__ = (UniqueConstraint("repository_id", "version"),)

    id: Mapped[int] = _id()
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id"))
    version: Mapped[int]
    bundle: Mapped[str]
    backend: Mapped[str]
    artefact: Mapped[bytes] = mapped_column(deferred=True)
    expectation: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = _now()
    reason: Mapped[str]


class Decision(Base):
    """What we meant to do about one label of one issue, and why."""

    __tablename__ = "decisions"
    __table_args__ = (
        _one_of("action", "apply", "suggest", "abstain"),
        # One delivery decides a label of an issue once, however often its job runs.
        UniqueConstraint("issue_id", "delivery_id", "label"),
        Index(None, "delivery_id"),
    )

    id: Mapped[int] = _id()
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
    decided_at: Mapped[datetime] = _now()


class Effect(Base):
    """Something we do on GitHub because of a decision. pending -> done | failed | skipped."""

    __tablename__ = "effects"
    __table_args__ = (
        _one_of("kind", "add", "remove", "suggest", "comment"),
        _one_of("status", "pending", "done", "failed", "skipped"),
        UniqueConstraint("decision_id", "kind", "label"),
        Index(None, "issue_id"),
    )

    id: Mapped[int] = _id()
    issue_id: Mapped[int] = mapped_column(ForeignKey("issues.id"))
    decision_id: Mapped[int | None] = mapped_column(ForeignKey("decisions.id"))
    kind: Mapped[str]
    label: Mapped[str] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default="pending")
    detail: Mapped[str] = mapped_column(server_default="")
    waited_s: Mapped[float] = mapped_column(server_default=text("0"))
    created_at: Mapped[datetime] = _now()
    done_at: Mapped[datetime | None]


class ScheduleRun(Base):
    """One due time of one schedule: whoever inserts the row runs it."""

    __tablename__ = "schedule_runs"

    name: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = _now()
    outcome: Mapped[str] = mapped_column(server_default="")


class WorkerBeat(Base):
    """A worker that lives, and what it serves."""

    __tablename__ = "worker_beats"

    worker: Mapped[str] = mapped_column(primary_key=True)
    bundle: Mapped[str | None]
    backend: Mapped[str | None]
    seen_at: Mapped[datetime] = _now()


class QueueMigration(Base):
    """A schema change of the job engine that this database has."""

    __tablename__ = "queue_migrations"

    name: Mapped[str] = mapped_column(primary_key=True)
    applied_at: Mapped[datetime] = _now()
