"""Counted words of issues, by the issue's id and a key that tells one text from another.

Goes below SQLAlchemy, to PostgreSQL's binary format: a refit waits for ten thousand of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from bot.store.connection import raw_connection

_READ = """
    SELECT issue_id, counts FROM unnest(%s::bigint[], %s::bigint[]) AS w(wanted, its)
    JOIN word_counts ON issue_id = wanted AND key = its
"""
_SAVE = """
    INSERT INTO word_counts (issue_id, key, counts)
    SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::bytea[])
    ON CONFLICT (issue_id) DO UPDATE SET key = excluded.key, counts = excluded.counts
"""


def read(session: Session, keys: Mapping[int, int]) -> dict[int, bytes]:
    """Issue id -> what is kept under its key; `keys`: issue id -> key."""
    with raw_connection(session).cursor(binary=True) as cursor:
        return dict(cursor.execute(_READ, (list(keys), list(keys.values()))).fetchall())


def save(session: Session, keys: Mapping[int, int], counts: Mapping[int, bytes]) -> None:
    """Keep counts (issue id -> bytes) under these keys; those of an issue's other text go."""
    # In one order, so that two workers wait for each other rather than for ever.
    ids = sorted(counts)
    values = (ids, [keys[id_] for id_ in ids], [counts[id_] for id_ in ids])
    raw_connection(session).execute(_SAVE, values)
