"""Applying against the sandbox: never overrule a human, never create a label, survive lost answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from bot.core.types import RepositoryLabel
from bot.errors import Ignore, RetryLater
from bot.github.apply import Applied, Removed, apply_labels, remove_labels
from bot.github.client import InstallationClient
from bot.sandbox.server import SandboxServer
from tests.integration.github_client.conftest import REPO

US = "labelwright[bot]"

Apply = Callable[..., Applied]


@pytest.fixture
def number(sandbox: SandboxServer) -> int:
    return sandbox.open_issue(REPO, title="Crash")


@pytest.fixture
def known(sandbox: SandboxServer) -> dict[str, int]:
    return sandbox.labels(REPO)


@pytest.fixture
def apply(client: InstallationClient, number: int, known: dict[str, int]) -> Apply:
    def call(*wanted: str, issue: int = number) -> Applied:
        return apply_labels(client, REPO, issue, wanted, known_ids=known)

    return call


def writes(sandbox: SandboxServer) -> list[tuple[str, str]]:
    """What was written, but for the token."""
    return [
        (one.method, one.path.removeprefix(f"/repos/{REPO}"))
        for one in sandbox.requests
        if one.method != "GET" and not one.path.endswith("/access_tokens")
    ]


def labels_of(sandbox: SandboxServer, number: int) -> dict[str, str]:
    return sandbox.issue_labels(REPO, number)


def test_wanted_labels_are_put_in_one_post(
    sandbox: SandboxServer, apply: Apply, number: int
) -> None:
    assert apply("bug", "KIND/feature") == Applied(added=("bug", "kind/feature"))
    assert labels_of(sandbox, number) == {"bug": US, "kind/feature": US}
    assert writes(sandbox) == [("POST", f"/issues/{number}/labels")]


def test_a_second_run_writes_nothing(sandbox: SandboxServer, apply: Apply) -> None:
    apply("bug")
    assert apply("bug") == Applied(already=("bug",))
    assert len(writes(sandbox)) == 1


def test_what_others_set_meanwhile_stays(sandbox: SandboxServer, apply: Apply, number: int) -> None:
    sandbox.label(REPO, number, "docs", actor="eve")
    assert apply("bug", "docs") == Applied(added=("bug",), already=("docs",))
    assert labels_of(sandbox, number) == {"docs": "eve", "bug": US}


def test_a_label_that_the_repository_lacks_is_not_created(
    sandbox: SandboxServer, apply: Apply
) -> None:
    got = apply("made-up", "bug")
    assert got.added == ("bug",)
    assert got.skipped == (("made-up", "the repository has no such label"),)
    assert "made-up" not in sandbox.labels(REPO)


def test_a_deleted_label_does_not_return(sandbox: SandboxServer, apply: Apply, number: int) -> None:
    sandbox.delete_label(REPO, "bug")
    assert apply("bug").skipped == (("bug", "the label was deleted"),)
    assert "bug" not in sandbox.labels(REPO)
    assert writes(sandbox) == []


def test_a_label_that_a_human_made_anew_is_neither_used_nor_harmed(
    sandbox: SandboxServer, apply: Apply, number: int
) -> None:
    sandbox.delete_label(REPO, "bug")
    fresh = sandbox.create_label(REPO, "bug")
    got = apply("bug")
    assert (got.added, got.recreated) == ((), ())
    assert [name for name, _ in got.skipped] == ["bug"]
    assert sandbox.labels(REPO)["bug"] == fresh
    assert writes(sandbox) == []


def test_a_label_that_a_human_removed_does_not_come_back(
    sandbox: SandboxServer, apply: Apply, number: int
) -> None:
    apply("bug")
    sandbox.unlabel(REPO, number, "bug", actor="eve")
    got = apply("bug", "docs")
    assert got == Applied(added=("docs",), skipped=(("bug", "a human removed it from this issue"),))
    assert set(labels_of(sandbox, number)) == {"docs"}


def test_a_removal_holds_through_a_bots_quarrel(
    sandbox: SandboxServer, apply: Apply, number: int
) -> None:
    sandbox.label(REPO, number, "bug", actor="eve")
    sandbox.unlabel(REPO, number, "bug", actor="eve")
    sandbox.label(REPO, number, "bug", actor="stale[bot]")
    sandbox.unlabel(REPO, number, "bug", actor="stale[bot]")
    assert [name for name, _ in apply("bug").skipped] == ["bug"]


def test_another_bots_removal_binds_nobody(
    sandbox: SandboxServer, apply: Apply, number: int
) -> None:
    sandbox.label(REPO, number, "bug", actor="stale[bot]")
    sandbox.unlabel(REPO, number, "bug", actor="stale[bot]")
    assert apply("bug").added == ("bug",)


class Meanwhile:
    """A client to which something happens between the last look and the write."""

    def __init__(self, client: InstallationClient, happens: Callable[[], object]) -> None:
        self._client = client
        self._happens = happens

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)

    def add_labels(self, *args: object) -> list[RepositoryLabel]:
        self._happens()
        return self._client.add_labels(*args)  # type: ignore[arg-type]


def racing(
    client: InstallationClient,
    number: int,
    known: dict[str, int],
    happens: Callable[[], object],
    wanted: Sequence[str] = ("bug", "docs"),
) -> Applied:
    meanwhile = Meanwhile(client, happens)
    return apply_labels(meanwhile, REPO, number, wanted, known_ids=known)  # type: ignore[arg-type]


def test_a_label_deleted_in_the_moment_of_writing_is_deleted_again(
    sandbox: SandboxServer,
    client: InstallationClient,
    number: int,
    known: dict[str, int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        got = racing(client, number, known, lambda: sandbox.delete_label(REPO, "bug"))
    assert got == Applied(added=("docs",), recreated=("bug",))
    assert "bug" not in sandbox.labels(REPO)
    assert set(labels_of(sandbox, number)) == {"docs"}
    assert "deleted again" in caplog.text


def test_a_label_remade_by_a_human_in_that_moment_is_only_taken_off(
    sandbox: SandboxServer, client: InstallationClient, number: int, known: dict[str, int]
) -> None:
    def remake() -> None:
        sandbox.delete_label(REPO, "bug")
        sandbox.create_label(REPO, "bug", description="Ours now")

    got = racing(client, number, known, remake)
    assert (got.added, got.recreated) == (("docs",), ())
    assert [name for name, _ in got.skipped] == ["bug"]
    assert "bug" in sandbox.labels(REPO)
    assert set(labels_of(sandbox, number)) == {"docs"}


def test_a_recreation_that_was_cut_short_is_undone_on_the_next_try(
    sandbox: SandboxServer, client: InstallationClient, number: int, known: dict[str, int]
) -> None:
    def delete_and_cut() -> None:
        sandbox.delete_label(REPO, "bug")
        sandbox.faults.drop(path="/labels", method="POST", after=True)

    with pytest.raises(RetryLater):
        racing(client, number, known, delete_and_cut)
    assert "bug" in sandbox.labels(REPO)
    got = apply_labels(client, REPO, number, ["bug", "docs"], known_ids=known)
    assert got == Applied(already=("docs",), recreated=("bug",))
    assert "bug" not in sandbox.labels(REPO)
    assert set(labels_of(sandbox, number)) == {"docs"}


def test_a_lost_answer_is_settled_by_the_next_try(
    sandbox: SandboxServer, apply: Apply, number: int
) -> None:
    sandbox.faults.drop(path="/labels", method="POST", after=True)
    with pytest.raises(RetryLater):
        apply("bug")
    assert apply("bug") == Applied(already=("bug",))
    assert len(sandbox.events(REPO, number)) == 1


def test_a_locked_or_closed_issue_can_still_be_labelled(
    sandbox: SandboxServer, apply: Apply, number: int
) -> None:
    sandbox.close_issue(REPO, number)
    sandbox.lock_issue(REPO, number)
    assert apply("bug").added == ("bug",)


def test_pull_requests_and_lost_issues_are_ignored(
    sandbox: SandboxServer, apply: Apply, number: int
) -> None:
    request = sandbox.open_issue(REPO, title="PR", is_pull_request=True)
    sandbox.delete_issue(REPO, number)
    for issue in (request, number, 404):
        with pytest.raises(Ignore):
            apply("bug", issue=issue)
    assert writes(sandbox) == []


def test_a_rename_in_between_changes_nothing(
    sandbox: SandboxServer, apply: Apply, number: int
) -> None:
    sandbox.rename_repository(REPO, "gadget")
    assert apply("bug").added == ("bug",)
    assert sandbox.issue_labels("acme/gadget", number) == {"bug": US}


def test_nothing_wanted_writes_nothing(sandbox: SandboxServer, apply: Apply) -> None:
    assert apply() == Applied()
    assert writes(sandbox) == []


def test_only_labels_of_our_own_are_taken_off(
    sandbox: SandboxServer, client: InstallationClient, apply: Apply, number: int
) -> None:
    apply("bug")
    sandbox.label(REPO, number, "docs", actor="eve")
    got = remove_labels(client, REPO, number, ["bug", "docs", "kind/feature"])
    assert got == Removed(
        removed=("bug",),
        absent=("kind/feature",),
        skipped=(("docs", "somebody else put it there"),),
    )
    assert labels_of(sandbox, number) == {"docs": "eve"}


def test_a_label_of_ours_that_a_human_put_back_is_the_humans(
    sandbox: SandboxServer, client: InstallationClient, apply: Apply, number: int
) -> None:
    apply("bug")
    sandbox.unlabel(REPO, number, "bug", actor="eve")
    sandbox.label(REPO, number, "bug", actor="eve")
    assert remove_labels(client, REPO, number, ["bug"]).skipped
    assert set(labels_of(sandbox, number)) == {"bug"}


def test_a_person_who_asks_has_the_last_word(
    sandbox: SandboxServer, client: InstallationClient
) -> None:
    number = sandbox.open_issue(REPO, title="Crash")
    sandbox.label(REPO, number, "bug", "ann")
    sandbox.unlabel(REPO, number, "bug", "ann")
    known = sandbox.labels(REPO)
    refused = apply_labels(client, REPO, number, ["bug"], known_ids=known)
    assert refused.added == ()
    assert apply_labels(
        client,
        REPO,
        number,
        ["bug"],
        known_ids=known,
        asked_at=datetime.now(UTC) + timedelta(seconds=1),
    ).added
    sandbox.label(REPO, number, "docs", "ann")
    assert remove_labels(client, REPO, number, ["docs"]).removed == ()
    assert remove_labels(
        client, REPO, number, ["docs"], asked_at=datetime.now(UTC) + timedelta(seconds=1)
    ).removed == ("docs",)
