"""How the promise of a repository stands: figures for people and gauges, measured by a worker."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.base import Base
from bot.store.tables.columns import now


class Standing(Base):
    """The newest report of a repository; `figures` is what `bot.jobs.standing` makes."""

    __tablename__ = "standings"

    repository_id: Mapped[int] = mapped_column(
        ForeignKey("repositories.id"), primary_key=True, autoincrement=False
    )
    figures: Mapped[dict[str, Any]]
    measured_at: Mapped[datetime] = now()
