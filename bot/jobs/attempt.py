"""One attempt at a job: calls the task and turns its error into what happens next.

Ignore ends well. RetryLater comes back later and costs nothing. GiveUp fails. Anything else is a
failure of ours: it comes back with a growing pause, and fails for good at the fifth.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from bot.errors import GiveUp, Ignore, RetryLater, UserError
from bot.jobs.queue import FAILURES, Job, park
from bot.store import deliveries, effects
from bot.store.engine import Database

MAX_FAILURES = 5
LONGEST_PAUSE = 600.0

logger = logging.getLogger(__name__)


class Unsettled(Exception):
    """The outcome of an attempt could not be stored; the engine shall run the job again."""


def attempt(database: Database, function: Callable[..., None], job: Job, *, job_id: int) -> None:
    """Run `function` with the arguments of `job`.

    Raises:
        GiveUp, UserError, Exception: the job has failed for good.
        Unsettled: the database is away.
    """
    args = dict(job.args)
    failures = int(args.pop(FAILURES, 0))
    name = f"{job.task}[{job_id}]"
    try:
        function(**args)
    except Ignore as reason:
        logger.info("%s: nothing to do: %s", name, reason)
        _end(database, args, status="ignored", outcome=str(reason))
    except RetryLater as reason:
        logger.info("%s: again in %.1f s: %s", name, reason.after, reason)
        _park(database, job, after=reason.after, key=f"again/{job_id}")
    except (GiveUp, UserError) as reason:
        logger.error("%s: given up: %s", name, reason)
        _end(database, args, status="failed", outcome=str(reason))
        raise
    except Exception as error:
        failures += 1
        kind = type(error).__name__
        if failures >= MAX_FAILURES:
            logger.error("%s: failed %d times, last by %s", name, failures, kind)
            _end(database, args, status="failed", outcome=f"{kind} {failures} times")
            raise
        pause = backoff(failures)
        logger.warning("%s: failure %d, again in %.0f s", name, failures, pause, exc_info=True)
        counted = replace(job, args={**args, FAILURES: failures})
        _park(database, counted, after=pause, key=f"again/{job_id}")


def backoff(failures: int) -> float:
    """Seconds before the next try, after that many failures: 5, 15, 45, 135."""
    return min(LONGEST_PAUSE, 5.0 * 3.0 ** (failures - 1))


def _park(database: Database, job: Job, *, after: float, key: str) -> None:
    try:
        with database.session() as session:
            park(session, job, after=after, key=key)
    except SQLAlchemyError as error:
        raise Unsettled(job.task) from error


def _end(
    database: Database, args: dict[str, Any], *, status: deliveries.Status, outcome: str
) -> None:
    """Let the delivery that the job is about say how it ended; what is still to be done because of it, or
    was all that the job had to do (`issue_id`), ends with it."""
    delivery_id, issue_id = args.get("delivery_id"), args.get("issue_id")
    if delivery_id is None and issue_id is None:
        return
    try:
        with database.session() as session:
            if delivery_id is not None:
                deliveries.finish(session, delivery_id, status=status, outcome=outcome)
            effects.end_waiting(
                session,
                status="failed" if status == "failed" else "skipped",
                detail=outcome,
                issue_id=issue_id,
                delivery_id=delivery_id,
            )
    except SQLAlchemyError as error:
        raise Unsettled(f"delivery {delivery_id}, issue {issue_id}") from error
