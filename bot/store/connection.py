"""From a session to the psycopg connection under it, for what SQLAlchemy does not speak."""

from __future__ import annotations

from typing import Any, cast

import psycopg
from sqlalchemy.orm import Session


def raw_connection(session: Session) -> psycopg.Connection[tuple[Any, ...]]:
    """The connection that carries the session's transaction; pending changes are flushed first."""
    session.flush()
    return cast(
        "psycopg.Connection[tuple[Any, ...]]", session.connection().connection.driver_connection
    )
