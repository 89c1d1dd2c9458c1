"""What the schedules do when they are due: each asks for what was missed, and one failure hides no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bot.jobs.context import Context
from bot.jobs.learning.learn import learn_repository
from bot.jobs.schedule import (
    SCHEDULES,
    Reach,
    reconcile,
    redeliver,
    refit,
)
from bot.sandbox.server import SandboxServer
from bot.store import installations, repositories
from tests.fixtures.sandbox import Receiver
from tests.integration.jobs_at_hand import REPO, furnish, met, queued

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_every_schedule_has_a_name_and_a_next_time() -> None:
    assert sorted(schedule.name for schedule in SCHEDULES) == [
        "bundles", "harvest", "reconcile", "redeliver", "refit", "suggestions",
    ]  # fmt: skip
    for schedule in SCHEDULES:
        due = schedule.trigger.get_next_fire_time(None, NOON)
        assert due is not None
        assert due - NOON <= timedelta(days=1)


# -- the work -----------------------------------------------------------------------------------------


def test_lost_deliveries_are_asked_for_again(
    reach: Reach, sandbox: SandboxServer, receiver: Receiver
) -> None:
    sandbox.hook_url = receiver.url
    furnish(sandbox)
    sandbox.hooks.wait()
    sandbox.hooks.lose(1)
    sandbox.open_issue(REPO, title="Lost")
    sandbox.hooks.wait()
    before = len(receiver.received)
    assert redeliver(reach) == "1 deliveries asked for again"
    sandbox.hooks.wait()
    assert len(receiver.received) == before + 1
    assert b"Lost" in receiver.received[-1].body
    assert redeliver(reach) == "0 deliveries asked for again"


def test_one_lost_delivery_does_not_hide_another(
    reach: Reach, sandbox: SandboxServer, receiver: Receiver
) -> None:
    """Asking for one of them fails: the others are asked for all the same."""
    sandbox.hook_url = receiver.url
    furnish(sandbox)
    sandbox.hooks.lose(2)
    sandbox.open_issue(REPO, title="First")
    sandbox.open_issue(REPO, title="Second")
    sandbox.hooks.wait()
    sandbox.faults.answer(404, method="POST", path="/attempts$")
    redeliver(reach)
    sandbox.hooks.wait()
    assert len([one for one in receiver.received if b"Second" in one.body]) == 1


def test_missed_installations_are_met(
    reach: Reach, sandbox: SandboxServer, context: Context
) -> None:
    repository_id, installation_id = furnish(sandbox)
    assert reconcile(reach) == "1 repositories met"
    assert queued(context) == [("onboard", {"repository_id": repository_id})]
    with context.database.session() as session:
        found = installations.get(session, installation_id)
        assert found is not None
        assert (found.account, found.write_interval) == ("acme", 1.0)
    assert reconcile(reach) == "0 repositories met"


def test_a_repository_that_came_back_unseen_is_met(
    reach: Reach, sandbox: SandboxServer, context: Context
) -> None:
    repository_id = met(context, sandbox)
    assert reconcile(reach) == "0 repositories met"
    with context.database.session() as session:
        repositories.set_status(session, repository_id, "removed")
    assert reconcile(reach) == "1 repositories met"


def test_suspended_installations_are_passed_over(reach: Reach, sandbox: SandboxServer) -> None:
    _, installation_id = furnish(sandbox)
    sandbox.suspend(installation_id)
    assert reconcile(reach) == "0 repositories met"


def test_one_installation_out_of_reach_does_not_hide_the_others(
    reach: Reach, sandbox: SandboxServer
) -> None:
    furnish(sandbox)
    sandbox.add_repository("other/thing")
    sandbox.install("other", ["other/thing"])
    sandbox.faults.answer(404, path="/access_tokens$")
    assert reconcile(reach) == "1 repositories met"


def test_learned_repositories_are_refitted(
    reach: Reach, sandbox: SandboxServer, context: Context
) -> None:
    repository_id = met(context, sandbox)
    learn_repository(context, repository_id=repository_id, reason="test")
    assert refit(reach) == "1 repositories to refit"
    assert queued(context) == [("learn", {"repository_id": repository_id, "reason": "daily"})]


def test_what_was_given_up_on_is_tried_again(
    reach: Reach, sandbox: SandboxServer, context: Context
) -> None:
    repository_id = met(context, sandbox)
    with context.database.session() as session:
        repositories.set_status(session, repository_id, "learning")
    refit(reach)
    assert queued(context) == [("onboard", {"repository_id": repository_id})]


def test_paused_and_removed_ones_are_left_alone(
    reach: Reach, sandbox: SandboxServer, context: Context
) -> None:
    repository_id = met(context, sandbox)
    for status in ("paused", "removed"):
        with context.database.session() as session:
            repositories.set_status(session, repository_id, status)  # type: ignore[arg-type]
        assert refit(reach) == "0 repositories to refit"
    assert queued(context) == []
