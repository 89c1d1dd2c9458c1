"""What GitHub has, as we last saw it: installations, repositories, labels, issues, who labelled them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.base import Base
from bot.store.tables.columns import given_id, one_of, row_id


class Installation(Base):
    """The App on one account. `next_write_at` is the budget of writes that all workers share."""

    __tablename__ = "installations"

    id: Mapped[int] = given_id()
    account: Mapped[str]
    suspended: Mapped[bool] = mapped_column(server_default=text("false"))
    removed_at: Mapped[datetime | None]
    write_interval: Mapped[float] = mapped_column(server_default=text("1.0"))
    next_write_at: Mapped[datetime | None]


class Repository(Base):
    """new -> learning -> ready; paused and removed by people. `head_id` is what serves."""

    __tablename__ = "repositories"
    __table_args__ = (
        one_of("status", "new", "learning", "ready", "paused", "removed"),
        Index("ix_repositories_full_name", func.lower(text("full_name"))),
    )

    id: Mapped[int] = given_id()
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


class Label(Base):
    """A label of a repository. GitHub's id, not the name, says whether it is the one we knew."""

    __tablename__ = "labels"
    __table_args__ = (UniqueConstraint("repository_id", "github_id"),)

    id: Mapped[int] = row_id()
    repository_id: Mapped[int] = mapped_column(ForeignKey("repositories.id"))
    github_id: Mapped[int]
    name: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")
    color: Mapped[str] = mapped_column(server_default="ededed")
    former_names: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    deleted_at: Mapped[datetime | None]


class Issue(Base):
    """An issue. `as_filed` says that title and body are what the author first wrote; `silence` is the
    probability with which it was to be left alone, none where nothing was ever decided on it, and
    `silent` says that it is."""

    __tablename__ = "issues"
    __table_args__ = (
        UniqueConstraint("repository_id", "number"),
        Index(None, "repository_id", "created_at"),
    )

    id: Mapped[int] = row_id()
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
    updated_at: Mapped[datetime | None]
    labels: Mapped[list[str]]
    silence: Mapped[float | None]
    silent: Mapped[bool] = mapped_column(server_default=text("false"))


class LabelEvent(Base):
    """A label added or removed, as harvested from GitHub or told by a webhook (`source`)."""

    __tablename__ = "label_events"
    __table_args__ = (
        one_of("actor_kind", "human", "us", "bot", "form"),
        UniqueConstraint("issue_id", "github_id"),
        Index(None, "issue_id", "at"),
        Index(None, "actor", "at"),
    )

    id: Mapped[int] = row_id()
    issue_id: Mapped[int] = mapped_column(ForeignKey("issues.id"))
    label: Mapped[str]
    added: Mapped[bool]
    actor: Mapped[str]
    actor_kind: Mapped[str]
    at: Mapped[datetime]
    github_id: Mapped[int | None]
    source: Mapped[str]
