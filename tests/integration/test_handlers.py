"""What deliveries about installations, repositories, labels and rules mean for the store and the queue."""

from __future__ import annotations

import json

import pytest

from bot.core.types import LabelSpec
from bot.errors import GiveUp
from bot.jobs.context import Context
from bot.sandbox.server import SandboxServer
from bot.store import installations, labels, repositories
from bot.store.repositories import Status
from tests.fixtures.sandbox import Receiver
from tests.integration.jobs_at_hand import (
    REPO,
    Tell,
    count,
    furnish,
    handled,
    queued,
    row,
)


def names(context: Context, repository_id: int) -> list[str]:
    with context.database.session() as session:
        return [label.name for label in labels.active(session, repository_id)]


# -- installations and repositories -------------------------------------------------------------------


def test_an_installation_has_its_repositories_read(
    context: Context, sandbox: SandboxServer, tell: Tell
) -> None:
    repository_id, installation_id = furnish(sandbox)
    assert tell() == ["1 repositories to learn"]
    found = row(context, repository_id)
    assert (found.full_name, found.status, found.private) == (REPO, "new", False)
    assert queued(context) == [("onboard", {"repository_id": repository_id})]
    with context.database.session() as session:
        installation = installations.get(session, installation_id)
    assert installation is not None
    assert installation.account == "acme"


def test_the_same_installation_twice_is_read_once(
    context: Context, sandbox: SandboxServer, receiver: Receiver, tell: Tell
) -> None:
    furnish(sandbox)
    tell()
    handled(context, "installation", receiver.received[-1].body)
    assert len(queued(context)) == 1


def test_repositories_are_added_and_taken_away(
    context: Context, sandbox: SandboxServer, tell: Tell
) -> None:
    first, installation_id = furnish(sandbox)
    second = sandbox.add_repository("acme/second", private=True)
    tell()
    sandbox.change_repositories(installation_id, add=["acme/second"], remove=[REPO])
    assert tell() == ["1 repositories to learn", "1 repositories removed"]
    assert row(context, first).status == "removed"
    assert (row(context, second).status, row(context, second).private) == ("new", True)


def test_suspension_and_its_end(context: Context, sandbox: SandboxServer, tell: Tell) -> None:
    _, installation_id = furnish(sandbox)
    tell()
    sandbox.suspend(installation_id)
    sandbox.suspend(installation_id, on=False)
    assert tell() == ["suspended", "unsuspended"]


def test_uninstalling_removes_and_does_not_forget(
    context: Context, sandbox: SandboxServer, tell: Tell
) -> None:
    repository_id, installation_id = furnish(sandbox)
    tell()
    sandbox.uninstall(installation_id)
    assert tell() == ["acme uninstalled the App"]
    assert row(context, repository_id).status == "removed"
    with context.database.session() as session:
        found = installations.get(session, installation_id)
        assert found is not None
        assert found.removed_at is not None


def test_an_installation_told_after_its_end_stays_ended(
    context: Context, sandbox: SandboxServer, receiver: Receiver, tell: Tell
) -> None:
    _, installation_id = furnish(sandbox)
    sandbox.uninstall(installation_id)
    assert sandbox.hooks.wait()
    created, deleted = receiver.received
    assert handled(context, "installation", deleted.body) == "acme uninstalled the App"
    assert handled(context, "installation", created.body).startswith("ignored")
    assert count(context, "repositories") == 0
    assert queued(context) == []


def test_a_rename_is_kept(
    context: Context, sandbox: SandboxServer, tell: Tell, repository_id: int
) -> None:
    sandbox.rename_repository(REPO, "gadget")
    assert tell() == [f"renamed from {REPO}"]
    assert row(context, repository_id).full_name == "acme/gadget"


@pytest.mark.parametrize("status", ["ready", "paused"])
def test_what_became_private_is_known_to_be_so(
    context: Context, repository_id: int, status: Status
) -> None:
    """Texts of private repositories are in no training, so a pause must not keep us from hearing it."""
    with context.database.session() as session:
        repositories.set_status(session, repository_id, status)
    told = {
        "action": "privatized",
        "repository": {"id": repository_id, "full_name": REPO, "private": True},
        "sender": {"login": "ann", "type": "User"},
    }
    assert handled(context, "repository", json.dumps(told).encode()) == "private"
    assert row(context, repository_id).private


