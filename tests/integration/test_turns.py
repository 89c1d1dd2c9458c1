"""Turns in the row of writes: kept when taken, taken anew when passed, waited for outside the thread."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from bot.jobs import applying
from bot.jobs.context import Context
from bot.jobs.turn import GRACE, INLINE_WAIT, NotYet, Turn
from bot.sandbox.server import SandboxServer
from bot.store import installations
from tests.integration.down_the_road import Road, open_road
from tests.integration.jobs_at_hand import queued

APART = 10.0


@pytest.fixture
def road(context: Context, sandbox: SandboxServer) -> Road:
    """With ten seconds between two writes."""
    road = open_road(context, sandbox)
    with context.database.session() as session:
        installations.set_write_interval(session, road.installation_id, APART)
    return road


def new_turn(road: Road, moment: float | None = None, waited: float = 0.0) -> Turn:
    return Turn(road.context, road.installation_id, moment=moment, waited=waited)


def test_the_first_turn_is_now_and_the_next_is_far(road: Road) -> None:
    first = new_turn(road)
    first()
    assert first.waited == 0
    second = new_turn(road)
    with pytest.raises(NotYet):
        second()
    assert second.moment is not None
    assert second.waited == pytest.approx(APART, abs=APART / 2)


def test_a_turn_that_was_taken_is_kept(road: Road) -> None:
    new_turn(road)()
    later = new_turn(road)
    with pytest.raises(NotYet):
        later()
    again = new_turn(road, later.moment, later.waited)
    with pytest.raises(NotYet):
        again()
    assert (again.moment, again.waited) == (later.moment, later.waited)


def test_a_turn_that_passed_is_taken_anew(road: Road) -> None:
    new_turn(road)()
    missed = new_turn(road, time.time() - GRACE - 1)
    with pytest.raises(NotYet):
        missed()


def test_two_writes_of_one_job_take_two_turns(road: Road) -> None:
    turn = new_turn(road)
    turn()
    with pytest.raises(NotYet):
        turn()


def test_who_must_wait_long_goes_back_to_the_queue(context: Context, road: Road) -> None:
    new_turn(road)()
    assert road.label().startswith("waits ")
    assert road.labels == {}
    task, args = queued(context)[-1]
    parked = args["job"]
    assert (task, parked["task"]) == ("wake", "apply")
    assert parked["lock"] == f"issue/{road.repository_id}/{road.number}"
    told = parked["args"]
    assert told["issue_id"] == road.issue_id
    assert told["moment"] - time.time() > INLINE_WAIT
    told["moment"] = time.time()  # it has come
    assert applying.apply_pending(context, **told) == "applied bug"
    assert [effect.waited_s for effect in road.effects("add")] == [told["waited"]]


def test_nothing_to_write_takes_no_turn(context: Context, road: Road) -> None:
    road.label()
    assert road.label() == "nothing to write"
    with context.database.session() as session:
        row = installations.get(session, road.installation_id)
    assert row is not None
    assert row.next_write_at is not None
    assert (row.next_write_at - datetime.now(UTC)).total_seconds() <= APART
