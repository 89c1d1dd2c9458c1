"""What happens by the clock: lost deliveries are asked for again, missed installs found, heads refitted.

Any number of schedulers may run: a due time is claimed in the database by the first that comes. A due
time missed while none ran is made up for once, at start.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.cron import CronTrigger

from bot.errors import GiveUp, Ignore, LabelwrightError
from bot.github.app import AppAuth, InstallationInfo
from bot.github.payloads import RepositoryRef
from bot.jobs.requests import (
    DAILY,
    request_harvest,
    request_learning,
    request_onboarding,
)
from bot.jobs.rollout.watching import look_after
from bot.jobs.talk.dismissals import look_for_answers
from bot.store import installations, repositories, schedule_runs
from bot.store.engine import Database
from bot.store.schedule_runs import FAILED

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reach:
    """What scheduled work may touch: no encoder, so that heavy work goes through the queue."""

    database: Database
    auth: AppAuth
    write_interval: float


class HasDatabase(Protocol):
    """What due times are claimed in."""

    @property
    def database(self) -> Database: ...


@dataclass(frozen=True, slots=True)
class Schedule:
    """A named piece of work and its due times (UTC)."""

    name: str
    trigger: CronTrigger
    run: Callable[[Any], str]
    """Gets what `fire_due` got, says what came of it."""


def redeliver(reach: Reach) -> str:
    """Ask GitHub to send again what no attempt brought through; it never does so by itself."""
    asked = 0
    for delivery in reach.auth.failed_deliveries():
        with _going_on(f"delivery {delivery.guid}"):
            reach.auth.redeliver(delivery.id)
            asked += 1
    return f"{asked} deliveries asked for again"


def reconcile(reach: Reach) -> str:
    """Meet repositories whose installation event never reached us."""
    new = 0
    for installation in reach.auth.installations():
        if not installation.suspended:
            with _going_on(f"installation {installation.id}"):
                new += _meet_missed(reach, installation)
    return f"{new} repositories met"


def _meet_missed(reach: Reach, installation: InstallationInfo) -> int:
    """Ask for those repositories of an installation that we do not serve; how many."""
    found = reach.auth.installation_repositories(installation.id)
    new = 0
    with reach.database.session() as session:
        installations.upsert(
            session,
            id=installation.id,
            account=installation.account,
            write_interval=reach.write_interval,
        )
        for repository in found:
            known = repositories.get(session, repository.id)
            if known is None or known.status == "removed":
                request_onboarding(session, installation.id, repository)
                new += 1
    return new


@contextmanager
def _going_on(what: str) -> Iterator[None]:
    """One that GitHub refuses must not hide the others; a limit or an outage concerns them all."""
    try:
        yield
    except (Ignore, GiveUp) as error:
        log.warning("%s: %s", what, error)


def refit(reach: Reach) -> str:
    """Refit every head on what was learned since; cuts are chosen anew at most once a day."""
    with reach.database.session() as session:
        active = [row for row in repositories.all_active(session) if row.status != "paused"]
        for row in active:
            if row.head_id is not None or row.status == "ready":
                request_learning(session, row.id, reason=DAILY)
            else:  # its learning was given up on: once more from where it stopped
                reference = RepositoryRef(row.id, row.full_name, row.private)
                request_onboarding(session, row.installation_id, reference)
    return f"{len(active)} repositories to refit"


def harvest(reach: Reach) -> str:
    """Read the label events that no webhook told; where there are none this costs GitHub nothing."""
    with reach.database.session() as session:
        ready = [row for row in repositories.all_active(session) if row.status == "ready"]
        for row in ready:
            request_harvest(session, row.id)
    return f"{len(ready)} repositories to harvest"


def suggestions(reach: Reach) -> str:
    """Find the suggestions that people approved or dismissed; GitHub does not tell."""
    return look_for_answers(reach.database, reach.auth)


def bundles(reach: Reach) -> str:
    """Go on with a promotion, and watch what became of the last one."""
    return look_after(reach.database)


SCHEDULES = (
    Schedule("redeliver", CronTrigger(minute="*/10", timezone=UTC), redeliver),
    Schedule("reconcile", CronTrigger(minute=17, timezone=UTC), reconcile),
    Schedule("harvest", CronTrigger(minute=47, timezone=UTC), harvest),
    Schedule("suggestions", CronTrigger(minute="4,19,34,49", timezone=UTC), suggestions),
    Schedule("bundles", CronTrigger(minute=27, timezone=UTC), bundles),
    Schedule("refit", CronTrigger(hour=3, minute=41, timezone=UTC), refit),
)


def run_schedules(
    reach: HasDatabase, schedules: Sequence[Schedule] = SCHEDULES, *, at_once: int = 10
) -> None:
    """Make up for what was missed, then run by the clock, so many `at_once`, until stopped."""
    pool = {"default": {"type": "threadpool", "max_workers": at_once}}
    scheduler = BlockingScheduler(timezone=UTC, executors=pool)
    started = datetime.now(UTC)
    for schedule in schedules:
        fire_due(reach, schedule, now=started)
        scheduler.add_job(
            lambda schedule=schedule: fire_due(
                reach, schedule, now=datetime.now(UTC), started=started
            ),
            schedule.trigger,
            id=schedule.name,
            name=schedule.name,  # what the log tells
            coalesce=True,
            misfire_grace_time=None,
        )
    scheduler.start()


def fire_due(
    reach: HasDatabase, schedule: Schedule, *, now: datetime, started: datetime | None = None
) -> bool:
    """Run the latest due time that nobody claimed yet; older ones are made up for by it. Where there is
    none, the last one is run once more if whoever ran it died midway.

    `started` counts as the last run where there is no other, so that a new database waits for its
    first due time. Returns whether it ran; a failure, ours too, is stored, logged and never raised.
    """
    with reach.database.session() as session:
        last = schedule_runs.latest(session, schedule.name)
    since = last or started
    due = (latest_due(schedule.trigger, since=since, now=now) if since else None) or last
    if due is None:
        return False
    with schedule_runs.running(reach.database, schedule.name, due) as alone:
        if not alone or not _claimed(reach.database, schedule.name, due):
            return False
        _run(reach, schedule, due)
    return True


def _claimed(database: Database, name: str, due: datetime) -> bool:
    with database.session() as session:
        return schedule_runs.claim(session, name, due)


def _run(reach: HasDatabase, schedule: Schedule, due: datetime) -> None:
    try:
        outcome = schedule.run(reach)
    except LabelwrightError as error:
        outcome = f"{FAILED}: {error}"
        log.error("schedule %s %s", schedule.name, outcome)
    except Exception as error:
        outcome = f"{FAILED}: {type(error).__name__}"
        log.error("schedule %s %s", schedule.name, outcome, exc_info=True)
    else:
        log.info("schedule %s: %s", schedule.name, outcome)
    with reach.database.session() as session:
        schedule_runs.finish(session, schedule.name, due, outcome=outcome)


def latest_due(trigger: CronTrigger, *, since: datetime, now: datetime) -> datetime | None:
    """The newest due time in (since, now], None where there is none."""
    latest: datetime | None = None
    due = trigger.get_next_fire_time(since, since)
    while due is not None and due <= now:
        if due > since:
            latest = due
        due = trigger.get_next_fire_time(due, due)
    return latest
