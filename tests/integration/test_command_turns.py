"""Commands wait for their turns like all writes, keep those they took, and go on where they stopped."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from bot.errors import Ignore, RetryLater
from bot.github.events import parse_event
from bot.github.occurrences import CommentCreated
from bot.jobs.context import Context
from bot.jobs.talk.commands import obey
from bot.jobs.turn import Turn
from bot.sandbox.server import SandboxServer
from bot.store import installations
from tests.fixtures.sandbox import Receiver
from tests.integration.down_the_road import Road, open_road
from tests.integration.jobs_at_hand import REPO

APART = 60.0


@pytest.fixture
def road(context: Context, sandbox: SandboxServer) -> Road:
    """Ann may triage; a minute lies between two writes, and somebody wrote just now."""
    road = open_road(context, sandbox)
    sandbox.set_role(REPO, "ann", "triage")
    with context.database.session() as session:
        installations.set_write_interval(session, road.installation_id, APART)
    Turn(context, road.installation_id)()
    return road


def commented(sandbox: SandboxServer, receiver: Receiver, road: Road, body: str) -> CommentCreated:
    sandbox.hook_url = receiver.url
    sandbox.comment(REPO, road.number, body, actor="ann")
    assert sandbox.hooks.wait()
    event = parse_event("issue_comment", receiver.received[-1].body)
    assert isinstance(event, CommentCreated)
    return event


def come(context: Context) -> None:
    """The turn that was taken has come, and the next one is free at once."""
    with context.database.session() as session:
        session.execute(text("UPDATE asked SET turn_at = now() WHERE turn_at IS NOT NULL"))


def test_each_write_has_its_turn(
    context: Context, sandbox: SandboxServer, receiver: Receiver, road: Road
) -> None:
    event = commented(sandbox, receiver, road, "/label feature\n/label nope")
    with pytest.raises(RetryLater) as first:
        obey(context, event, delivery_id=1)
    assert APART / 2 < first.value.after <= APART
    assert "feature" not in road.labels
    come(context)
    with pytest.raises(RetryLater):  # the label is set, the answer waits
        obey(context, event, delivery_id=1)
    assert "feature" in road.labels
    assert len(sandbox.comments(REPO, road.number)) == 1
    come(context)
    with pytest.raises(RetryLater):  # the answer is there, the reaction waits
        obey(context, event, delivery_id=1)
    assert len(sandbox.comments(REPO, road.number)) == 2
    come(context)
    assert obey(context, event, delivery_id=1) == "2 commands by ann"
    assert sandbox.reactions(REPO, event.comment_id) == [("labelwright[bot]", "+1")]
    with pytest.raises(Ignore):
        obey(context, event, delivery_id=1)


def test_a_turn_that_was_taken_is_not_given_away(
    context: Context, sandbox: SandboxServer, receiver: Receiver, road: Road
) -> None:
    event = commented(sandbox, receiver, road, "/label feature")

    def taken() -> object:
        with context.database.session() as session:
            return session.execute(text("SELECT turn_at FROM asked")).scalar_one()

    with pytest.raises(RetryLater):
        obey(context, event, delivery_id=1)
    first = taken()
    with pytest.raises(RetryLater):
        obey(context, event, delivery_id=1)
    assert taken() == first


def test_more_room_is_left_after_a_comment(context: Context, road: Road) -> None:
    with context.database.session() as session:
        installations.set_write_interval(session, road.installation_id, APART)
    Turn(context, road.installation_id).notifying()
    with context.database.session() as session:
        wait = installations.reserve_write(session, road.installation_id)
    assert wait > 2 * APART
