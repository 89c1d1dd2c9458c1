"""How the promise of each repository stands, as measured last; read by gauges, which count nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.store.tables import Repository, Standing


def save(session: Session, repository_id: int, figures: Mapping[str, Any]) -> None:
    values = {"figures": dict(figures), "measured_at": func.now()}
    statement = insert(Standing).values(repository_id=repository_id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["repository_id"], set_=values))


def all_served(session: Session) -> list[tuple[str, dict[str, Any]]]:
    """(full name, figures) of every repository that is served and was measured, by name."""
    statement = (
        select(Repository.full_name, Standing.figures)
        .join(Standing, Standing.repository_id == Repository.id)
        .where(Repository.status != "removed")
        .order_by(Repository.full_name)
    )
    return [(row.full_name, row.figures) for row in session.execute(statement)]
