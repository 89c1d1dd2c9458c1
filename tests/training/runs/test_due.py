"""When a retraining is due, and how a scheduler ends."""

from __future__ import annotations

from datetime import timedelta
from threading import Event, Thread
from time import sleep

import pytest

from bot.core.corrections import Correction
from bot.errors import UserError
from bot.jobs.schedule import fire_due
from bot.store import corrections, repositories
from bot.store.engine import Database
from tests.training.test_cut_store import NOW, fill
from training.run import House
from training.schedule import Retraining, Stopping, new_corrections, schedules


def test_a_scheduler_that_ends_waits_for_the_fit_that_it_stops() -> None:
    stopping, begun, ended = Stopping(), Event(), Event()

    def fit() -> None:
        with stopping.working():
            begun.set()
            try:
                while True:
                    stopping.check({})
                    sleep(0.005)
            except SystemExit:
                ended.set()

    thread = Thread(target=fit)
    with stopping.in_the_end():
        thread.start()
        assert begun.wait(10)
    assert ended.is_set()
    thread.join()


def test_due_times_retrain_and_corrections_have_to_be_enough(
    house: House, database: Database
) -> None:
    began: list[str] = []

    def due(reason: str) -> str:
        began.append(reason)
        return "done"

    left, clock, corrected = schedules("23 4 * * 0", after=5)
    retraining = Retraining(database, due, lambda: "run 7 is kept", 5)
    monday = NOW + timedelta(days=7)
    assert fire_due(retraining, clock, now=monday, started=NOW)
    assert not fire_due(retraining, clock, now=monday, started=NOW)
    assert began == ["by the clock"]
    assert new_corrections(database) == 0
    assert fire_due(retraining, corrected, now=monday, started=NOW)
    assert began == ["by the clock"]
    assert left.run(retraining) == "run 7 is kept"
    assert [one.name for one in schedules("23 4 * * 0", after=0)] == ["retrain-resume", "retrain"]
    with pytest.raises(UserError, match="'weekly' is no cron line"):
        schedules("weekly", after=0)


def test_corrections_that_may_not_be_learned_from_are_worth_no_run(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Correction("removal", 1, "bug", None, "ada", 1.0, NOW)
    monkeypatch.setattr(corrections, "of_repository", lambda session, id: [told])
    with database.session() as session:
        fill(session, count=2)
        fill(session, id=80, count=2, private=True)
    assert new_corrections(database) == 1
    with database.session() as session:
        repositories.save_rules(session, 80, text="share_for_training: true", etag=None, error=None)
    assert new_corrections(database) == 2
