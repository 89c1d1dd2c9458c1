"""What people say to us: commands in comments, answers to suggestions; and what we said about broken rules."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.base import Base
from bot.store.tables.columns import now, one_of, row_id


class Asked(Base):
    """A comment with commands. open -> done | refused (and told so). `done` counts the commands that were carried out,
    `said` keeps what there was to say of them, so that a job which runs again goes on from there."""

    __tablename__ = "asked"
    __table_args__ = (
        one_of("status", "open", "done", "refused"),
        UniqueConstraint("issue_id", "github_id"),
    )

    id: Mapped[int] = row_id()
    issue_id: Mapped[int] = mapped_column(ForeignKey("issues.id"))
    github_id: Mapped[int]
    actor: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="open")
    done: Mapped[int] = mapped_column(server_default=text("0"))
    said: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    turn_at: Mapped[datetime | None]
    asked_at: Mapped[datetime] = now()


class Answer(Base):
    """What became of a suggestion. `void`: nobody answered, and nobody can any more."""

    __tablename__ = "answers"
    __table_args__ = (
        one_of("verdict", "approved", "dismissed", "void"),
        one_of("source", "native", "comment"),
    )

    effect_id: Mapped[int] = mapped_column(
        ForeignKey("effects.id"), primary_key=True, autoincrement=False
    )
    verdict: Mapped[str]
    actor: Mapped[str]
    source: Mapped[str]
    at: Mapped[datetime]


class Poll(Base):
    """When we last looked whether an issue's suggestions were answered; GitHub does not tell."""

    __tablename__ = "polls"

    issue_id: Mapped[int] = mapped_column(
        ForeignKey("issues.id"), primary_key=True, autoincrement=False
    )
    polled_at: Mapped[datetime] = now()


class Notice(Base):
    """The one comment that says what is wrong with the rules: where it stands, and which error it names
    ("" once the rules are mended)."""

    __tablename__ = "notices"

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id"), primary_key=True, autoincrement=False
    )
    number: Mapped[int]
    error: Mapped[str]
