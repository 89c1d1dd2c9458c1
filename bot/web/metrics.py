"""GET /metrics, in Prometheus' words. Read from the database, so that every process tells the same;
only the answers to requests are counted by the process that gave them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
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

from bot.store import bundles, runs, schedule_runs, standings, tallies
from bot.store.engine import Database

BOUNDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0)
"""Seconds; upper bounds of the buckets, but for the last, which has none."""

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
_STANDING = {
    "promised_precision": "Precision that was promised",
    "silent_precision": "Precision on the silent share, as measured last",
    "silent_precision_low": "Lower bound of that, at 95% confidence together with the upper",
    "silent_precision_high": "Upper bound of that",
    "silent_issues": "Settled issues of the silent share",
    "correction_rate": "Labels of ours that a human took off or replaced, a lower bound on error",
    "muted_labels": "Labels that are only suggested",
}


class StoreCollector(Collector):
    """What the database knows: rows of the last day, what was tallied before, and gauges as measured last."""

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
    tallies.fold(session, bounds=BOUNDS)
    deliveries = CounterMetricFamily(
        "labelwright_deliveries",
        "Deliveries, by event and how they ended",
        labels=["event", "outcome"],
    )
    yield _tallied(deliveries, session, "deliveries")
    decisions = CounterMetricFamily(
        "labelwright_decisions", "Decisions on labels, by action", labels=["action"]
    )
    yield _tallied(decisions, session, "decisions")
    effects = CounterMetricFamily(
        "labelwright_effects",
        "What was to be done on GitHub, and how it ended",
        labels=["kind", "outcome"],
    )
    yield _tallied(effects, session, "effects")
    yield from _standings(session)
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
    failures = GaugeMetricFamily(
        "labelwright_schedule_failures",
        "Runs of a schedule that failed within the last day",
        labels=["schedule"],
    )
    for name, failed in sorted(schedule_runs.failures(session).items()):
        failures.add_metric([name], failed)
    yield failures
    yield from _bundles(session)
    yield from _runs(session)
    yield _latency(session, "label_seconds", "From delivery to label")
    yield _latency(
        session,
        "label_unspaced_seconds",
        "From delivery to label, less the spacing of writes that GitHub asks for",
    )


def _tallied(family: CounterMetricFamily, session: Session, source: str) -> Metric:
    for labels, (n, _) in sorted(tallies.count(session, source).items()):
        family.add_metric(labels, n)
    return family


def _standings(session: Session) -> Iterator[Metric]:
    """A gauge per figure, a line per repository that has it."""
    measured = [(name, _gauges(figures)) for name, figures in standings.all_served(session)]
    for gauge, documentation in _STANDING.items():
        family = GaugeMetricFamily(f"labelwright_{gauge}", documentation, labels=["repository"])
        for name, values in measured:
            if values.get(gauge) is not None:
                family.add_metric([name], values[gauge])
        yield family


def _bundles(session: Session) -> Iterator[Metric]:
    """Alert on `bundle_taken_back`: a bundle was retired because somebody, or the watch, took it back."""
    serves = GaugeMetricFamily(
        "labelwright_bundle_repositories",
        "Repositories that a bundle serves",
        labels=["bundle", "state"],
    )
    for one in bundles.serving(session):
        serves.add_metric([one.bundle, one.state], one.repositories)
    stake = GaugeMetricFamily(
        "labelwright_bundle_watch_stake",
        "Evidence that corrections rose under a bundle; 40 takes it back",
        labels=["bundle", "hours"],
    )
    taken = GaugeMetricFamily(
        "labelwright_bundle_taken_back",
        "1 for a bundle that served or was about to, and was taken back",
        labels=["bundle", "name"],
    )
    for row in bundles.newest(session):
        for window in row.watch.get("windows", ()):
            stake.add_metric([row.id, f"{window['hours']:g}"], window["stake"])
        taken.add_metric([row.id, row.name], float(row.taken_back))
    yield from (serves, stake, taken)


def _runs(session: Session) -> Iterator[Metric]:
    """Alert on `run_alone_seconds` above an hour, and on `runs` that fail."""
    states = GaugeMetricFamily("labelwright_runs", "Retrainings, by status", labels=["status"])
    yield _filled(states, session, "SELECT status, count(*) FROM runs GROUP BY 1")
    alone = GaugeMetricFamily(
        "labelwright_run_alone_seconds",
        "How long nobody has fitted a run that is to be fitted",
        labels=["run", "launcher", "attempt"],
    )
    now = datetime.now(UTC)
    for run, since in runs.alone(session):
        labels = [str(run.id), run.launcher, str(run.attempt)]
        alone.add_metric(labels, (now - since).total_seconds())
    yield alone


def _gauges(figures: Mapping[str, Any]) -> dict[str, Any]:
    realised = figures.get("realised") or {}
    share = realised.get("precision") or {}
    seen = share.get("value") is not None
    return {
        "promised_precision": figures.get("promised"),
        "silent_precision": share.get("value"),
        "silent_precision_low": share.get("low") if seen else None,
        "silent_precision_high": share.get("high") if seen else None,
        "silent_issues": realised.get("issues"),
        "correction_rate": (figures.get("corrections") or {}).get("value"),
        "muted_labels": sum(bool(row["muted"]) for row in figures.get("labels", ())),
    }


def _filled(
    family: CounterMetricFamily | GaugeMetricFamily, session: Session, statement: str
) -> Metric:
    for *labels, value in session.execute(text(statement)):
        family.add_metric(labels, value)
    return family


def _latency(session: Session, source: str, documentation: str) -> Metric:
    found = tallies.count(session, source, bounds=BOUNDS)
    buckets, total = _cumulated({int(place): rows for (place,), rows in found.items()})
    return HistogramMetricFamily(
        f"labelwright_{source}", documentation, buckets=buckets, sum_value=total
    )


def _cumulated(
    rows: Mapping[int, tuple[int, float]],
) -> tuple[list[tuple[str, float]], float]:
    """Place of the bucket -> (count, sum of seconds) to Prometheus' cumulative buckets, sum."""
    running, buckets = 0, []
    for place, bound in enumerate((*BOUNDS, float("inf"))):
        running += rows.get(place, (0, 0.0))[0]
        buckets.append(("+Inf" if bound == float("inf") else str(bound), float(running)))
    return buckets, float(sum(seconds for _, seconds in rows.values()))
