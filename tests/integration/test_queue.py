"""Jobs enter the queue with the transaction that wants them, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from bot.jobs import queue
from bot.jobs.queue import Job, defer, park, wake
from bot.store import installations
from bot.store.engine import Database

COLUMNS = "task_name, args, lock, queueing_lock, queue_name, priority"


def jobs(session: Session) -> list[tuple[object, ...]]:
    statement = text(f"SELECT {COLUMNS} FROM procrastinate_jobs ORDER BY id")
    return [tuple(row) for row in session.execute(statement)]


def test_a_job_keeps_all_it_was_given(session: Session) -> None:
    assert defer(session, "x", lock="l", queue="learning", priority=3, a=1, b=["é"])
    assert jobs(session) == [("x", {"a": 1, "b": ["é"]}, "l", None, "learning", 3)]


def test_a_job_comes_and_goes_with_the_transaction(database: Database) -> None:
    def defer_and_fail(session: Session) -> None:
        installations.upsert(session, id=1, account="acme")
        defer(session, "x")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), database.session() as session:
        defer_and_fail(session)
    with database.session() as session:
        assert jobs(session) == []
        defer(session, "x")
        with psycopg.connect(database.url) as other:
            assert other.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (0,)
    with database.session() as session:
        assert len(jobs(session)) == 1


def test_jobs_of_one_queueing_lock_are_one_and_the_transaction_lives_on(session: Session) -> None:
    installations.upsert(session, id=1, account="acme")
    assert defer(session, "x", queueing_lock="q", n=1)
    assert not defer(session, "x", queueing_lock="q", n=2)
    assert defer(session, "x", queueing_lock="other", n=3)
    assert [args for _, args, *_ in jobs(session)] == [{"n": 1}, {"n": 3}]
    assert installations.get(session, 1) is not None


def test_a_job_may_be_put_off(session: Session) -> None:
    defer(session, "x", schedule_in=60)
    (due,) = session.execute(text("SELECT scheduled_at FROM procrastinate_jobs")).scalars()
    assert 30 < (due - datetime.now(UTC)).total_seconds() < 61


def test_a_parked_job_holds_no_lock_and_wakes_with_it(session: Session) -> None:
    job = Job("x", {"a": 1}, "issue/1/2", None, "default")
    park(session, job, after=60, key="again/7")
    park(session, job, after=60, key="again/7")
    ((task, args, lock, queueing_lock, *_),) = jobs(session)
    assert (task, lock, queueing_lock) == (queue.TASK_WAKE, None, "again/7")
    session.execute(text("DELETE FROM procrastinate_jobs"))
    wake(session, **args)
    wake(session, **args)
    assert jobs(session) == [("x", {"a": 1}, "issue/1/2", "again/7", "default", 0)]


def test_a_parked_job_without_a_lock_waits_as_itself(session: Session) -> None:
    park(session, Job("x", {"a": 1}, None, "mine", "learning"), after=60, key="again/7")
    assert jobs(session) == [("x", {"a": 1}, None, "mine", "learning", 0)]


def test_locks_name_ids() -> None:
    assert queue.issue_lock(7, 12) == "issue/7/12"
    assert queue.installation_lock(7) == "installation/7"
