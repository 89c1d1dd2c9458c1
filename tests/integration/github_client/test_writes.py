"""Comments, suggestions and labels: written once, in place, never replaced."""

from __future__ import annotations

import pytest

from bot.errors import GiveUp, RetryLater
from bot.github.app import AppAuth
from bot.github.client import (
    Comment,
    InstallationClient,
    Suggestion,
)
from bot.sandbox.server import SandboxServer
from tests.integration.github_client.conftest import LABELS, REPO, asked


def test_a_comment_is_posted_once_and_then_edited_in_place(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    number = sandbox.open_issue(REPO, title="Crash")
    sandbox.comment(REPO, number, "quoting <!-- labelwright:status -->", actor="eve")
    first = client.comment(REPO, number, "Looking.", marker="status")
    assert first.outcome == "posted"
    assert client.comment(REPO, number, "Looking.", marker="status") == Comment(
        first.id, "unchanged"
    )
    assert client.comment(REPO, number, "Found.", marker="status") == Comment(first.id, "edited")
    assert client.comment(REPO, number, "Other.", marker="else").outcome == "posted"
    bodies = _comments(sandbox, number)
    assert bodies == [
        "quoting <!-- labelwright:status -->",
        "Found.\n\n<!-- labelwright:status -->",
        "Other.\n\n<!-- labelwright:else -->",
    ]


def test_a_comment_whose_answer_was_lost_is_not_posted_twice(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    number = sandbox.open_issue(REPO, title="Crash")
    sandbox.faults.drop(path="/comments", method="POST", after=True)
    with pytest.raises(RetryLater):
        client.comment(REPO, number, "Looking.", marker="status")
    assert client.comment(REPO, number, "Looking.", marker="status").outcome == "unchanged"
    assert len(_comments(sandbox, number)) == 1


def _comments(sandbox: SandboxServer, number: int) -> list[str]:
    with sandbox.state.lock:
        issue = sandbox.state.repository(REPO).issues[number]
        return [comment.body for comment in issue.comments]


def test_a_marker_cannot_end_its_own_hiding_place(client: InstallationClient) -> None:
    with pytest.raises(GiveUp):
        client.comment(REPO, 1, "x", marker="--> shown")


BUG = Suggestion("bug", "It says crash. " * 40, "high")


def test_suggestions_wait_for_a_person_and_come_once(sandbox: SandboxServer, app: AppAuth) -> None:
    sandbox.add_repository("acme/modern", labels=LABELS, suggestions="on")
    client = app.client(sandbox.install("acme", ["acme/modern"]))
    number = sandbox.open_issue("acme/modern", title="Crash", labels=["kind/feature"])
    wanted = [
        BUG,
        Suggestion("kind/feature", "on it already", "low"),
        Suggestion("made-up", "not there", "low"),
    ]
    first = client.suggest_labels("acme/modern", number, wanted)
    assert (first.supported, first.suggested) == (True, ("bug",))
    assert [name for name, _ in first.skipped] == ["kind/feature", "made-up"]
    again = client.suggest_labels("acme/modern", number, [BUG])
    assert (again.suggested, again.skipped) == ((), (("bug", "was suggested before (pending)"),))
    assert set(sandbox.issue_labels("acme/modern", number)) == {"kind/feature"}
    assert set(sandbox.labels("acme/modern")) == {spec.name for spec in LABELS}


@pytest.mark.parametrize("support", ["off", "ignored"])
def test_without_the_feature_nothing_is_written(
    sandbox: SandboxServer, app: AppAuth, support: str
) -> None:
    sandbox.add_repository("acme/plain", labels=LABELS, suggestions=support)  # type: ignore[arg-type]
    client = app.client(sandbox.install("acme", ["acme/plain"]))
    number = sandbox.open_issue("acme/plain", title="Crash")
    assert not client.suggest_labels("acme/plain", number, [BUG]).supported
    assert sandbox.issue_labels("acme/plain", number) == {}
    assert asked(sandbox, "POST", "/labels") == 0


# labels


def test_labels_are_added_one_by_one_and_never_replaced(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    number = sandbox.open_issue(REPO, title="Crash", labels=["bug"])
    after = client.add_labels(REPO, number, ["kind/feature"])
    assert {label.name for label in after} == {"bug", "kind/feature"}
    assert client.remove_label(REPO, number, "kind/feature")
    assert not client.remove_label(REPO, number, "kind/feature")
    assert set(sandbox.issue_labels(REPO, number)) == {"bug"}
    assert client.delete_label(REPO, "kind/feature")
    assert not client.delete_label(REPO, "kind/feature")
    assert {one.method for one in sandbox.requests} <= {"GET", "POST", "DELETE"}


def test_a_reaction_comes_once(sandbox: SandboxServer, client: InstallationClient) -> None:
    number = sandbox.open_issue(REPO, title="Crash")
    comment = sandbox.comment(REPO, number, "/label bug")
    client.react(REPO, comment, "+1")
    client.react(REPO, comment, "+1")
    client.react(REPO, 1, "+1")  # gone, which is fine
    with sandbox.state.lock:
        (told,) = sandbox.state.repository(REPO).issues[number].comments
    assert list(told.reactions) == [("labelwright[bot]", "+1")]


def test_a_turn_is_taken_only_where_something_is_written(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    number = sandbox.open_issue(REPO, title="Crash")
    turns: list[int] = []

    def say(body: str, *, post: bool = True) -> str:
        return client.comment(
            REPO, number, body, marker="m", post=post, before_write=lambda: turns.append(1)
        ).outcome

    assert say("a", post=False) == "absent"
    assert [say("a"), say("a"), say("b", post=False)] == ["posted", "unchanged", "edited"]
    assert len(turns) == 2


def test_suggestions_can_be_read_with_what_became_of_them(
    sandbox: SandboxServer, app: AppAuth
) -> None:
    sandbox.add_repository("acme/modern", labels=LABELS, suggestions="on")
    sandbox.add_repository("acme/plain", labels=LABELS)
    client = app.client(sandbox.install("acme", ["acme/modern", "acme/plain"]))
    number = sandbox.open_issue("acme/modern", title="Crash")
    client.suggest_labels("acme/modern", number, [BUG, Suggestion("docs", "words", "low")])
    found = client.suggestions("acme/modern", number)
    assert [(one.label, one.state, one.resolved_by) for one in found or ()] == [
        ("bug", "pending", None),
        ("docs", "pending", None),
    ]
    assert client.suggestions("acme/plain", sandbox.open_issue("acme/plain", title="x")) is None


def test_a_suggested_label_that_a_person_sets_meanwhile_stays(
    sandbox: SandboxServer, app: AppAuth
) -> None:
    sandbox.add_repository("acme/modern", labels=LABELS, suggestions="on")
    client = app.client(sandbox.install("acme", ["acme/modern"]))
    number = sandbox.open_issue("acme/modern", title="Crash")
    client.suggest_labels(
        "acme/modern", number, [BUG],
        before_write=lambda: sandbox.label("acme/modern", number, "bug", "ann"),
    )  # fmt: skip
    assert sandbox.issue_labels("acme/modern", number) == {"bug": "ann"}
