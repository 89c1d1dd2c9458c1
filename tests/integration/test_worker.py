"""Workers: what follows from each error, who runs beside whom, and what a death leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import insert, text

from bot.errors import GiveUp, Ignore, RetryLater, UserError
from bot.jobs import attempt as attempt_module
from bot.jobs.attempt import Unsettled, backoff
from bot.jobs.engine import MAX_CRASHES, sweep
from bot.jobs.queue import QUEUES, defer
from bot.jobs.worker import Serving, Timing, run_worker
from bot.store import beats, deliveries
from bot.store.engine import Database
from bot.store.tables import Delivery

PATIENCE = 60.0
NO_POLL = Timing(poll=3600.0, beat=0.2)
FAST = Timing(poll=0.05, beat=0.2, pause=0.1)


def eventually(condition: Callable[[], Any]) -> Any:
    """Wait until it holds. How long that takes is not what is tested."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.01)
    return found


@contextmanager
def working(
    database: Database, tasks: dict[str, Callable[..., None]], **more: Any
) -> Iterator[threading.Event]:
    stop = threading.Event()
    options = {"concurrency": 2, "stop": stop, "timing": FAST, **more}
    thread = threading.Thread(target=run_worker, args=(database, tasks), kwargs=options)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join()


def enqueue(database: Database, task: str, **more: Any) -> None:
    with database.session() as session:
        defer(session, task, **more)


def statuses(database: Database) -> list[str]:
    """Of the jobs that are left; those that ended well are gone."""
    with database.session() as session:
        statement = text("SELECT status::text FROM procrastinate_jobs ORDER BY id")
        return list(session.scalars(statement))


def drained(database: Database) -> bool:
    return all(status == "failed" for status in statuses(database))


def a_delivery(database: Database) -> int:
    values = {"target_id": 1, "guid": "g", "event": "issues", "body": b"{}"}
    with database.session() as session:
        return session.execute(insert(Delivery).values(values).returning(Delivery.id)).scalar_one()


def outcome_of(database: Database, delivery: int) -> tuple[str, str]:
    with database.session() as session:
        row = deliveries.get(session, delivery)
        return row.status, row.outcome


def test_jobs_run_with_their_arguments_in_threads_side_by_side(database: Database) -> None:
    ran: list[int] = []
    both = threading.Barrier(2, timeout=PATIENCE)

    def meet(n: int) -> None:
        both.wait()
        ran.append(n)

    enqueue(database, "meet", n=1)
    enqueue(database, "meet", n=2)
    with working(database, {"meet": meet}):
        eventually(lambda: drained(database))
    assert sorted(ran) == [1, 2]
    assert statuses(database) == []


def test_new_jobs_and_freed_locks_are_announced_not_polled_for(database: Database) -> None:
    ran: list[int] = []
    with working(database, {"note": lambda n: ran.append(n)}, timing=NO_POLL):
        eventually(lambda: listening(database) == len(QUEUES))
        with database.session() as session:
            for n in range(6):
                defer(session, "note", lock="one", n=n)
        eventually(lambda: len(ran) == 6)
    assert ran == list(range(6))


def listening(database: Database) -> int:
    """Connections that hear of new jobs: what is announced before goes unheard, and is polled for."""
    asked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND query ~* '^listen' AND state = 'idle'"
    )
    with database.session() as session:
        return int(session.execute(asked).scalar_one())


def fresh_beats(database: Database) -> list[Any]:
    with database.session() as session:
        return beats.fresh(session, within=timedelta(minutes=1))


def test_jobs_of_one_lock_never_run_side_by_side(database: Database) -> None:
    running: set[int] = set()
    most: list[int] = []

    def one(n: int) -> None:
        running.add(n)
        time.sleep(0.02)
        most.append(len(running))
        running.discard(n)

    for n in range(8):
        enqueue(database, "one", lock="same", n=n)
    with working(database, {"one": one}, concurrency=4), working(database, {"one": one}):
        eventually(lambda: len(most) == 8)
    assert most == [1] * 8


