"""Due times are claimed once, the latest missed one is made up for, failures and deaths are kept."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.cron import CronTrigger
from sqlalchemy import select

from bot.errors import RetryLater
from bot.github.app import AppAuth
from bot.jobs.context import Context
from bot.jobs.schedule import Reach, Schedule, fire_due, latest_due, reconcile, run_schedules
from bot.sandbox.server import SandboxServer
from bot.store import schedule_runs
from bot.store.engine import Database
from bot.store.tables import ScheduleRun

HOURLY = CronTrigger(minute=17, timezone=UTC)
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "now", "due"),
    [
        (NOON, NOON + timedelta(minutes=16), None),
        (NOON, NOON + timedelta(minutes=17), NOON + timedelta(minutes=17)),
        (NOON, NOON + timedelta(hours=5), NOON + timedelta(hours=4, minutes=17)),
        (NOON + timedelta(minutes=17), NOON + timedelta(minutes=59), None),
        (NOON, NOON - timedelta(hours=2), None),
    ],
)
def test_the_latest_due_time(since: datetime, now: datetime, due: datetime | None) -> None:
    assert latest_due(HOURLY, since=since, now=now) == due


class Counted:
    """A schedule that counts its runs."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.runs = 0
        self._error = error
        self.schedule = Schedule("counted", HOURLY, self._run)

    def _run(self, reach: Reach) -> str:
        self.runs += 1
        if self._error:
            raise self._error
        return "counted"


def runs(database: Database) -> list[tuple[datetime, str]]:
    with database.session() as session:
        found = session.scalars(select(ScheduleRun).order_by(ScheduleRun.due_at))
        return [(run.due_at.astimezone(UTC), run.outcome) for run in found]


def test_a_new_database_waits_for_its_first_due_time(reach: Reach) -> None:
    counted = Counted()
    assert not fire_due(reach, counted.schedule, now=NOON, started=NOON)
    assert not fire_due(reach, counted.schedule, now=NOON)
    assert fire_due(reach, counted.schedule, now=NOON + timedelta(minutes=20), started=NOON)
    assert runs(reach.database) == [(NOON + timedelta(minutes=17), "counted")]


def test_a_due_time_runs_once(reach: Reach) -> None:
    counted = Counted()
    now = NOON + timedelta(minutes=20)
    assert fire_due(reach, counted.schedule, now=now, started=NOON)
    assert not fire_due(reach, counted.schedule, now=now, started=NOON)
    assert counted.runs == 1


def test_a_run_that_died_midway_is_run_once_more_and_then_has_failed(reach: Reach) -> None:
    dies = Counted(SystemExit("killed"))
    now = NOON + timedelta(minutes=20)
    for _ in range(2):
        with pytest.raises(SystemExit):
            fire_due(reach, dies.schedule, now=now, started=NOON)
    assert not fire_due(reach, dies.schedule, now=now)
    assert dies.runs == 2
    assert runs(reach.database) == [(NOON + timedelta(minutes=17), "failed: it died midway, twice")]
    with reach.database.session() as session:
        assert schedule_runs.failures(session) == {"counted": 1}


def test_a_run_that_died_midway_may_end_well_the_second_time(reach: Reach) -> None:
    now = NOON + timedelta(minutes=20)
    with pytest.raises(SystemExit):
        fire_due(reach, Counted(SystemExit("killed")).schedule, now=now, started=NOON)
    well = Counted()
    assert fire_due(reach, well.schedule, now=now)
    assert not fire_due(reach, well.schedule, now=now)
    assert runs(reach.database) == [(NOON + timedelta(minutes=17), "counted")]


def test_a_run_under_way_is_left_to_whoever_runs_it(reach: Reach) -> None:
    now = NOON + timedelta(minutes=20)
    another: list[bool] = []

    def run(_: Reach) -> str:
        another.append(fire_due(reach, schedule, now=now))
        return "ran"

    schedule = Schedule("long", HOURLY, run)
    assert fire_due(reach, schedule, now=now, started=NOON)
    assert another == [False]


def test_many_schedulers_run_a_due_time_once(reach: Reach) -> None:
    counted = Counted()
    now = NOON + timedelta(minutes=20)
    gate = threading.Barrier(6)

    def scheduler() -> None:
        gate.wait()
        fire_due(reach, counted.schedule, now=now, started=NOON)

    threads = [threading.Thread(target=scheduler) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted.runs == 1


def test_what_was_missed_while_nobody_ran_is_made_up_for_once(reach: Reach) -> None:
    counted = Counted()
    fire_due(reach, counted.schedule, now=NOON + timedelta(minutes=20), started=NOON)
    back = NOON + timedelta(days=2)
    assert fire_due(reach, counted.schedule, now=back)
    assert not fire_due(reach, counted.schedule, now=back)
    assert counted.runs == 2
    assert runs(reach.database)[-1][0] == back - timedelta(minutes=43)


def test_a_failure_is_kept_and_does_not_stop_the_next(reach: Reach) -> None:
    counted = Counted(RetryLater("GitHub is away", after=15))
    assert fire_due(reach, counted.schedule, now=NOON + timedelta(minutes=20), started=NOON)
    assert fire_due(reach, counted.schedule, now=NOON + timedelta(minutes=80))
    assert [outcome for _, outcome in runs(reach.database)] == ["failed: GitHub is away"] * 2


def test_a_fault_of_ours_is_kept_and_told_and_does_not_stop_the_others(
    reach: Reach, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Both were due while no scheduler ran; the first one is broken."""
    broken, well = Counted(KeyError("secret words")), Counted()
    well.schedule = replace(well.schedule, name="well")
    both = [broken.schedule, well.schedule]
    monkeypatch.setattr(BlockingScheduler, "start", lambda _: None)
    with reach.database.session() as session:
        for one in both:
            schedule_runs.claim(session, one.name, NOON)
    run_schedules(reach, both)
    assert (broken.runs, well.runs) == (1, 1)
    with reach.database.session() as session:
        found = session.scalars(select(ScheduleRun).where(ScheduleRun.due_at > NOON))
        assert {row.name: row.outcome for row in found} == {
            "counted": "failed: KeyError", "well": "counted",
        }  # fmt: skip
        assert schedule_runs.failures(session) == {"counted": 1, "well": 0}
    assert "schedule counted failed: KeyError" in caplog.text


def test_github_out_of_reach_is_a_kept_failure(context: Context, sandbox: SandboxServer) -> None:
    with AppAuth(1, sandbox.private_key, api_url="http://127.0.0.1:1") as nowhere:
        reach = Reach(context.database, nowhere, write_interval=1.0)
        schedule = Schedule("reconcile", HOURLY, reconcile)
        assert fire_due(reach, schedule, now=NOON + timedelta(minutes=20), started=NOON)
    assert runs(context.database)[0][1].startswith("failed: GitHub did not answer")
