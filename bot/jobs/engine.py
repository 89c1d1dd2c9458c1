"""The job engine as we run it: Procrastinate with patience for a database that is away, and the
sweep that gives the jobs of dead workers back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from procrastinate import App, JobContext, PsycopgConnector, RetryDecision
from procrastinate import jobs as engine_jobs
from procrastinate.exceptions import ConnectorException
from procrastinate.manager import JobManager
from procrastinate.retry import BaseRetryStrategy
from sqlalchemy import text

from bot.jobs.attempt import Unsettled, attempt
from bot.jobs.queue import TASK_WAKE, Job, wake
from bot.store.engine import Database

PATIENCE = 30
"""Seconds that the end of a job is tried to be told to a database that is away."""
MAX_CRASHES = 5
"""A job during which that many workers died is taken for the cause."""

_DEAD = """
    SELECT id, args FROM procrastinate_jobs AS job
    WHERE status = 'doing' AND attempts {comparison} :crashes AND NOT EXISTS (
        SELECT FROM procrastinate_workers AS worker
        WHERE worker.id = job.worker_id
            AND worker.last_heartbeat > now() - :seconds * interval '1 second'
    )
    FOR UPDATE OF job SKIP LOCKED
"""
_GIVE_BACK = text(
    f"WITH dead AS MATERIALIZED ({_DEAD.format(comparison='<')})"  # noqa: S608
    " SELECT id, procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL)::text FROM dead"
)
_FAIL = text(
    f"WITH dead AS MATERIALIZED ({_DEAD.format(comparison='>=')})"  # noqa: S608
    ", failed AS (UPDATE deliveries SET status = 'failed', outcome = 'workers died over it'"
    " FROM dead WHERE status = 'stored' AND deliveries.id = (dead.args ->> 'delivery_id')::bigint)"
    ", ended AS (UPDATE effects SET status = 'failed', detail = 'workers died over it', done_at = now()"
    " FROM dead WHERE effects.status = 'pending' AND (effects.issue_id = (dead.args ->> 'issue_id')::bigint"
    " OR effects.decision_id IN (SELECT id FROM decisions"
    " WHERE delivery_id = (dead.args ->> 'delivery_id')::bigint)))"
    " SELECT id, procrastinate_finish_job_v1(id, 'failed', false)::text FROM dead"
)

logger = logging.getLogger(__name__)


class PatientManager(JobManager):
    """Says how a job ended even if the database is away for a moment: else the job would stay
    `doing` for ever, for its worker lives."""

    async def finish_job(
        self, job: engine_jobs.Job, status: engine_jobs.Status, delete_job: bool
    ) -> None:
        await _patiently(lambda: super(PatientManager, self).finish_job(job, status, delete_job))

    async def retry_job(self, job: engine_jobs.Job, *args: Any, **kwargs: Any) -> None:
        await _patiently(lambda: super(PatientManager, self).retry_job(job, *args, **kwargs))


class RunAgain(BaseRetryStrategy):
    """The engine's own retry is only for attempts whose outcome could not be stored."""

    def get_retry_decision(
        self,
        *,
        exception: BaseException,
        job: engine_jobs.Job,  # noqa: ARG002 - the engine's signature
    ) -> RetryDecision | None:
        return RetryDecision(retry_in={"seconds": 5}) if isinstance(exception, Unsettled) else None


def is_away(error: Exception) -> bool:
    """Whether it is the connection that failed, not the statement."""
    return isinstance(error.__cause__ or error, psycopg.OperationalError | psycopg.InterfaceError)


def build_app(
    database: Database, tasks: Mapping[str, Callable[..., None]], *, connections: int
) -> App:
    """The engine with our tasks in it, not yet open."""

    def wake_up(job: dict[str, Any]) -> None:
        with database.session() as session:
            wake(session, job)

    connector = PsycopgConnector(
        conninfo=database.url, min_size=1, max_size=connections, configure=_configure
    )
    app = App(connector=connector)
    app.job_manager = PatientManager(connector)
    for name, function in {**tasks, TASK_WAKE: wake_up}.items():
        app.task(name=name, pass_context=True, retry=RunAgain())(_task(database, function))
    return app


def sweep(database: Database, *, dead_after: float) -> int:
    """Give back the jobs of workers that were not heard of for `dead_after` seconds.

    Several workers may sweep at once: a job is given back once.

    Returns:
        How many jobs will run again.
    """
    with database.session() as session:
        values = {"crashes": MAX_CRASHES, "seconds": dead_after}
        failed = session.execute(_FAIL, values).all()
        again = session.execute(_GIVE_BACK, values).all()
    for row in failed:
        logger.error("job %d: given up, %d workers died over it", row.id, MAX_CRASHES)
    for row in again:
        logger.warning("job %d: its worker died, it runs again", row.id)
    return len(again)


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    """The engine's own notes need not wait for the disk: a fetch or an end that a crash of the
    server forgets makes a job run again, which it must bear anyway. What jobs write does wait."""
    await connection.set_autocommit(True)
    await connection.execute("SET synchronous_commit TO off")


def _task(database: Database, function: Callable[..., None]) -> Callable[..., None]:
    def run(context: JobContext, **args: Any) -> None:
        job = Job(
            task=context.job.task_name,
            args=args,
            lock=context.job.lock,
            queueing_lock=context.job.queueing_lock,
            queue=context.job.queue,
        )
        assert context.job.id is not None
        attempt(database, function, job, job_id=context.job.id)

    return run


async def _patiently(call: Callable[[], Any]) -> None:
    for left in range(PATIENCE, -1, -1):
        try:
            await call()
        except ConnectorException as error:
            if left == 0 or not is_away(error):
                raise
            await asyncio.sleep(1.0)
        else:
            return
