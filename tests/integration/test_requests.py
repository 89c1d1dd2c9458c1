"""Work asked for many times is done once, and each kind of work waits in a queue of its own."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

from bot.jobs.queue import HISTORY, LEARNING
from bot.jobs.requests import REFIT_DEBOUNCE, request_learning, request_refit
from bot.store import touched
from tests.integration.stored import add_repository


def jobs(session: Session) -> list[tuple[str, str, bool]]:
    """(task, queue, whether it waits for its time)."""
    rows = session.execute(
        text(
            "SELECT task_name, queue_name, scheduled_at > now() AS later"
            " FROM procrastinate_jobs ORDER BY id"
        )
    )
    return [(row.task_name, row.queue_name, bool(row.later)) for row in rows]


def test_a_thousand_corrections_ask_for_one_refit_of_all_their_labels(session: Session) -> None:
    repository_id = add_repository(session)
    for n in range(1000):
        request_refit(session, repository_id, labels=[f"label{n % 7}"], reason="corrected")
    assert jobs(session) == [("refit", LEARNING, REFIT_DEBOUNCE > 0)]
    found = touched.waiting(session, repository_id)
    assert set(found.labels) == {f"label{n}" for n in range(7)}
    assert found.reasons == ("corrected",)


def test_what_was_taken_up_is_gone_and_what_came_later_stays(session: Session) -> None:
    repository_id = add_repository(session)
    request_refit(session, repository_id, labels=["bug", "docs"], reason="corrected")
    found = touched.waiting(session, repository_id)
    request_refit(session, repository_id, labels=["bug"], reason="again")
    touched.take(session, found)
    assert touched.waiting(session, repository_id).labels == ("bug",)


def test_a_whole_fit_does_not_stand_in_the_queue_of_the_refits(session: Session) -> None:
    repository_id = add_repository(session)
    request_learning(session, repository_id, reason="daily")
    request_refit(session, repository_id, labels=["bug"], reason="corrected")
    assert [(task, queue) for task, queue, _ in jobs(session)] == [
        ("learn", HISTORY),
        ("refit", LEARNING),
    ]
