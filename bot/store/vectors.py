"""Issue vectors, keyed by issue, bundle, backend and text version.

Goes below SQLAlchemy, to PostgreSQL's binary format: ten thousand vectors are read in a blink.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from bot.store.connection import raw_connection

Row = tuple[int, np.ndarray]
"""Issue id, float32 vector."""
AT_ONCE = 4096
"""Vectors under way from the database at a time, so that a large repository is not in memory twice."""

_HEADER = struct.Struct("!hh")  # dimension, unused: pgvector's send format
_PLACED = """
    SELECT place, embedding FROM unnest(%s::bigint[]) WITH ORDINALITY AS w(wanted, place)
    JOIN vectors ON issue_id = wanted AND bundle = %s AND backend = %s AND text_version = %s
"""
_MISSING = """
    SELECT wanted FROM unnest(%s::bigint[]) WITH ORDINALITY AS w(wanted, place)
    WHERE NOT EXISTS (
        SELECT FROM vectors
        WHERE issue_id = wanted AND bundle = %s AND backend = %s AND text_version = %s
    )
    ORDER BY place
"""
_MERGE = """
    INSERT INTO vectors (issue_id, bundle, backend, text_version, embedding)
    SELECT DISTINCT ON (issue_id) issue_id, %s, %s, %s, embedding FROM incoming_vectors
    ON CONFLICT (issue_id, bundle, backend, text_version)
    DO UPDATE SET embedding = excluded.embedding
"""


def save(
    session: Session, rows: Iterable[Row], *, bundle: str, backend: str, text_version: int
) -> None:
    """Store vectors; one that is there already is replaced."""
    connection = raw_connection(session)
    connection.execute(
        "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_vectors"
        " (issue_id bigint, embedding vector) ON COMMIT DELETE ROWS"
    )
    copy_in = "COPY incoming_vectors FROM STDIN (FORMAT binary)"
    with connection.cursor() as cursor, cursor.copy(copy_in) as copy:
        copy.write(_copy_header())
        for issue_id, vector in rows:
            copy.write(_copy_row(issue_id, vector))
        copy.write(b"\xff\xff")
    connection.execute(_MERGE, (bundle, backend, text_version))
    connection.execute("TRUNCATE incoming_vectors")


def matrix(
    session: Session,
    issue_ids: Sequence[int],
    *,
    dim: int,
    bundle: str,
    backend: str,
    text_version: int,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Vectors [n, dim] in the order of `issue_ids`, and which issues have one [n]; the others are zero."""
    found = np.zeros((len(issue_ids), dim), dtype=np.float32)
    there = np.zeros(len(issue_ids), dtype=np.bool_)
    with raw_connection(session).cursor(binary=True) as cursor:
        for start in range(0, len(issue_ids), AT_ONCE):
            part = list(issue_ids[start : start + AT_ONCE])
            for place, sent in cursor.execute(_PLACED, (part, bundle, backend, text_version)):
                found[start + place - 1] = np.frombuffer(sent, dtype=">f4", offset=_HEADER.size)
                there[start + place - 1] = True
    return found, there


def missing(
    session: Session, issue_ids: Sequence[int], *, bundle: str, backend: str, text_version: int
) -> list[int]:
    """Those of `issue_ids`, in their order, that have no vector yet."""
    key = (list(issue_ids), bundle, backend, text_version)
    return [row[0] for row in raw_connection(session).execute(_MISSING, key)]


def _copy_header() -> bytes:
    return b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)


def _copy_row(issue_id: int, vector: np.ndarray) -> bytes:
    payload = _HEADER.pack(vector.size, 0) + vector.astype(">f4").tobytes()
    return struct.pack("!hiqi", 2, 8, issue_id, len(payload)) + payload
