"""The client against the sandbox over real sockets: PyGithub reads, httpx writes, limits, redirects."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from bot.core.types import LabelSpec
from bot.errors import GiveUp, Ignore, RetryLater, UserError
from bot.github.app import AppAuth
from bot.github.client import (
    Comment,
    Contents,
    InstallationClient,
    NotModified,
    Suggestion,
)
from bot.github.limits import PermissionMissing
from bot.github.manifest import app_manifest, convert_manifest
from bot.sandbox.server import SandboxServer
from tests.contract.openapi import validate_requests
from tests.fixtures.sandbox import Receiver

REPO = "acme/widget"
LABELS = (LabelSpec("bug", "Something is broken"), LabelSpec("kind/feature", "A wish"))
LONG_AGO = datetime(2024, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def judged(sandbox: SandboxServer) -> Iterator[None]:
    """Whatever a test sent must be what GitHub's own description allows."""
    sandbox.add_repository(REPO, labels=LABELS)
    yield
    # Renamed repositories redirect every read; the description lists that for some. 0: judge the request only.
    validate_requests(
        replace(one, status=0) if one.status == 301 else one for one in sandbox.requests
    )


@pytest.fixture
def app(sandbox: SandboxServer) -> Iterator[AppAuth]:
    with AppAuth(sandbox.app_id, sandbox.private_key, api_url=sandbox.url) as auth:
        yield auth


@pytest.fixture
def client(sandbox: SandboxServer, app: AppAuth) -> InstallationClient:
    return app.client(sandbox.install("acme", [REPO]))


def asked(sandbox: SandboxServer, method: str, tail: str) -> int:
    """How often a path with this end was asked for."""
    return sum(one.method == method and one.path.endswith(tail) for one in sandbox.requests)


# the App


