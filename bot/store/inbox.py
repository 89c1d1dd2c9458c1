"""The hot path: deliveries stored and their jobs enqueued, in one statement and one commit.

Goes below SQLAlchemy, for one round trip serves all deliveries that arrived together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified delivery, and the job that shall handle it (`task` None: it is only remembered).

    Strings must hold neither NUL nor lone surrogates, numbers must fit 64 bits.
    """

    target_id: int
    guid: str
    event: str
    action: str | None
    installation_id: int | None
    body: bytes
    task: str | None
    queue: str
    lock: str | None

    @property
    def key(self) -> tuple[int, str]:
        return self.target_id, self.guid


_STORE = """
    WITH incoming AS MATERIALIZED (
        SELECT * FROM unnest(
            %b::bigint[], %b::text[], %b::text[], %b::text[], %b::bigint[], %b::bytea[],
            %b::text[], %b::text[], %b::text[]
        ) WITH ORDINALITY AS i(
            target_id, guid, event, action, installation_id, body, task, queue, lock, place
        )
    ), stored AS (
        INSERT INTO deliveries
            (target_id, guid, event, action, installation_id, body, status, outcome)
        SELECT target_id, guid, event, action, installation_id, body,
            CASE WHEN task IS NULL THEN 'ignored' ELSE 'stored' END,
            CASE WHEN task IS NULL THEN 'not an event we handle' ELSE '' END
        FROM incoming ORDER BY place
        ON CONFLICT (target_id, guid) DO NOTHING
        RETURNING id, target_id, guid
    ), jobs AS MATERIALIZED (
        SELECT procrastinate_defer_jobs_v1(array_agg(ROW(
            queue, task, 0, lock, NULL, jsonb_build_object('delivery_id', id), NULL
        )::procrastinate_job_to_defer_v1 ORDER BY place)) AS ids
        FROM stored JOIN incoming USING (target_id, guid) WHERE task IS NOT NULL
    )
    SELECT place, (SELECT cardinality(ids) FROM jobs)
    FROM stored JOIN incoming USING (target_id, guid)
"""


async def store_and_enqueue(
    connection: psycopg.AsyncConnection[tuple[Any, ...]], arrivals: Sequence[Arrival]
) -> list[bool]:
    """Store deliveries and enqueue their jobs; all or nothing, durable on return.

    Args:
        connection: In autocommit mode, so that the statement is the transaction.
        arrivals: No two with the same key.
    Returns:
        For each arrival whether it was new.
    """
    columns = (
        [arrival.target_id for arrival in arrivals],
        [arrival.guid for arrival in arrivals],
        [arrival.event for arrival in arrivals],
        [arrival.action for arrival in arrivals],
        [arrival.installation_id for arrival in arrivals],
        [arrival.body for arrival in arrivals],
        [arrival.task for arrival in arrivals],
        [arrival.queue for arrival in arrivals],
        [arrival.lock for arrival in arrivals],
    )
    cursor = await connection.execute(_STORE, columns, prepare=True)
    new = {row[0] for row in await cursor.fetchall()}
    return [place in new for place in range(1, len(arrivals) + 1)]