def test_ignore_ends_well_and_the_delivery_says_why(database: Database) -> None:
    def ignore(delivery_id: int) -> None:
        raise Ignore("our own event")

    delivery = a_delivery(database)
    enqueue(database, "ignore", delivery_id=delivery)
    with working(database, {"ignore": ignore}):
        eventually(lambda: drained(database))
    assert statuses(database) == []
    assert outcome_of(database, delivery) == ("ignored", "our own event")


@pytest.mark.parametrize("error", [GiveUp("the App is gone"), UserError("the App is gone")])
def test_give_up_fails_at_once_and_is_recorded(database: Database, error: Exception) -> None:
    calls: list[int] = []

    def give_up(delivery_id: int) -> None:
        calls.append(delivery_id)
        raise error

    delivery = a_delivery(database)
    enqueue(database, "give_up", delivery_id=delivery)
    with working(database, {"give_up": give_up}):
        eventually(lambda: "failed" in statuses(database))
    assert calls == [delivery]
    assert outcome_of(database, delivery) == ("failed", "the App is gone")


def test_retry_later_frees_the_lock_comes_back_and_never_wears_out(database: Database) -> None:
    order: list[str] = []

    def limited(name: str) -> None:
        order.append(name)
        if name == "first" and order.count("first") < attempt_module.MAX_FAILURES + 3:
            raise RetryLater("rate limit", after=0.3 if len(order) == 1 else 0.0)

    for name in ("first", "second"):
        enqueue(database, "limited", lock="same", name=name)
    with working(database, {"limited": limited}):
        eventually(lambda: drained(database))
    assert order[:2] == ["first", "second"]
    assert order.count("first") == attempt_module.MAX_FAILURES + 3
    assert statuses(database) == []


@pytest.mark.parametrize("lock", [None, "same"])
def test_other_errors_are_counted_and_fail_for_good_at_the_fifth(
    database: Database, monkeypatch: pytest.MonkeyPatch, lock: str | None
) -> None:
    monkeypatch.setattr(attempt_module, "backoff", lambda failures: 0.01)
    calls: list[int] = []

    def broken(delivery_id: int) -> None:
        calls.append(delivery_id)
        raise ZeroDivisionError("by zero")

    delivery = a_delivery(database)
    enqueue(database, "broken", lock=lock, delivery_id=delivery)
    with working(database, {"broken": broken}):
        eventually(lambda: statuses(database) == ["failed"])
    assert calls == [delivery] * 5
    assert outcome_of(database, delivery) == ("failed", "ZeroDivisionError 5 times")


def test_pauses_grow_and_end_growing() -> None:
    assert [backoff(n) for n in (1, 2, 3, 4)] == [5, 15, 45, 135]
    assert backoff(99) == 600


def test_an_attempt_whose_outcome_cannot_be_stored_runs_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = threading.Event()

    def away(*args: object, **kwargs: object) -> None:
        tried.set()
        raise Unsettled

    def later() -> None:
        raise RetryLater("limit", after=0)

    monkeypatch.setattr(attempt_module, "_park", away)
    enqueue(database, "later")
    with working(database, {"later": later}):
        tried.wait(PATIENCE)
    assert statuses(database) == ["todo"]


def test_a_worker_that_is_asked_to_stop_finishes_its_job(database: Database) -> None:
    started, done = threading.Event(), threading.Event()

    def slow() -> None:
        started.set()
        time.sleep(0.3)
        done.set()

    enqueue(database, "slow")
    with working(database, {"slow": slow}) as stop:
        started.wait(PATIENCE)
        stop.set()
    assert done.is_set()
    assert statuses(database) == []


def test_a_worker_tells_what_it_serves_and_signs_off(database: Database) -> None:
    with working(database, {}, serving=lambda: Serving("abc", "int8")):
        (beat,) = eventually(lambda: fresh_beats(database))
        assert (beat.bundle, beat.backend) == ("abc", "int8")
    assert fresh_beats(database) == []


