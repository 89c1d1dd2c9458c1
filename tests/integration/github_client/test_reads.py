"""Reading: issues, events, history by pages, files, roles, the text as filed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.core.types import LabelSpec
from bot.errors import Ignore, RetryLater
from bot.github.app import AppAuth
from bot.github.client import (
    Contents,
    InstallationClient,
    NotModified,
)
from bot.github.limits import PermissionMissing
from bot.sandbox.server import SandboxServer
from tests.integration.github_client.conftest import LABELS, LONG_AGO, REPO, asked


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
    first = client.label_events_page(REPO)
    second = client.label_events_page(REPO, first.next_page)
    assert (len(first.found), len(first.ids), second.next_page) == (99, 100, None)
    found = {issue.number: event.actor_kind for issue, event in first.found + second.found}
    assert found == dict.fromkeys(range(1, 121), "human")


def test_events_that_are_no_news_are_free(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    sandbox.seed_issue(REPO, title="Old", body="", labels=["bug"], created_at=LONG_AGO)
    first = client.label_events_page(REPO)
    again = client.label_events_page(REPO, etag=first.etag)
    assert (again.unchanged, again.found, again.etag) == (True, (), first.etag)
    assert sandbox.requests[-1].status == 304
    sandbox.label(REPO, 1, "kind/feature")
    news = client.label_events_page(REPO, etag=first.etag)
    assert (news.unchanged, len(news.ids)) == (False, 2)
    assert news.ids[0] > news.ids[1]


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
    assert client.permission(REPO, "eve").may_triage is may


def test_a_stranger_may_nothing(client: InstallationClient) -> None:
    assert not client.permission(REPO, "nobody-ever").may_triage


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
    page, _ = client.issues_page(REPO)
    assert client.texts_as_filed(REPO, page) == [("Crash", "first", True)]


def test_without_graphql_the_text_is_uncertain(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    edited_issue(sandbox)
    sandbox.faults.answer(404, path="/graphql", message="Not Found")
    page, _ = client.issues_page(REPO)
    assert client.texts_as_filed(REPO, page) == [("Crash on start", "second", False)]


def test_a_limit_of_graphql_is_waited_for(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    edited_issue(sandbox)
    page, _ = client.issues_page(REPO)
    sandbox.faults.secondary_limit(path="/graphql", retry_after=33)
    with pytest.raises(RetryLater) as waiting:
        client.texts_as_filed(REPO, page)
    assert waiting.value.after == 33
