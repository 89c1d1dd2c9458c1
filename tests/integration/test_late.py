"""What is told late, twice or out of order: what happened since goes over it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from bot.errors import Ignore
from bot.github.events import parse_event
from bot.github.occurrences import CommentCreated
from bot.jobs.context import Context
from bot.jobs.handlers import NOT_YET
from bot.jobs.talk.commands import obey
from bot.sandbox.server import SandboxServer
from bot.store import issues, label_events, labels
from tests.fixtures.sandbox import Receiver
from tests.integration.down_the_road import Road, open_road
from tests.integration.jobs_at_hand import REPO, Tell, handled, row

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def repository_id(context: Context, sandbox: SandboxServer, repository_id: int) -> int:
    """With its labels known."""
    with context.database.session() as session:
        client = context.client(row(context, repository_id).installation_id)
        labels.sync(session, repository_id, client.labels(REPO))
    return repository_id


def names(context: Context, repository_id: int) -> list[str]:
    with context.database.session() as session:
        return [label.name for label in labels.active(session, repository_id)]


# -- labels of the repository ---------------------------------------------------------------------------


def label_bodies(sandbox: SandboxServer) -> list[bytes]:
    assert sandbox.hooks.wait()
    return [one.body for one in sandbox.deliveries if one.emission.event == "label"]


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 0, 0)])
def test_of_two_renames_the_newer_stands(
    context: Context, sandbox: SandboxServer, repository_id: int, order: tuple[int, ...]
) -> None:
    before = len(label_bodies(sandbox))
    sandbox.edit_label(REPO, "bug", new_name="defect")
    sandbox.edit_label(REPO, "defect", new_name="flaw")
    renames = label_bodies(sandbox)[before:]
    for place in order:
        handled(context, "label", renames[place])
    assert names(context, repository_id) == ["feature", "flaw"]
    with context.database.session() as session:
        former = labels.former_names(session, repository_id)
    assert former == {"bug": "flaw", "defect": "flaw"}


def test_a_deleted_label_is_not_brought_back_by_what_was_told_before(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    before = len(label_bodies(sandbox))
    sandbox.edit_label(REPO, "bug", new_name="defect")
    sandbox.create_label(REPO, "short")
    sandbox.delete_label(REPO, "defect")
    sandbox.delete_label(REPO, "short")
    renamed, created, *deleted = label_bodies(sandbox)[before:]
    for body in (*deleted, renamed, created):
        handled(context, "label", body)
    assert names(context, repository_id) == ["feature"]


def test_a_label_renamed_before_we_heard_of_it_keeps_what_was_done_under_its_first_name(
    context: Context, sandbox: SandboxServer, tell: Tell, repository_id: int
) -> None:
    """All of it waited: GitHub knows the label by its last name only."""
    sandbox.create_label(REPO, "first")
    number = sandbox.open_issue(REPO, title="Crash")
    sandbox.label(REPO, number, "first", "ben")
    sandbox.edit_label(REPO, "first", new_name="last")
    tell()
    assert names(context, repository_id) == ["bug", "feature", "last"]
    assert "last" in labels_told(context, repository_id, number)


def test_what_was_done_under_a_name_that_a_label_had_for_a_while_is_not_lost(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    """The first rename is told last."""
    before = len(label_bodies(sandbox))
    sandbox.edit_label(REPO, "bug", new_name="defect")
    number = sandbox.open_issue(REPO, title="Crash")
    sandbox.label(REPO, number, "defect", "ben")
    sandbox.edit_label(REPO, "defect", new_name="flaw")
    first, second = label_bodies(sandbox)[before:]
    (labeled,) = [one.body for one in sandbox.deliveries if one.emission.action == "labeled"]
    handled(context, "issues", labeled)
    handled(context, "label", second)
    handled(context, "label", first)
    assert labels_told(context, repository_id, number) == ["flaw"]


def test_what_was_done_to_a_label_that_took_a_name_since_stays_its_own(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    before = len(label_bodies(sandbox))
    sandbox.edit_label(REPO, "bug", new_name="defect")
    sandbox.edit_label(REPO, "defect", new_name="flaw")
    sandbox.create_label(REPO, "defect")
    number = sandbox.open_issue(REPO, title="Crash")
    sandbox.label(REPO, number, "defect", "ben")
    first, *_ = label_bodies(sandbox)[before:]
    (labeled,) = [one.body for one in sandbox.deliveries if one.emission.action == "labeled"]
    handled(context, "issues", labeled)
    handled(context, "label", first)
    assert labels_told(context, repository_id, number) == ["defect"]


@pytest.mark.parametrize("change", ["created", "renamed"])
def test_a_label_that_github_does_not_show_yet_is_looked_at_again(
    context: Context, sandbox: SandboxServer, repository_id: int, change: str
) -> None:
    """What answers us may lag behind what sent the delivery."""
    before = len(label_bodies(sandbox))
    if change == "created":
        sandbox.create_label(REPO, "flaw")
    else:
        sandbox.edit_label(REPO, "bug", new_name="flaw")
    (body,) = label_bodies(sandbox)[before:]
    sandbox.faults.answer(404, path="/labels/flaw$", message="Not Found")
    assert handled(context, "label", body, age=0.0).startswith("later: ")
    assert "flaw" not in names(context, repository_id)
    handled(context, "label", body, age=NOT_YET)
    assert "flaw" in names(context, repository_id)


def labels_told(context: Context, repository_id: int, number: int) -> list[str]:
    with context.database.session() as session:
        issue_id = issues.ids_by_number(session, repository_id)[number]
        return [event.label for event in label_events.of_issue(session, issue_id)]


# -- issues ---------------------------------------------------------------------------------------------


def tick(sandbox: SandboxServer) -> None:
    """Whatever happens from now on happens in a second of its own."""
    moments = count()
    sandbox.state.clock = lambda: NOON + timedelta(seconds=next(moments))


def stored(context: Context, repository_id: int, number: int) -> issues.StoredIssue:
    with context.database.session() as session:
        found = issues.by_number(session, repository_id, number)
        assert found is not None
        return found


def test_how_an_issue_stands_is_what_was_told_last_by_github_not_by_us(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    """Its opening waits while the repository is learned, and is handled after all else."""
    tick(sandbox)
    sandbox.create_label(REPO, "spam")
    number = sandbox.open_issue(REPO, title="Buy now")
    sandbox.label(REPO, number, "spam")
    sandbox.close_issue(REPO, number, reason="not_planned")
    assert sandbox.hooks.wait()
    told = {
        one.emission.action: one.body
        for one in sandbox.deliveries
        if one.emission.event == "issues"
    }
    for action in ("closed", "labeled", "opened"):
        handled(context, "issues", told[action])
    found = stored(context, repository_id, number)
    assert (found.state, found.labels) == ("spam", {"spam"})
    assert found.closed_at is not None
    assert (found.title, found.as_filed) == ("Buy now", True)


def test_an_opening_undoes_nothing_of_its_own_second(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    """GitHub's times are cut to the second, and a bot may be that fast."""
    sandbox.state.clock = lambda: NOON
    number = sandbox.open_issue(REPO, title="Crash")
    sandbox.label(REPO, number, "bug", "sorter[bot]")
    assert sandbox.hooks.wait()
    told = {one.emission.action: one.body for one in sandbox.deliveries}
    for action in ("labeled", "opened"):
        handled(context, "issues", told[action])
    found = stored(context, repository_id, number)
    assert (found.labels, found.as_filed) == ({"bug"}, True)