# -- labels of the repository -------------------------------------------------------------------------


@pytest.fixture
def known_labels(context: Context, sandbox: SandboxServer, repository_id: int) -> None:
    with context.database.session() as session:
        client = context.client(row(context, repository_id).installation_id)
        labels.sync(session, repository_id, client.labels(REPO))


@pytest.mark.usefixtures("known_labels")
def test_labels_come_change_and_go(
    context: Context, sandbox: SandboxServer, tell: Tell, repository_id: int
) -> None:
    sandbox.create_label(REPO, "docs", description="Words")
    sandbox.edit_label(REPO, "bug", new_name="defect")
    sandbox.delete_label(REPO, "feature")
    assert tell() == ["label docs created", "label defect edited", "label feature deleted"]
    assert names(context, repository_id) == ["defect", "docs"]
    assert [task for task, _ in queued(context)] == ["learn"]


@pytest.mark.usefixtures("known_labels")
def test_a_label_that_our_own_write_brought_back_is_not_adopted(
    context: Context, sandbox: SandboxServer, tell: Tell, repository_id: int
) -> None:
    number = sandbox.open_issue(REPO, title="Crash")
    client = context.client(row(context, repository_id).installation_id)
    client.add_labels(REPO, number, ["made-by-us"])
    assert any("came back by a write of ours" in outcome for outcome in tell())
    assert names(context, repository_id) == ["bug", "feature"]


# -- the rest -----------------------------------------------------------------------------------------


def test_pushes_elsewhere_are_ignored(
    context: Context, sandbox: SandboxServer, tell: Tell, repository_id: int
) -> None:
    sandbox.put_file(REPO, "src/main.py", "print()")
    assert tell() == ["ignored: the push does not touch the rules"]
    assert queued(context) == []


def test_a_push_to_the_rules_reads_and_learns(
    context: Context, sandbox: SandboxServer, tell: Tell, repository_id: int
) -> None:
    sandbox.put_file(REPO, ".github/labelwright.yml", "mode: suggest\n")
    assert tell() == ["rules read again"]
    assert row(context, repository_id).rules_text == "mode: suggest\n"
    assert [task for task, _ in queued(context)] == ["learn"]


def test_comments_pings_and_the_unknown_are_ignored(
    context: Context, sandbox: SandboxServer, tell: Tell, repository_id: int
) -> None:
    number = sandbox.open_issue(REPO, title="Crash")
    sandbox.comment(REPO, number, "Me too")
    sandbox.ping()
    assert sandbox.hooks.wait()
    for one in sandbox.deliveries:
        if one.emission.event in ("issue_comment", "ping"):
            assert handled(context, one.emission.event, one.body).startswith("ignored")
    assert handled(context, "deployment", b'{"action": "created"}').startswith("ignored")


def test_a_delivery_without_what_we_need_is_given_up_by_name(context: Context) -> None:
    with pytest.raises(GiveUp, match=r"issue\.number|repository\.id|repository"):
        handled(context, "issues", b'{"action": "opened"}')


def test_labels_of_pull_requests_touch_nothing(
    context: Context, sandbox: SandboxServer, tell: Tell, repository_id: int
) -> None:
    sandbox.open_issue(REPO, title="A change", is_pull_request=True)
    assert {outcome.partition(":")[0] for outcome in tell()} <= {"ignored"}
    assert count(context, "issues") == 0


def test_more_labels_than_one_are_one_refit(
    context: Context, sandbox: SandboxServer, tell: Tell, repository_id: int
) -> None:
    for spec in (LabelSpec("a"), LabelSpec("b"), LabelSpec("c")):
        sandbox.create_label(REPO, spec.name)
    assert len(tell()) == 3
    assert [task for task, _ in queued(context)] == ["learn"]
