"""Meeting a repository: everything is read once, in pages, and a stop costs a page at most."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.errors import Ignore, RetryLater
from bot.jobs.context import Context
from bot.jobs.learning import onboarding
from bot.jobs.learning.learn import learn_repository
from bot.jobs.learning.onboarding import onboard, read_history
from bot.sandbox.server import SandboxServer
from bot.store import issues, label_events, labels, repositories
from bot.store.tables import Repository
from tests.integration.jobs_at_hand import LONG_AGO, REPO, count, met, queued

PAGES = 230
"""Issues that fill three pages of a hundred."""


def row(context: Context, repository_id: int) -> Repository:
    with context.database.session() as session:
        found = repositories.get(session, repository_id)
        assert found is not None
        return found


def pages_asked(sandbox: SandboxServer, path: str) -> int:
    return len([one for one in sandbox.requests if one.path.endswith(path) and one.status == 200])


def test_labels_issues_and_events_are_read(context: Context, sandbox: SandboxServer) -> None:
    repository_id = met(context, sandbox, 3)
    sandbox.unlabel(REPO, 2, "bug", "ann")
    outcome = read_history(context, repository_id=repository_id)
    assert outcome == f"read 3 issues and 4 label events of {REPO}"
    with context.database.session() as session:
        assert [label.name for label in labels.active(session, repository_id)] == ["bug", "feature"]
        found = issues.history(session, repository_id)
        assert [(issue.number, issue.labels) for issue in found] == [
            (1, {"bug"}),
            (2, set()),
            (3, {"bug"}),
        ]
        told = label_events.of_issue(session, found[1].id)
    assert [(e.label, e.added, e.actor, e.actor_kind) for e in told] == [
        ("bug", True, "maintainer", "human"),
        ("bug", False, "ann", "human"),
    ]


def test_reading_ends_by_asking_for_a_head(context: Context, sandbox: SandboxServer) -> None:
    repository_id = met(context, sandbox, 1)
    onboard(context, repository_id=repository_id)
    wanted = {"repository_id": repository_id, "reason": "onboarding"}
    assert queued(context) == [("learn", wanted)]
    assert row(context, repository_id).status == "learning"
    assert row(context, repository_id).history_cursor is None


def test_pull_requests_are_no_history(context: Context, sandbox: SandboxServer) -> None:
    repository_id = met(context, sandbox, 1)
    sandbox.seed_issue(
        REPO, title="A change", body="", labels=["feature"], created_at=LONG_AGO,
        is_pull_request=True,
    )  # fmt: skip
    read_history(context, repository_id=repository_id)
    assert count(context, "issues") == 1
    assert count(context, "label_events") == 1


def test_the_text_is_the_one_that_was_filed(context: Context, sandbox: SandboxServer) -> None:
    repository_id = met(context, sandbox)
    sandbox.seed_issue(
        REPO, title="[bug] Crash", body="Edited since", created_at=LONG_AGO,
        filed_as=("Crash", "As it was"),
    )  # fmt: skip
    sandbox.seed_issue(REPO, title="Quiet", body="Never edited", created_at=LONG_AGO)
    read_history(context, repository_id=repository_id)
    with context.database.session() as session:
        edited, quiet = issues.history(session, repository_id)
    assert (edited.title, edited.body, edited.as_filed) == ("Crash", "As it was", True)
    assert (quiet.title, quiet.as_filed) == ("Quiet", True)


def test_many_pages_are_read_whole(context: Context, sandbox: SandboxServer) -> None:
    repository_id = met(context, sandbox, PAGES)
    read_history(context, repository_id=repository_id)
    assert (count(context, "issues"), count(context, "label_events")) == (PAGES, PAGES)
    assert pages_asked(sandbox, f"/repos/{REPO}/issues") + pages_asked(sandbox, "/issues") >= 3


@pytest.mark.parametrize("stage", ["issues", "issues/events"])
def test_a_stop_between_pages_goes_on_there(
    context: Context, sandbox: SandboxServer, stage: str
) -> None:
    repository_id = met(context, sandbox, PAGES)
    ours = rf"/{stage}$"
    sandbox.faults.delay(0.0, path=ours)  # the first page passes, the second does not
    sandbox.faults.secondary_limit(path=ours, retry_after=30)
    with pytest.raises(RetryLater) as caught:
        read_history(context, repository_id=repository_id)
    assert caught.value.after == 30
    cursor = row(context, repository_id).history_cursor
    assert cursor is not None
    assert cursor.startswith("events " if "events" in stage else "issues ")
    before = len(sandbox.requests)
    read_history(context, repository_id=repository_id)
    assert (count(context, "issues"), count(context, "label_events")) == (PAGES, PAGES)
    again = [one for one in sandbox.requests[before:] if one.path.endswith("/issues")]
    assert len(again) == (0 if "events" in stage else 2)


def test_reading_twice_changes_nothing(context: Context, sandbox: SandboxServer) -> None:
    repository_id = met(context, sandbox, 5)
    read_history(context, repository_id=repository_id)
    read_history(context, repository_id=repository_id)
    assert (count(context, "issues"), count(context, "label_events")) == (5, 5)


def test_a_cursor_that_github_forgot_starts_over(context: Context, sandbox: SandboxServer) -> None:
    repository_id = met(context, sandbox, 3)
    with context.database.session() as session:
        lost = f"issues {sandbox.url}/repos/{REPO}/issues?after=nonsense"
        repositories.save_cursor(session, repository_id, lost)
    sandbox.faults.answer(422, path="/issues$")
    read_history(context, repository_id=repository_id)
    assert count(context, "issues") == 3


def test_a_serving_repository_goes_on_serving_while_it_is_read_again(
    context: Context, sandbox: SandboxServer
) -> None:

    repository_id = met(context, sandbox, 3)
    read_history(context, repository_id=repository_id)
    learn_repository(context, repository_id=repository_id, reason="test")
    read_history(context, repository_id=repository_id)
    assert row(context, repository_id).status == "ready"


def test_a_removed_repository_is_not_read(context: Context, sandbox: SandboxServer) -> None:
    repository_id = met(context, sandbox, 1)
    with context.database.session() as session:
        repositories.set_status(session, repository_id, "removed")
    with pytest.raises(Ignore):
        onboard(context, repository_id=repository_id)
    assert sandbox.requests == []


def test_cursors_name_their_stage() -> None:
    assert onboarding._parse(None) == ("issues", None)
    assert onboarding._parse("issues http://h/x?a=b c") == ("issues", "http://h/x?a=b c")
    assert onboarding._parse("events") == ("events", None)


def test_issues_of_one_second_keep_their_order(context: Context, sandbox: SandboxServer) -> None:
    repository_id = met(context, sandbox)
    for n in range(150):
        moment = LONG_AGO + timedelta(seconds=n // 50)
        sandbox.seed_issue(REPO, title=f"Issue {n}", body="", created_at=moment)
    read_history(context, repository_id=repository_id)
    with context.database.session() as session:
        numbers = [issue.number for issue in issues.history(session, repository_id)]
    assert numbers == list(range(1, 151))