def test_of_two_edits_the_newer_text_stands(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    tick(sandbox)
    number = sandbox.open_issue(REPO, title="First")
    sandbox.edit_issue(REPO, number, title="Second")
    sandbox.edit_issue(REPO, number, title="Third")
    assert sandbox.hooks.wait()
    edits = [one.body for one in sandbox.deliveries if one.emission.action == "edited"]
    for body in reversed(edits):
        handled(context, "issues", body)
    assert stored(context, repository_id, number).title == "Third"


# -- what people asked for ------------------------------------------------------------------------------


@pytest.fixture
def road(context: Context, sandbox: SandboxServer) -> Road:
    road = open_road(context, sandbox)
    sandbox.set_role(REPO, "ann", "triage")
    return road


def said(
    sandbox: SandboxServer, receiver: Receiver, road: Road, body: str, *, actor: str = "ann"
) -> CommentCreated:
    """An hour ago."""
    sandbox.hook_url = receiver.url
    clock = sandbox.state.clock
    sandbox.state.clock = lambda: datetime.now(UTC) - timedelta(hours=1)
    sandbox.comment(REPO, road.number, body, actor=actor)
    sandbox.state.clock = clock
    assert sandbox.hooks.wait()
    event = parse_event("issue_comment", receiver.received[-1].body)
    assert isinstance(event, CommentCreated)
    return event


def test_a_command_that_waited_brings_nothing_back_that_was_taken_off_since(
    context: Context, sandbox: SandboxServer, receiver: Receiver, road: Road
) -> None:
    event = said(sandbox, receiver, road, "/label feature, bug")
    sandbox.label(REPO, road.number, "feature", "ben")
    sandbox.unlabel(REPO, road.number, "feature", "ben")
    obey(context, event, delivery_id=road.delivery(1))
    assert set(road.labels) == {"bug"}
    with context.database.session() as session:
        word = label_events.of_issue(session, road.issue_id)
    assert not [one for one in word if one.label == "feature" and one.added and one.actor == "ann"]
    (answer,) = sandbox.comments(REPO, road.number, author="labelwright[bot]")
    assert "`feature`" in answer
    assert "took it off since" in answer


def test_a_command_that_waited_takes_nothing_off_that_was_set_since(
    context: Context, sandbox: SandboxServer, receiver: Receiver, road: Road
) -> None:
    event = said(sandbox, receiver, road, "/unlabel feature")
    sandbox.label(REPO, road.number, "feature", "ben")
    obey(context, event, delivery_id=road.delivery(1))
    assert set(road.labels) == {"feature"}
    with context.database.session() as session:
        assert label_events.removed_by_human(session, road.issue_id) == set()


def test_a_command_that_was_overtaken_brings_nothing_back(
    context: Context, sandbox: SandboxServer, receiver: Receiver, road: Road
) -> None:
    """A limit of GitHub's parked it, and a later one was carried out meanwhile."""
    sandbox.set_role(REPO, "ben", "triage")
    early = said(sandbox, receiver, road, "/label feature, bug")
    late = said(sandbox, receiver, road, "/unlabel feature", actor="ben")
    obey(context, late, delivery_id=road.delivery(1))
    obey(context, early, delivery_id=road.delivery(2))
    assert set(road.labels) == {"bug"}


# -- refusals -------------------------------------------------------------------------------------------


def test_a_refusal_that_could_not_be_spoken_is_not_taken_for_told(
    context: Context, sandbox: SandboxServer, receiver: Receiver, road: Road
) -> None:
    sandbox.set_role(REPO, "ann", "read")
    told = said(sandbox, receiver, road, "/label feature")
    locked = replace(told, issue=replace(told.issue, locked=True))
    assert "may not command" in obey(context, locked, delivery_id=road.delivery(1))
    assert sandbox.comments(REPO, road.number, author="labelwright[bot]") == []

    obey(context, said(sandbox, receiver, road, "/label bug"), delivery_id=road.delivery(2))
    assert len(sandbox.comments(REPO, road.number, author="labelwright[bot]")) == 1
    with pytest.raises(Ignore):  # what was dealt with silently stays so
        obey(context, told, delivery_id=road.delivery(3))


def test_a_refusal_that_github_refused_is_spoken_the_next_time(
    context: Context, sandbox: SandboxServer, receiver: Receiver, road: Road
) -> None:
    sandbox.set_role(REPO, "ann", "read")
    told = said(sandbox, receiver, road, "/label feature")
    sandbox.faults.answer(403, method="POST", path="/comments$", message="Blocked")
    with pytest.raises(Exception, match="comment"):
        obey(context, told, delivery_id=road.delivery(1))
    obey(context, said(sandbox, receiver, road, "/label bug"), delivery_id=road.delivery(2))
    assert len(sandbox.comments(REPO, road.number, author="labelwright[bot]")) == 1