def test_a_token_is_asked_for_once_and_shared_by_threads(
    sandbox: SandboxServer, app: AppAuth
) -> None:
    installation = sandbox.install("acme", [REPO])
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(app.installation_token(installation)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1
    assert asked(sandbox, "POST", "/access_tokens") == 1
    (request,) = [one for one in sandbox.requests if one.path.endswith("/access_tokens")]
    assert request.body == {
        "permissions": {"issues": "write", "metadata": "read", "contents": "read"}
    }


def test_an_installation_that_granted_less_still_gets_a_token(
    sandbox: SandboxServer, app: AppAuth
) -> None:
    grants = {"issues": "write", "metadata": "read"}
    installation = sandbox.install("acme", [REPO], permissions=grants)
    assert app.client(installation).labels(REPO)
    assert asked(sandbox, "POST", "/access_tokens") == 2


def test_the_app_knows_itself_and_where_it_is_installed(
    sandbox: SandboxServer, app: AppAuth
) -> None:
    sandbox.add_repository("acme/second", private=True)
    first = sandbox.install("acme")
    assert app.identity().login == "labelwright[bot]"
    assert app.identity().id == sandbox.app_id
    assert [(one.id, one.account, one.suspended) for one in app.installations()] == [
        (first, "acme", False)
    ]
    names = {one.full_name: one.private for one in app.installation_repositories(first)}
    assert names == {REPO: False, "acme/second": True}
    assert asked(sandbox, "GET", "/app") == 1


def test_a_removed_installation_is_ignored_and_a_suspended_one_too(
    sandbox: SandboxServer, app: AppAuth
) -> None:
    gone = sandbox.install("acme", [REPO])
    sandbox.uninstall(gone)
    with pytest.raises(Ignore):
        app.installation_token(gone)
    asleep = sandbox.install("acme", [REPO])
    sandbox.suspend(asleep)
    with pytest.raises(Ignore, match="suspended"):
        app.installation_token(asleep)
    assert [one.suspended for one in app.installations()] == [True]


def test_a_foreign_key_is_refused_with_advice(sandbox: SandboxServer) -> None:
    wrong_id = AppAuth(sandbox.app_id + 1, sandbox.private_key, api_url=sandbox.url)
    with wrong_id, pytest.raises(GiveUp, match="private key"):
        wrong_id.identity()


def test_a_key_that_is_none_is_told_at_once() -> None:
    with pytest.raises(UserError, match=r"\.pem"):
        AppAuth(1, "no key", api_url="http://127.0.0.1:9")


def test_deliveries_that_never_came_through_are_found_and_sent_again(
    sandbox: SandboxServer, app: AppAuth
) -> None:
    sandbox.hook_url = "http://127.0.0.1:9/nobody-listens"
    sandbox.install("acme", [REPO])
    number = sandbox.open_issue(REPO, title="First")
    sandbox.hooks.wait()
    failed = app.failed_deliveries()
    assert [(one.event, one.action) for one in failed] == [
        ("installation", "created"),
        ("issues", "opened"),
    ]
    app.redeliver(failed[1].id)
    sandbox.hooks.wait()
    again = app.failed_deliveries()
    assert [one.attempts for one in again] == [1, 2]
    assert [one.guid for one in again] == [one.guid for one in failed]
    assert again[1].id != failed[1].id
    assert number == 1
    assert app.failed_deliveries(datetime.now(UTC) + timedelta(hours=1)) == []


def test_a_delivery_that_came_through_later_counts_no_more(
    sandbox: SandboxServer, app: AppAuth, receiver: Receiver
) -> None:
    sandbox.hook_url = "http://127.0.0.1:9/nobody-listens"
    sandbox.install("acme", [REPO])
    sandbox.hooks.wait()
    (failed,) = app.failed_deliveries()
    sandbox.hook_url = receiver.url
    app.redeliver(failed.id)
    sandbox.hooks.wait()
    assert receiver.received[0].headers["x-github-delivery"] == failed.guid
    assert app.failed_deliveries() == []


def test_a_manifest_becomes_an_app(sandbox: SandboxServer) -> None:
    manifest = app_manifest("Label Smith", "https://smith.example", "https://smith.example/hook")
    made = convert_manifest(sandbox.keep_manifest(manifest), sandbox.url)
    assert made.slug == "label-smith"
    assert made.webhook_secret
    with AppAuth(made.app_id, made.private_key, api_url=sandbox.url) as smith:
        assert smith.identity().login == "label-smith[bot]"


# reads


def test_an_issue_is_read_as_it_is_now(sandbox: SandboxServer, client: InstallationClient) -> None:
    number = sandbox.seed_issue(
        REPO,
        title="Crash",
        body="It stops",
        labels=["bug"],
        created_at=LONG_AGO,
        author="ada",
        association="MEMBER",
        closed_at=LONG_AGO + timedelta(days=2),
    )
    got = client.issue(REPO, number)
    assert (got.number, got.title, got.body) == (number, "Crash", "It stops")
    assert (got.author, got.author_is_bot, got.author_association) == ("ada", False, "MEMBER")
    assert got.labels == {"bug"}
    assert (got.created_at, got.closed_at) == (LONG_AGO, LONG_AGO + timedelta(days=2))
    assert (got.state, got.locked, got.is_pull_request) == ("closed", False, False)


def test_a_deleted_or_transferred_issue_is_ignored(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    gone = sandbox.open_issue(REPO, title="Gone")
    moved = sandbox.open_issue(REPO, title="Moved")
    sandbox.delete_issue(REPO, gone)
    sandbox.add_repository("acme/other")
    sandbox.transfer_issue(REPO, moved, "acme/other")
    for number in (gone, moved, 999):
        with pytest.raises(Ignore):
            client.issue(REPO, number)


def test_a_transfer_that_keeps_the_number_is_seen_through(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    sandbox.add_repository("acme/other")
    number = sandbox.open_issue(REPO, title="Moved")
    assert sandbox.transfer_issue(REPO, number, "acme/other") == number
    with pytest.raises(Ignore, match="moved to another repository"):
        client.issue(REPO, number)


def test_a_renamed_repository_is_followed_by_reads_and_writes(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    number = sandbox.open_issue(REPO, title="Crash")
    closed = sandbox.open_issue(REPO, title="Closed")
    sandbox.close_issue(REPO, closed)
    sandbox.rename_repository(REPO, "gadget")
    assert client.issue(REPO, number).title == "Crash"
    assert client.repository(REPO).full_name == "acme/gadget"
    assert len(client.labels(REPO)) == len(LABELS)
    page, _ = client.issues_page(REPO)
    assert [issue.number for issue in page] == [number, closed]
    client.add_labels(REPO, number, ["bug"])
    assert sandbox.issue_labels("acme/gadget", number) == {"bug": "labelwright[bot]"}
    assert client.remove_label(REPO, number, "bug")
    assert sandbox.issue_labels("acme/gadget", number) == {}


def test_label_events_know_human_us_bot_and_form(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    number = sandbox.open_issue(REPO, title="Crash", author="ada", labels=["bug"])
    client.add_labels(REPO, number, ["kind/feature"])
    sandbox.unlabel(REPO, number, "kind/feature", actor="maintainer")
    sandbox.label(REPO, number, "kind/feature", actor="stale[bot]")
    got = client.issue_events(REPO, number)
    assert [(e.label, e.added, e.actor, e.actor_kind) for e in got] == [
        ("bug", True, "ada", "form"),
        ("kind/feature", True, "labelwright[bot]", "us"),
        ("kind/feature", False, "maintainer", "human"),
        ("kind/feature", True, "stale[bot]", "bot"),
    ]
    assert len({event.github_id for event in got} - {None}) == 4


def test_the_events_of_a_repository_come_with_their_issues(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    for n in range(120):
        sandbox.seed_issue(REPO, title=f"{n}", body="", labels=["bug"], created_at=LONG_AGO)
    sandbox.seed_issue(
        REPO, title="PR", body="", labels=["bug"], created_at=LONG_AGO, is_pull_request=True
    )
    first, cursor = client.label_events_page(REPO)
    second, end = client.label_events_page(REPO, cursor)
    assert (len(first), end) == (99, None)
    found = {number: event.actor_kind for number, event in first + second}
    assert found == dict.fromkeys(range(1, 121), "human")


def test_history_comes_in_pages_oldest_first_and_goes_on_after_a_restart(
    sandbox: SandboxServer, app: AppAuth
) -> None:
    for n in range(230):
        sandbox.seed_issue(
            REPO,
            title=f"Issue {n}",
            body=None,
            created_at=LONG_AGO + timedelta(minutes=n),
            closed_at=LONG_AGO + timedelta(days=1) if n % 2 else None,
            is_pull_request=n % 10 == 3,
        )
    installation = sandbox.install("acme", [REPO])
    with AppAuth(sandbox.app_id, sandbox.private_key, api_url=sandbox.url) as earlier:
        first, cursor = earlier.client(installation).issues_page(REPO)
    seen = list(first)
    while cursor is not None:
        page, cursor = app.client(installation).issues_page(REPO, cursor)
        seen += page
    assert [issue.title for issue in seen] == [f"Issue {n}" for n in range(230) if n % 10 != 3]
    assert {issue.state for issue in seen} == {"open", "closed"}
    lists = [one for one in sandbox.requests if one.path.endswith("/issues")]
    assert [("page" in one.query, "after" in one.query) for one in lists[:1]] == [(False, False)]
    assert all("after" in one.query for one in lists[1:])


def test_a_cursor_that_github_refuses_starts_over(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    sandbox.seed_issue(REPO, title="One", body=None, created_at=LONG_AGO)
    stale = f"{sandbox.url}/repos/{REPO}/issues?after=%21%21&state=all"
    page, cursor = client.issues_page(REPO, stale)
    assert ([issue.title for issue in page], cursor) == (["One"], None)


def test_all_labels_are_read_past_the_first_page(sandbox: SandboxServer, app: AppAuth) -> None:
    many = [LabelSpec(f"area/{n}", f"About {n}") for n in range(130)]
    sandbox.add_repository("acme/large", labels=many)
    got = app.client(sandbox.install("acme", ["acme/large"])).labels("acme/large")
    assert {(one.name, one.description) for one in got} == {
        (one.name, one.description) for one in many
    }
    assert {one.name: one.github_id for one in got} == sandbox.labels("acme/large")


def test_one_label_is_found_by_name_with_its_slash(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    got = client.label(REPO, "KIND/feature")
    assert got is not None
    assert got.github_id == sandbox.labels(REPO)["kind/feature"]
    assert client.label(REPO, "kind/none") is None


def test_a_file_is_read_once_and_asked_for_by_its_tag(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    path = ".github/labelwright.yml"
    assert client.contents(REPO, path) is None
    sandbox.put_file(REPO, path, "mode: suggest # ä\n")
    first = client.contents(REPO, path)
    assert isinstance(first, Contents)
    assert first.text == "mode: suggest # ä\n"
    assert client.contents(REPO, path, first.etag) == NotModified(first.etag or "")
    sandbox.put_file(REPO, path, "mode: apply\n")
    changed = client.contents(REPO, path, first.etag)
    assert isinstance(changed, Contents)
    assert changed.text == "mode: apply\n"


def test_a_file_without_the_grant_names_the_permission(
    sandbox: SandboxServer, app: AppAuth
) -> None:
    sandbox.add_repository("acme/secret", private=True)
    grants = {"issues": "write", "metadata": "read"}
    client = app.client(sandbox.install("acme", ["acme/secret"], permissions=grants))
    with pytest.raises(PermissionMissing) as refused:
        client.contents("acme/secret", ".github/labelwright.yml")
    assert refused.value.permission == "contents: read"


@pytest.mark.parametrize(
    ("role", "may"), [("read", False), ("triage", True), ("write", True), ("admin", True)]
)
def test_a_role_tells_who_may_triage(
    sandbox: SandboxServer, client: InstallationClient, role: str, may: bool
) -> None:
    sandbox.set_role(REPO, "eve", role)
    got = client.permission(REPO, "eve")
    assert (got.role_name, got.may_triage) == (role, may)


def test_a_stranger_may_nothing(client: InstallationClient) -> None:
    got = client.permission(REPO, "nobody-ever")
    assert (got.role_name, got.may_triage) == ("none", False)


# text as filed


def test_the_text_as_filed_is_found_for_a_whole_page(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    for n in range(60):
        sandbox.seed_issue(
            REPO,
            title=f"New {n}",
            body=f"new body {n}",
            created_at=LONG_AGO + timedelta(minutes=n),
            filed_as=(f"Old {n}", f"old body {n}") if n % 2 else None,
            labels=["bug"] if n % 3 else [],
        )
    page, _ = client.issues_page(REPO)
    filed = client.texts_as_filed(REPO, page)
    words = ["Old" if n % 2 else "New" for n in range(60)]
    assert [text.title for text in filed] == [f"{word} {n}" for n, word in enumerate(words)]
    assert [text.body for text in filed] == [
        f"{word.lower()} body {n}" for n, word in enumerate(words)
    ]
    assert all(text.certain for text in filed)
    assert [text.of(issue).title for text, issue in zip(filed, page, strict=True)] == [
        text.title for text in filed
    ]
    assert asked(sandbox, "POST", "/graphql") == 2


def test_untouched_issues_cost_no_query(sandbox: SandboxServer, client: InstallationClient) -> None:
    sandbox.seed_issue(REPO, title="Calm", body="words", created_at=LONG_AGO)
    page, _ = client.issues_page(REPO)
    assert client.texts_as_filed(REPO, page) == [("Calm", "words", True)]
    assert asked(sandbox, "POST", "/graphql") == 0


def edited_issue(sandbox: SandboxServer) -> int:
    return sandbox.seed_issue(
        REPO,
        title="Crash on start",
        body="second",
        created_at=LONG_AGO,
        filed_as=("Crash", "first"),
    )


def test_one_issues_text_as_filed(sandbox: SandboxServer, client: InstallationClient) -> None:
    number = edited_issue(sandbox)
    sandbox.edit_issue(REPO, number, title="Crash at start", body="third")
    assert client.text_as_filed(REPO, number) == ("Crash", "first", True)


def test_without_graphql_the_text_is_uncertain_but_the_first_title_is_known(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    number = edited_issue(sandbox)
    sandbox.faults.answer(404, path="/graphql", message="Not Found", times=2)
    assert client.text_as_filed(REPO, number) == ("Crash", "second", False)
    page, _ = client.issues_page(REPO)
    assert client.texts_as_filed(REPO, page) == [("Crash on start", "second", False)]


def test_a_limit_of_graphql_is_waited_for(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    number = edited_issue(sandbox)
    sandbox.faults.secondary_limit(path="/graphql", retry_after=33)
    with pytest.raises(RetryLater) as waiting:
        client.text_as_filed(REPO, number)
    assert waiting.value.after == 33


# trouble


@pytest.mark.parametrize("status", [403, 429])
def test_a_limit_raises_at_once_and_sleeps_nowhere(
    sandbox: SandboxServer, client: InstallationClient, status: Literal[403, 429]
) -> None:
    number = sandbox.open_issue(REPO, title="Crash")
    client.issue(REPO, number)
    before = len(sandbox.requests)
    for call in (
        lambda: client.issue(REPO, number),
        lambda: client.add_labels(REPO, number, ["bug"]),
    ):
        sandbox.faults.secondary_limit(status=status, retry_after=90)
        with pytest.raises(RetryLater) as waiting:
            call()
        assert waiting.value.after == 90
    assert len(sandbox.requests) == before + 2
    assert sandbox.issue_labels(REPO, number) == {}


def test_a_spent_budget_waits_for_its_reset(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    client.labels(REPO)
    sandbox.application.limits.limit = 1
    with pytest.raises(RetryLater) as waiting:
        client.labels(REPO)
    assert 3500 < waiting.value.after <= 3600


@pytest.mark.parametrize("status", [500, 502, 503])
def test_outages_are_tried_later_and_nothing_is_sent_twice(
    sandbox: SandboxServer, client: InstallationClient, status: int
) -> None:
    number = sandbox.open_issue(REPO, title="Crash")
    sandbox.faults.answer(status, path="/labels", method="POST")
    with pytest.raises(RetryLater):
        client.add_labels(REPO, number, ["bug"])
    sandbox.faults.answer(status, path="/issues", method="GET")
    with pytest.raises(RetryLater):
        client.issue(REPO, number)
    assert asked(sandbox, "POST", "/labels") == 1
    assert asked(sandbox, "GET", f"/issues/{number}") == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_cut_line_is_tried_later(
    sandbox: SandboxServer, client: InstallationClient, method: str
) -> None:
    number = sandbox.open_issue(REPO, title="Crash")
    client.labels(REPO)
    sandbox.faults.drop(path="/labels", method=method)
    read = functools.partial(client.labels, REPO)
    write = functools.partial(client.add_labels, REPO, number, ["bug"])
    with pytest.raises(RetryLater):
        (read if method == "GET" else write)()
    client.add_labels(REPO, number, ["bug"])
    assert sandbox.issue_labels(REPO, number) == {"bug": "labelwright[bot]"}
    assert len(sandbox.events(REPO, number)) == 1


def test_a_token_that_is_not_known_yet_is_tried_again(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    sandbox.faults.answer(401, path="/labels", message="Bad credentials")
    assert len(client.labels(REPO)) == len(LABELS)
    assert asked(sandbox, "POST", "/access_tokens") == 1


def test_threads_do_not_mix_up_their_answers(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    numbers = [sandbox.open_issue(REPO, title=f"Issue {n}") for n in range(12)]
    mixed: list[tuple[int, str]] = []

    def read(number: int) -> None:
        for _ in range(5):
            got = client.issue(REPO, number)
            if got.title != f"Issue {number - 1}":
                mixed.append((number, got.title))

    threads = [threading.Thread(target=read, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mixed == []


def test_names_that_are_no_names_never_reach_a_path(client: InstallationClient) -> None:
    for name in ("acme", "acme/../admin", "../x", "a/b/c", "acme/wid get", "acme/.."):
        with pytest.raises(GiveUp, match="owner/name"):
            client.labels(name)


# comments and suggestions


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
    assert set(sandbox.labels("acme/modern")) == {"bug", "kind/feature"}


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
