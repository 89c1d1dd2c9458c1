"""What was planned ends with its job, however that ends, and says why; a later event may try again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text, update

from bot.errors import Ignore
from bot.jobs import applying
from bot.jobs.applying import apply_pending
from bot.jobs.attempt import MAX_FAILURES, attempt
from bot.jobs.context import Context
from bot.jobs.engine import MAX_CRASHES, sweep
from bot.jobs.queue import FAILURES, LIVE, TASK_APPLY, TASK_DELIVERY, Job, defer
from bot.jobs.tasks import apply
from bot.jobs.turn import Turn
from bot.sandbox.server import SandboxServer
from bot.store import installations, repositories
from bot.store.tables import Repository
from tests.integration.down_the_road import Road, open_road
from tests.integration.jobs_at_hand import REPO


@pytest.fixture
def road(context: Context, sandbox: SandboxServer) -> Road:
    return open_road(context, sandbox)


def last(context: Context, task: str, function: Callable[..., Any], **args: Any) -> None:
    """The last attempt at a job that failed before."""
    job = Job(task, {**args, FAILURES: MAX_FAILURES - 1}, lock=None, queueing_lock=None, queue=LIVE)
    attempt(context.database, function, job, job_id=1)


def waits(road: Road) -> None:
    """Its labels are decided, and wait for their turn."""
    with road.context.database.session() as session:
        installations.set_write_interval(session, road.installation_id, 60.0)
    Turn(road.context, road.installation_id)()
    assert road.label().startswith("waits")
    with road.context.database.session() as session:
        installations.set_write_interval(session, road.installation_id, 0.0)


def ends(road: Road) -> list[tuple[str, str]]:
    return [(effect.status, effect.detail) for effect in road.effects("add")]


def stumble(*_: object, **__: object) -> None:
    raise ValueError("no such thing")


def test_a_delivery_that_fails_for_good_leaves_nothing_pending(
    context: Context, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "apply_labels", stumble)

    def function(*, delivery_id: int) -> None:
        road.label(delivery=delivery_id)

    with pytest.raises(ValueError, match="no such thing"):
        last(context, TASK_DELIVERY, function, delivery_id=road.delivery(1))
    assert ends(road) == [("failed", "ValueError 5 times")]


def test_a_write_that_fails_for_good_is_over_and_a_later_event_may_try_again(
    context: Context, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits(road)
    with monkeypatch.context() as patch:
        patch.setattr(applying, "apply_labels", stumble)
        with pytest.raises(ValueError, match="no such thing"):
            last(context, TASK_APPLY, partial(apply, context), issue_id=road.issue_id)
    assert ends(road) == [("failed", "ValueError 5 times")]
    assert road.labels == {}
    assert road.label(delivery=2, as_filed=False) == "applied bug"


def test_a_pause_ends_what_waits(context: Context, road: Road) -> None:
    waits(road)
    with context.database.session() as session:
        repositories.set_status(session, road.repository_id, "paused")
    job = Job(TASK_APPLY, {"issue_id": road.issue_id}, lock=None, queueing_lock=None, queue=LIVE)
    attempt(context.database, partial(apply, context), job, job_id=1)
    ((status, why),) = ends(road)
    assert status == "skipped"
    assert "not served" in why
    assert road.labels == {}


def test_over_what_workers_died_is_over(context: Context, road: Road) -> None:
    waits(road)
    with context.database.session() as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
        defer(session, TASK_APPLY, issue_id=road.issue_id)
        session.execute(
            text("UPDATE procrastinate_jobs SET status = 'doing', attempts = :n"),
            {"n": MAX_CRASHES},
        )
    assert sweep(context.database, dead_after=1.0) == 0
    assert ends(road) == [("failed", "workers died over it")]


def test_a_dry_run_that_begins_while_a_write_waits_writes_nothing(
    context: Context, sandbox: SandboxServer, road: Road
) -> None:
    """Not even what would undo an earlier write of ours: the label is one that GitHub made anew for us."""
    waits(road)
    sandbox.delete_label(REPO, "bug")
    context.client(road.installation_id).add_labels(REPO, road.number, ["bug"])
    with context.database.session() as session:
        session.execute(update(Repository).values(rules_text="mode: dry-run\n"))
    before = len(sandbox.requests)
    apply_pending(context, issue_id=road.issue_id)
    assert [one.path for one in sandbox.requests[before:] if one.method != "GET"] == []
    assert ends(road) == [("skipped", "the rules say dry-run now")]


def test_ignored_by_its_author_leaves_what_others_planned(context: Context, road: Road) -> None:
    """Another delivery about the same issue comes to nothing; the labels that wait are not its own."""
    waits(road)

    def function(*, delivery_id: int) -> None:
        raise Ignore("not for us")

    job = Job(
        TASK_DELIVERY, {"delivery_id": road.delivery(2)}, lock=None, queueing_lock=None, queue=LIVE
    )
    attempt(context.database, function, job, job_id=1)
    assert ends(road) == [("pending", "")]
