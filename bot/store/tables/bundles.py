"""Which bundle serves, which one wants to, which one served before."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from bot.store.base import Base
from bot.store.tables.columns import now, one_of


class Bundle(Base):
    """challenger -> champion -> previous -> retired; champion again from previous, and retired from
    anywhere, with the reason in `outcome`. Of each state but the last there is one at most."""

    __tablename__ = "bundles"
    __table_args__ = (
        one_of("state", "challenger", "champion", "previous", "retired"),
        Index(
            "uq_bundles_state", "state", unique=True, postgresql_where=text("state <> 'retired'")
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    """Hash over what moves a vector, as the manifest has it."""
    name: Mapped[str]
    directory: Mapped[str]
    state: Mapped[str]
    run_id: Mapped[int | None]
    """The retraining that made it; none where an operator brought it."""
    outcome: Mapped[str] = mapped_column(server_default="")
    taken_back: Mapped[bool] = mapped_column(server_default=text("false"))
    """Retired because somebody, or the watch, wanted the bundle before again."""
    watch: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    """What the watch saw last."""
    added_at: Mapped[datetime] = now()
    promoted_at: Mapped[datetime | None]
    """Since when every repository is served by it."""
