"""What deliveries about issues mean for the store: who labelled, what was filed, what is gone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.core.types import LabelEvent, RepositoryLabel
from bot.jobs.context import Context
from bot.sandbox.server import SandboxServer
from bot.store import issues, label_events, labels, repositories
from tests.fixtures.sandbox import Receiver
from tests.integration.jobs_at_hand import (
    LONG_AGO,
    REPO,
    Tell,
    count,
    furnish,
    handled,
    queued,
    row,
)


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


@pytest.mark.parametrize("status", ["new", "paused"])
@pytest.mark.parametrize("verb", ["delete", "transfer"])
def test_an_issue_that_left_teaches_no_more(
    context: Context, sandbox: SandboxServer, repository_id: int, verb: str, status: str
) -> None:
    """A pause does not keep us from hearing it: when it ends, nothing would tell any more."""
    number = sandbox.open_issue(REPO, title="Crash", labels=["bug"])
    with context.database.session() as session:
        repositories.set_status(session, repository_id, status)  # type: ignore[arg-type]
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
    assert (found.state, found.labels) == (wanted, frozenset())


def moved(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> tuple[int, dict[str, bytes]]:
    """An issue whose `bug` a person took off, moved to another repository of ours that has `BUG` and no
    `feature`; the other repository's id, and the two deliveries that tell of it, by action."""
    with context.database.session() as session:
        issue = context.client(row(context, repository_id).installation_id).issue(
            REPO, sandbox.open_issue(REPO, title="Crash", labels=["feature"])
        )
        found = issues.upsert(session, repository_id, issue, as_filed=True)
        told = [
            LabelEvent("bug", True, "ann", "human", LONG_AGO),
            LabelEvent("bug", False, "ben", "human", LONG_AGO + timedelta(hours=1)),
            LabelEvent("feature", True, "ann", "human", LONG_AGO),
        ]
        label_events.record(session, found, told, source="webhook")
        other = sandbox.add_repository("acme/other")
        sandbox.create_label("acme/other", "BUG")
        repositories.upsert(
            session, id=other, full_name="acme/other", private=False,
            installation_id=row(context, repository_id).installation_id,
        )  # fmt: skip
        labels.save(session, other, RepositoryLabel(5, "BUG", ""))
    assert sandbox.hooks.wait()
    before = len(sandbox.deliveries)
    sandbox.change_repositories(row(context, repository_id).installation_id, add=["acme/other"])
    sandbox.transfer_issue(REPO, issue.number, "acme/other")
    assert sandbox.hooks.wait()
    told_of = sandbox.deliveries[before:]
    return other, {
        one.emission.action: one.body for one in told_of if one.emission.event == "issues"
    }


@pytest.mark.parametrize("first", ["transferred", "opened"])
def test_what_people_said_goes_along_with_a_transferred_issue(
    context: Context, sandbox: SandboxServer, repository_id: int, first: str
) -> None:
    """In whichever order the two repositories are told, and told twice."""
    other, bodies = moved(context, sandbox, repository_id)
    for action in (*sorted(bodies, key=lambda action: action != first), first):
        handled(context, "issues", bodies[action])
    arrived = stored(context, other, 1)
    with context.database.session() as session:
        assert label_events.removed_by_human(session, arrived.id) == {"BUG"}
        assert len(label_events.of_issue(session, arrived.id)) == 2
    assert not arrived.as_filed  # it may have been edited before it moved


def test_nothing_goes_along_to_a_repository_that_we_do_not_serve(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    other, bodies = moved(context, sandbox, repository_id)
    with context.database.session() as session:
        repositories.set_status(session, other, "removed")
    assert handled(context, "issues", bodies["transferred"]) == "issue gone"
    with context.database.session() as session:
        assert issues.by_number(session, other, 1) is None


def test_a_lock_is_remembered_and_spam_teaches_no_more(
    context: Context, sandbox: SandboxServer, tell: Tell, repository_id: int
) -> None:
    number = sandbox.open_issue(REPO, title="Crash")
    sandbox.lock_issue(REPO, number, reason="too heated")
    assert tell()[-1] == "remembered"
    found = stored(context, repository_id, number)
    assert (found.locked, found.state) == (True, "open")
    sandbox.lock_issue(REPO, number, on=False)
    sandbox.lock_issue(REPO, number, reason="spam")
    tell()
    assert stored(context, repository_id, number).state == "spam"
    sandbox.lock_issue(REPO, number, on=False)
    tell()
    found = stored(context, repository_id, number)
    assert (found.locked, found.state) == (False, "open")


@pytest.mark.parametrize(
    ("label", "reason", "state"),
    [
        ("spam", "not_planned", "spam"),
        ("type: Spam", "not_planned", "spam"),
        ("spam", "completed", "closed"),
        ("antispam", "not_planned", "closed"),
        ("bug", "not_planned", "closed"),
    ],
)
def test_closed_as_spam_is_what_people_call_so(
    context: Context,
    sandbox: SandboxServer,
    tell: Tell,
    repository_id: int,
    label: str,
    reason: str,
    state: str,
) -> None:
    number = sandbox.open_issue(REPO, title="Buy now")
    if label not in sandbox.labels(REPO):
        sandbox.create_label(REPO, label)
    sandbox.label(REPO, number, label)
    sandbox.close_issue(REPO, number, reason=reason)
    tell()
    assert stored(context, repository_id, number).state == state


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
