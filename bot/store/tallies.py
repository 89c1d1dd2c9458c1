"""Counts of what came and went, without counting whole tables: rows that are over and done with are folded
into tallies once, and only those of the last day are counted when somebody asks.

A delivery that is sent again is not counted a second time.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

LOCK = 0x6C77_7461  # "lwta"
NEWEST = 2**63 - 1
_SECONDS = """
    SELECT ARRAY[width_bucket(seconds, CAST(:bounds AS float[]))::text], count(*), sum(seconds) FROM (
        SELECT extract(epoch FROM effects.done_at - deliveries.received_at)::float
            - {waited} AS seconds
        FROM effects
        JOIN decisions ON decisions.id = effects.decision_id
        JOIN deliveries ON deliveries.id = decisions.delivery_id
        WHERE effects.kind = 'add' AND effects.status = 'done'
            AND effects.id > :after AND effects.id <= :upto
    ) AS labelled GROUP BY 1
"""
_COUNTED = {
    "deliveries": """
        SELECT ARRAY[event, status], count(*), 0::float FROM deliveries
        WHERE status <> 'stored' AND id > :after AND id <= :upto GROUP BY 1
    """,
    "decisions": """
        SELECT ARRAY[action], count(*), 0::float FROM decisions
        WHERE id > :after AND id <= :upto GROUP BY 1
    """,
    "effects": """
        SELECT ARRAY[kind, status], count(*), 0::float FROM effects
        WHERE status <> 'pending' AND id > :after AND id <= :upto GROUP BY 1
    """,
    "label_seconds": _SECONDS.format(waited="0"),
    "label_unspaced_seconds": _SECONDS.format(waited="effects.waited_s"),
}
_OVER = {
    "deliveries": ("deliveries", "status = 'stored' OR received_at > now() - interval '1 day'"),
    "decisions": ("decisions", "decided_at > now() - interval '1 day'"),
    "label_seconds": ("effects", "status = 'pending' OR created_at > now() - interval '1 day'"),
}
_OVER["effects"] = _OVER["label_unspaced_seconds"] = _OVER["label_seconds"]

Counted = dict[tuple[str, ...], tuple[int, float]]
"""Labels -> how many rows, and the sum of what is summed."""


def count(session: Session, source: str, *, bounds: Sequence[float] = ()) -> Counted:
    """All rows of a source by their labels; `bounds` of buckets where the source has any."""
    mark, found = _kept(session, source)
    for labels, n, total in _rows(session, source, bounds=bounds, after=mark, upto=NEWEST):
        before = found.get(tuple(labels), (0, 0.0))
        found[tuple(labels)] = (before[0] + n, before[1] + total)
    return found


def fold(session: Session, *, bounds: Sequence[float]) -> None:
    """Put what is over and older than a day into the tallies. One process at a time; others skip it."""
    if not session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": LOCK}):
        return
    for source, (table, unfinished) in _OVER.items():
        after, _ = _kept(session, source)
        statement = (
            f"SELECT coalesce(min(id) FILTER (WHERE {unfinished}) - 1, max(id), :after)"  # noqa: S608
            f" FROM {table} WHERE id > :after"
        )
        upto = session.scalar(text(statement), {"after": after})
        if upto is not None and upto > after:
            _fold_one(session, source, bounds=bounds, after=after, upto=upto)


def _fold_one(
    session: Session, source: str, *, bounds: Sequence[float], after: int, upto: int
) -> None:
    add = text(
        "INSERT INTO tallies VALUES (:source, :labels, :n, :total)"
        " ON CONFLICT (source, labels) DO UPDATE"
        " SET n = tallies.n + excluded.n, total = tallies.total + excluded.total"
    )
    for labels, n, total in _rows(session, source, bounds=bounds, after=after, upto=upto):
        values = {"source": source, "labels": list(labels), "n": n, "total": total}
        session.execute(add, values)
    mark = text(
        "INSERT INTO tally_marks VALUES (:source, :upto)"
        " ON CONFLICT (source) DO UPDATE SET upto = excluded.upto"
    )
    session.execute(mark, {"source": source, "upto": upto})


def _rows(
    session: Session, source: str, *, bounds: Sequence[float], after: int, upto: int
) -> Sequence[tuple[list[str], int, float]]:
    """(labels, rows, sum) of the rows after..upto."""
    values: dict[str, object] = {"after": after, "upto": upto}
    if ":bounds" in _COUNTED[source]:
        values["bounds"] = list(bounds)
    return [(row[0], row[1], row[2]) for row in session.execute(text(_COUNTED[source]), values)]


def _kept(session: Session, source: str) -> tuple[int, Counted]:
    """The mark and what was counted up to it: by one statement, so that no fold comes in between."""
    statement = text(
        "SELECT mark.upto, tally.labels, tally.n, tally.total FROM tally_marks AS mark"
        " LEFT JOIN tallies AS tally USING (source) WHERE source = :source"
    )
    rows = session.execute(statement, {"source": source}).all()
    found = {tuple(labels): (n, total) for _, labels, n, total in rows if labels is not None}
    return (rows[0][0] if rows else 0), found
