"""Figures for people and gauges that nobody has to count anew: how promises stand, tallies of old rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.base import Base
from bot.store.tables.columns import now


class Standing(Base):
    """The newest report of a repository; `figures` is what `bot.jobs.learning.standing` makes."""

    __tablename__ = "standings"

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id"), primary_key=True, autoincrement=False
    )
    figures: Mapped[dict[str, Any]]
    measured_at: Mapped[datetime] = now()


class Tally(Base):
    """How many rows of a table, up to its mark, bear these labels; `total` sums what is summed there."""

    __tablename__ = "tallies"

    source: Mapped[str] = mapped_column(primary_key=True)
    labels: Mapped[list[str]] = mapped_column(primary_key=True)
    n: Mapped[int]
    total: Mapped[float]


class TallyMark(Base):
    """The last row of a source that its tallies hold."""

    __tablename__ = "tally_marks"

    source: Mapped[str] = mapped_column(primary_key=True)
    upto: Mapped[int]
