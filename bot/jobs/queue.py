"""Puts jobs into the queue by name, inside the caller's transaction. Imports no task.

Two locks, both per name: of the jobs with one `lock` one runs at a time, in the order of arrival;
of the jobs with one `queueing_lock` one waits at a time, and further ones are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from procrastinate import App, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from sqlalchemy.orm import Session

from bot.store.connection import raw_connection

LIVE = "default"
"""What a person on GitHub waits for."""
LEARNING = "learning"
"""Refits after corrections: seconds each, and somebody waits for the next issue to be right."""
HISTORY = "history"
"""What takes minutes: histories, whole fits."""
QUEUES = (LIVE, LEARNING, HISTORY)

TASK_DELIVERY = "delivery"
"""A stored delivery, by `delivery_id`."""
TASK_APPLY = "apply"
"""The planned effects of an issue, by `issue_id`."""
TASK_ONBOARD = "onboard"
TASK_LEARN = "learn"
"""A repository's history, and its head, by `repository_id`."""
TASK_HARVEST = "harvest"
"""The label events of a repository that nobody told us, by `repository_id`."""
TASK_REFIT = "refit"
"""The labels of a head that corrections touched, by `repository_id`."""
TASK_EMBED = "embed"
"""The next issues of a repository, for a bundle that takes over, by `repository_id` and `bundle`."""
TASK_SWAP = "swap"
"""A head on that bundle, and the repository's row, by `repository_id` and `bundle`."""
TASK_NOTICE = "notice"
"""What there is to say about a repository's rules, by `repository_id` and `number` of an issue."""
TASK_WAKE = "wake"
"""A job that waits outside its lock; the worker's own."""

FAILURES = "_failures"
"""Argument in which a job carries how often it failed."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands in the queue, so that it can be put there again."""

    task: str
    args: Mapping[str, Any]
    lock: str | None
    queueing_lock: str | None
    queue: str


def issue_lock(repository_id: int, number: int) -> str:
    """The lock of all jobs that touch one issue. By id, for a repository may be renamed."""
    return f"issue/{repository_id}/{number}"


def installation_lock(installation_id: int) -> str:
    return f"installation/{installation_id}"


def defer(
    session: Session,
    task: str,
    *,
    lock: str | None = None,
    queueing_lock: str | None = None,
    queue: str = LIVE,
    schedule_in: float = 0,
    priority: int = 0,
    **args: Any,
) -> bool:
    """Enqueue a job; it exists once the session commits.

    Args:
        schedule_in: Seconds to wait at least. A waiting job holds up later jobs of its `lock`.
        args: What JSON can carry, passed to the task.
    Returns:
        False if a job with that `queueing_lock` waits already, and nothing was added.
    """
    wanted = {
        "lock": lock,
        "queueing_lock": queueing_lock,
        "queue": queue,
        "priority": priority,
        "schedule_at": datetime.now(UTC) + timedelta(seconds=schedule_in)
        if schedule_in > 0
        else None,
    }
    if queueing_lock is None:
        _defer(session, task, wanted, args)
        return True
    try:
        # The conflict would abort the caller's transaction; this way it ends with the savepoint.
        with session.begin_nested():
            _defer(session, task, wanted, args)
    except AlreadyEnqueued:
        return False
    return True


def _defer(session: Session, task: str, wanted: Mapping[str, Any], args: Mapping[str, Any]) -> None:
    # The connection is asked for here, as SQLAlchemy sets a savepoint only once it is used.
    deferrer = _app().configure_task(
        task, allow_unknown=True, connection=raw_connection(session), **wanted
    )
    deferrer.defer(**args)


def park(session: Session, job: Job, *, after: float, key: str) -> None:
    """Enqueue `job` again after so many seconds, leaving its lock to others meanwhile.

    Args:
        key: The same for the same reason to park: parking twice leaves one job.
    """
    waiting = job.queueing_lock or key
    if job.lock is None:
        defer(
            session,
            job.task,
            queueing_lock=waiting,
            queue=job.queue,
            schedule_in=after,
            **job.args,
        )
        return
    parked = {"task": job.task, "args": dict(job.args), "lock": job.lock, "queue": job.queue}
    defer(
        session,
        TASK_WAKE,
        queueing_lock=waiting,
        queue=job.queue,
        schedule_in=after,
        job={**parked, "queueing_lock": waiting},
    )


def wake(session: Session, job: Mapping[str, Any]) -> None:
    """Enqueue what was parked, with its lock."""
    defer(
        session,
        job["task"],
        lock=job["lock"],
        queueing_lock=job["queueing_lock"],
        queue=job["queue"],
        **job["args"],
    )


@cache
def _app() -> App:
    """Never opened: it only words the statements, which run on the caller's connection."""
    return App(connector=SyncPsycopgConnector())
