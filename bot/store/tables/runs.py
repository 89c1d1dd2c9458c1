"""Retrainings: one row a run, from its snapshot to what became of its challenger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.base import Base
from bot.store.tables.columns import now, one_of, row_id


class Run(Base):
    """waiting -> leased -> fitted -> promoted | kept; failed from anywhere, with the reason."""

    __tablename__ = "runs"
    __table_args__ = (
        one_of("status", "waiting", "leased", "fitted", "promoted", "kept", "failed"),
        Index(None, "status"),
    )

    id: Mapped[int] = row_id()
    reason: Mapped[str]
    launcher: Mapped[str]
    directory: Mapped[str]
    """Where its files are: `snapshot/`, `recipe.json`, and `fit/` once the fit is whole."""
    snapshot: Mapped[str] = mapped_column(server_default="")
    """Id of the snapshot: the hash over its files."""
    status: Mapped[str] = mapped_column(server_default="waiting")
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    lease: Mapped[str | None]
    """What whoever fits it shows to prove that the run is still theirs."""
    leased_by: Mapped[str | None]
    leased_until: Mapped[datetime | None]
    progress: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    outcome: Mapped[str] = mapped_column(server_default="")
    report: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """What the gate said, with its figures; alpha is spent over these rows."""
    created_at: Mapped[datetime] = now()
    finished_at: Mapped[datetime | None]
