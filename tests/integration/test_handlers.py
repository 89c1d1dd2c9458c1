"""What each delivery means for the store and the queue; issues that are to be labelled are told elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from bot.core.types import LabelSpec
from bot.errors import GiveUp, Ignore, RetryLater
from bot.github.events import parse_event
from bot.jobs.context import Context
from bot.jobs.handlers import handle
from bot.sandbox.server import SandboxServer
from bot.store import installations, issues, label_events, labels, repositories
from bot.store.tables import Repository
from tests.fixtures.sandbox import Receiver
from tests.integration.jobs_at_hand import REPO, count, furnish, met, queued

Tell = Callable[[], list[str]]


@pytest.fixture
def tell(context: Context, sandbox: SandboxServer, receiver: Receiver) -> Tell:
    """Handle what the sandbox has sent since the last call; outcomes, or why there is none."""
    sandbox.hook_url = receiver.url
    told = 0

    def tell() -> list[str]:
        nonlocal told
        assert sandbox.hooks.wait()
        new, told = receiver.received[told:], len(receiver.received)
        return [handled(context, one.headers["x-github-event"], one.body) for one in new]

    return tell


def handled(context: Context, event: str, body: bytes) -> str:
    occurred = parse_event(event, body, us=context.auth.identity())
    try:
        return handle(context, occurred, delivery_id=0)
    except Ignore as reason:
        return f"ignored: {reason}"
    except RetryLater as reason:
        return f"later: {reason}"


@pytest.fixture
def repository_id(context: Context, sandbox: SandboxServer, tell: Tell) -> int:
    """A repository that we know, nothing of it told yet."""
    repository_id = met(context, sandbox)
    tell()
    with context.database.session() as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
    return repository_id


def row(context: Context, repository_id: int) -> Repository:
    with context.database.session() as session:
        found = repositories.get(session, repository_id)
        assert found is not None
        return found


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


# -- issues -------------------------------------------------------------------------------------------


def stored(context: Context, repository_id: int, number: int) -> issues.StoredIssue:
    with context.database.session() as session:
        found = issues.by_number(session, repository_id, number)
        assert found is not None
        return found


def opened(sandbox: SandboxServer, tell: Tell) -> int:
    number = sandbox.open_issue(REPO, title="As filed", body="First words", author="ann")
    assert sandbox.hooks.wait()
    return number


def test_label_events_are_kept_with_who_did_it(
    context: Context, sandbox: SandboxServer, tell: Tell, repository_id: int
) -> None:
    number = sandbox.open_issue(REPO, title="Crash", author="ann", labels=["feature"])
    sandbox.label(REPO, number, "bug", "ben")
    sandbox.unlabel(REPO, number, "feature", "sorter[bot]")
    assert sandbox.hooks.wait()
    for one in [d for d in sandbox.deliveries if d.emission.action in ("labeled", "unlabeled")]:
        handled(context, "issues", one.body)
    with context.database.session() as session:
        told = label_events.of_issue(session, stored(context, repository_id, number).id)
    assert [(e.label, e.added, e.actor, e.actor_kind) for e in told] == [
        ("feature", True, "ann", "form"),
        ("bug", True, "ben", "human"),
        ("feature", False, "sorter[bot]", "bot"),
    ]
    assert stored(context, repository_id, number).labels == {"bug"}


def test_the_text_as_filed_outlives_edits(
    context: Context, sandbox: SandboxServer, tell: Tell, repository_id: int
) -> None:
    number = opened(sandbox, tell)
    assert tell() == [f"later: {REPO} is still being learned"]
    sandbox.edit_issue(REPO, number, title="Edited", body="Other words")
    sandbox.close_issue(REPO, number)
    for one in sandbox.deliveries if sandbox.hooks.wait() else ():
        if one.emission.action in ("edited", "closed"):
            assert handled(context, "issues", one.body) == "remembered"
    found = stored(context, repository_id, number)
    assert (found.title, found.body, found.as_filed) == ("As filed", "First words", True)
    assert found.state == "closed"


def test_an_edit_before_the_opening_does_not_become_the_text(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    """Out of order: the edit is told first. The opening still says what was filed."""
    number = sandbox.open_issue(REPO, title="As filed", body="First words")
    sandbox.edit_issue(REPO, number, title="Edited")
    assert sandbox.hooks.wait()
    by_action = {one.emission.action: one.body for one in sandbox.deliveries}
    handled(context, "issues", by_action["edited"])
    assert stored(context, repository_id, number).as_filed is False
    assert handled(context, "issues", by_action["opened"]).startswith("later: ")
    found = stored(context, repository_id, number)
    assert (found.title, found.as_filed) == ("As filed", True)


@pytest.mark.parametrize("verb", ["delete", "transfer"])
def test_an_issue_that_left_teaches_no_more(
    context: Context, sandbox: SandboxServer, repository_id: int, verb: str
) -> None:
    number = sandbox.open_issue(REPO, title="Crash", labels=["bug"])
    if verb == "delete":
        sandbox.delete_issue(REPO, number)
    else:
        sandbox.add_repository("acme/other")
        sandbox.transfer_issue(REPO, number, "acme/other")
    assert sandbox.hooks.wait()
    wanted = {"delete": "deleted", "transfer": "transferred"}[verb]
    (left,) = [one.body for one in sandbox.deliveries if one.emission.action == wanted]
    assert handled(context, "issues", left) == "issue gone"
    found = stored(context, repository_id, number)
    assert (found.state, found.labels) == ("deleted", frozenset())


def test_an_issue_of_a_repository_that_we_never_met_brings_it_in(
    context: Context, sandbox: SandboxServer, receiver: Receiver
) -> None:
    sandbox.hook_url = receiver.url
    sandbox.hooks.lose(1)
    repository_id, installation_id = furnish(sandbox)
    sandbox.open_issue(REPO, title="Crash")
    assert sandbox.hooks.wait()
    (issue,) = [one.body for one in sandbox.deliveries if one.emission.action == "opened"]
    assert handled(context, "issues", issue).startswith("later: ")
    assert row(context, repository_id).installation_id == installation_id
    assert queued(context) == [("onboard", {"repository_id": repository_id})]


@pytest.mark.parametrize("status", ["paused", "removed"])
def test_what_we_do_not_serve_is_ignored(
    context: Context, sandbox: SandboxServer, tell: Tell, repository_id: int, status: str
) -> None:
    with context.database.session() as session:
        repositories.set_status(session, repository_id, status)  # type: ignore[arg-type]
    number = sandbox.open_issue(REPO, title="Crash")
    sandbox.label(REPO, number, "bug")
    sandbox.close_issue(REPO, number)
    sandbox.create_label(REPO, "docs")
    sandbox.put_file(REPO, ".github/labelwright.yml", "mode: apply\n")
    before = len(sandbox.requests)
    assert all(outcome.startswith("ignored: ") for outcome in tell())
    assert sandbox.requests[before:] == []
    assert count(context, "issues") == 0


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
