"""When to retrain: by the clock, and when the maintainers have corrected enough since the last run.

Any number of schedulers may run; one starts the run. A due time missed while none ran is made up for once.
A run that a stop or a crash left behind goes on within the hour.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Lock
from typing import Any

from apscheduler.triggers.cron import CronTrigger

from bot.errors import UserError
from bot.jobs.schedule import Schedule
from bot.store import corrections, repositories, runs
from bot.store.engine import Database
from training.snapshot.cut import shared

log = logging.getLogger(__name__)

LOOK = CronTrigger(minute=29, timezone=UTC)
"""When new corrections are counted."""


RESUME = CronTrigger(minute=11, timezone=UTC)
"""When runs are looked for that were left behind."""


@dataclass(frozen=True, slots=True)
class Retraining:
    """What due times call. `retrain`: begins a run for a reason and brings it to its end; `resume`: one
    that was left behind, "" where there is none."""

    database: Database
    retrain: Callable[[str], str]
    resume: Callable[[], str]
    after: int
    """Corrections since the last run that are worth another; 0: only the clock counts."""

    def weekly(self) -> str:
        return self.retrain("by the clock")

    def corrected(self) -> str:
        found = new_corrections(self.database)
        if found < self.after:
            return f"{found} new corrections; {self.after} are worth a run"
        return self.retrain(f"{found} new corrections")

    def left_behind(self) -> str:
        return self.resume() or "nothing was left behind"


class Stopping:
    """Lets a thread that fits save and stop before the database closes under it."""

    def __init__(self) -> None:
        self._asked = Event()
        self._working = Lock()

    def check(self, told: Mapping[str, Any]) -> None:  # noqa: ARG002 - an `OnProgress`
        if self._asked.is_set():
            raise SystemExit("stopped")

    @contextmanager
    def working(self) -> Iterator[None]:
        with self._working:
            yield

    @contextmanager
    def in_the_end(self) -> Iterator[None]:
        """However the block ends, whoever is at work is told, and waited for."""
        try:
            yield
        finally:
            self._asked.set()
            with self._working:
                pass


def schedules(cron: str, *, after: int) -> list[Schedule]:
    """The due times; UserError for a cron line that is none."""
    try:
        trigger = CronTrigger.from_crontab(cron, timezone=UTC)
    except ValueError as error:
        raise UserError(
            f"LABELWRIGHT_RETRAIN_CRON: {cron!r} is no cron line ({error}); "
            "five fields, as in '23 4 * * 0' for Sundays."
        ) from None
    found = [
        Schedule("retrain-resume", RESUME, Retraining.left_behind),
        Schedule("retrain", trigger, Retraining.weekly),
    ]
    if after:
        found.append(Schedule("retrain-after-corrections", LOOK, Retraining.corrected))
    return found


def new_corrections(database: Database) -> int:
    """Of all repositories that may be learned from, since the newest run began; since ever where there was none."""
    with database.session() as session:
        newest = runs.newest(session, limit=1)
        since = newest[0].created_at if newest else datetime.min.replace(tzinfo=UTC)
        return sum(
            correction.at > since
            for row in repositories.all_active(session)
            if shared(row)
            for correction in corrections.of_repository(session, row.id)
        )
