"""GET /metrics, in Prometheus' words. Read from the database, so that every process tells the same;
only the answers to requests are counted by the process that gave them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bot.store.engine import Database

BOUNDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
"""Seconds; upper bounds of the buckets, but for the last, which has none."""

_DELIVERIES = "SELECT event, status, count(*) FROM deliveries GROUP BY 1, 2 ORDER BY 1, 2"
_DECISIONS = "SELECT action, count(*) FROM decisions GROUP BY 1 ORDER BY 1"
_JOBS = "SELECT queue_name, status::text, count(*) FROM procrastinate_jobs GROUP BY 1, 2"
_OLDEST = """
    SELECT queue_name, max(extract(epoch FROM now() - coalesce(scheduled_at, (
        SELECT min(at) FROM procrastinate_events AS event WHERE event.job_id = job.id
    ))))::float
    FROM procrastinate_jobs AS job
    WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
    GROUP BY 1
"""
_WORKERS = """
    SELECT coalesce(bundle, ''), coalesce(backend, ''), count(*) FROM worker_beats
    WHERE seen_at > now() - interval '30 seconds' GROUP BY 1, 2
"""
_LATENCY = """
    SELECT width_bucket(seconds, CAST(:bounds AS float[])), count(*), sum(seconds) FROM (
        SELECT extract(epoch FROM effects.done_at - deliveries.received_at)::float
            - {waited} AS seconds
        FROM effects
        JOIN decisions ON decisions.id = effects.decision_id
        JOIN deliveries ON deliveries.id = decisions.delivery_id
        WHERE effects.kind = 'add' AND effects.status = 'done'
    ) AS labelled GROUP BY 1
"""


class StoreCollector(Collector):
    """What the database knows, counted anew at every scrape."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[Metric]:
        up = "Whether the database answered"
        try:
            with self._database.session() as session:
                found = list(_families(session))
        except SQLAlchemyError:
            yield GaugeMetricFamily("labelwright_database_up", up, value=0)
        else:
            yield GaugeMetricFamily("labelwright_database_up", up, value=1)
            yield from found

    def describe(self) -> list[Metric]:
        """Nothing, or registering the collector would already ask the database."""
        return []


def metrics_router(registry: CollectorRegistry) -> APIRouter:
    router = APIRouter()

    @router.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


def _families(session: Session) -> Iterator[Metric]:
    deliveries = CounterMetricFamily(
        "labelwright_deliveries",
        "Deliveries, by event and how they ended",
        labels=["event", "outcome"],
    )
    yield _filled(deliveries, session, _DELIVERIES)
    decisions = CounterMetricFamily(
        "labelwright_decisions", "Decisions on labels, by action", labels=["action"]
    )
    yield _filled(decisions, session, _DECISIONS)
    jobs = GaugeMetricFamily(
        "labelwright_queue_jobs", "Jobs in the queue", labels=["queue", "status"]
    )
    yield _filled(jobs, session, _JOBS)
    oldest = GaugeMetricFamily(
        "labelwright_queue_oldest_seconds", "How long the oldest due job waits", labels=["queue"]
    )
    yield _filled(oldest, session, _OLDEST)
    workers = GaugeMetricFamily(
        "labelwright_workers", "Workers seen lately", labels=["bundle", "backend"]
    )
    yield _filled(workers, session, _WORKERS)
    yield _latency(session, "labelwright_label_seconds", "From delivery to label", waited="0")
    yield _latency(
        session,
        "labelwright_label_unspaced_seconds",
        "From delivery to label, less the spacing of writes that GitHub asks for",
        waited="effects.waited_s",
    )


def _filled(
    family: CounterMetricFamily | GaugeMetricFamily, session: Session, statement: str
) -> Metric:
    for *labels, value in session.execute(text(statement)):
        family.add_metric(labels, value)
    return family


def _latency(session: Session, name: str, documentation: str, *, waited: str) -> Metric:
    rows = session.execute(text(_LATENCY.format(waited=waited)), {"bounds": list(BOUNDS)}).all()
    buckets, total = _cumulated(rows)
    return HistogramMetricFamily(name, documentation, buckets=buckets, sum_value=total)


def _cumulated(rows: Sequence[Any]) -> tuple[list[tuple[str, float]], float]:
    """(place of the bucket, count, sum of seconds) -> Prometheus' cumulative buckets, sum."""
    counts = {place: count for place, count, _ in rows}
    running, buckets = 0, []
    for place, bound in enumerate((*BOUNDS, float("inf"))):
        running += counts.get(place, 0)
        buckets.append(("+Inf" if bound == float("inf") else str(bound), float(running)))
    return buckets, float(sum(seconds for _, _, seconds in rows))