def test_a_worker_outlives_a_cut_of_all_its_connections(database: Database) -> None:
    ran = threading.Event()
    with working(database, {"note": ran.set}):
        eventually(lambda: fresh_beats(database))
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        enqueue(database, "note")
        eventually(ran.is_set)


def test_only_the_queues_asked_for_are_worked(database: Database) -> None:
    ran: list[str] = []
    enqueue(database, "note", queue="learning", name="slow")
    enqueue(database, "note", name="live")
    with working(database, {"note": lambda name: ran.append(name)}, queues=["default"]):
        eventually(lambda: statuses(database) == ["todo"])
    assert ran == ["live"]


WORKER = """
import sys, time, threading
from pathlib import Path
from sqlalchemy.engine import make_url
from bot.jobs.worker import Timing, run_worker
from bot.store.engine import Database

def task(folder, seconds):
    Path(folder, "started").touch()
    time.sleep(seconds)
    Path(folder, "done").touch()

run_worker(Database(make_url(sys.argv[1])), {"task": task}, concurrency=1, timing=Timing(poll=.1))
Path(sys.argv[2], "stopped").touch()
"""


@contextmanager
def worker_process(database: Database, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    arguments = [sys.executable, "-W", "error", "-c", WORKER, database.url, str(folder)]
    process = subprocess.Popen(arguments, env={"PATH": os.environ["PATH"]})
    try:
        eventually((folder / "started").exists)
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_job_of_a_killed_worker_is_run_again(database: Database, tmp_path: Path) -> None:
    enqueue(database, "task", lock="issue/1/1", folder=str(tmp_path), seconds=600)
    with worker_process(database, tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert statuses(database) == ["doing"]
    again: list[str] = []
    tasks = {"task": lambda folder, seconds: again.append(folder)}
    with working(database, tasks, timing=replace(FAST, dead_after=2.0)):
        eventually(lambda: statuses(database) == [])
    assert again == [str(tmp_path)]


def test_sigterm_lets_the_running_job_finish(database: Database, tmp_path: Path) -> None:
    enqueue(database, "task", folder=str(tmp_path), seconds=1)
    with worker_process(database, tmp_path) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert (tmp_path / "done").exists()
    assert (tmp_path / "stopped").exists()
    assert statuses(database) == []


def test_a_job_that_kills_its_workers_is_given_up(database: Database) -> None:
    delivery = a_delivery(database)
    enqueue(database, "deadly", delivery_id=delivery)
    for _ in range(MAX_CRASHES):
        die_over_it(database)
        assert sweep(database, dead_after=0.0) == 1
        assert sweep(database, dead_after=0.0) == 0
    die_over_it(database)
    assert sweep(database, dead_after=0.0) == 0
    assert statuses(database) == ["failed"]
    assert outcome_of(database, delivery) == ("failed", "workers died over it")


def die_over_it(database: Database) -> None:
    """What a worker leaves behind that is killed during its job."""
    with database.session() as session:
        session.execute(
            text(
                "SELECT procrastinate_fetch_job_v2(NULL, worker_id)"
                " FROM procrastinate_register_worker_v1()"
            )
        )


def test_the_jobs_of_living_workers_are_left_alone(database: Database) -> None:
    enqueue(database, "x")
    die_over_it(database)
    assert sweep(database, dead_after=3600.0) == 0
    assert statuses(database) == ["doing"]


def test_a_worker_that_cannot_say_what_it_serves_beats_on(database: Database) -> None:
    """Else nobody would sweep up after the dead, and it would be taken for dead itself."""
    asked = 0

    def serving() -> Serving:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise OSError("the bundle is being replaced")
        return Serving("abc", "int8")

    def beating() -> bool:
        with database.session() as session:
            return bool(beats.fresh(session, within=timedelta(minutes=1)))

    with working(database, {}, serving=serving):
        eventually(beating)
