"""Webhooks of repositories, label definitions, pushes and installations -> events."""

from __future__ import annotations

from typing import Any

import pytest

from bot.github.occurrences import (
    InstallationCreated,
    InstallationDeleted,
    InstallationSuspended,
    LabelDefinitionChanged,
    Push,
    RepositoriesAdded,
    RepositoriesRemoved,
    RepositoryDeleted,
    RepositoryRenamed,
    RepositoryVisibilityChanged,
)
from tests.unit.webhook_bodies import parsed, payload


def test_a_renamed_label_tells_its_id_and_its_new_name() -> None:
    label = {"id": 11, "name": "kind/bug", "color": "d73a4a", "description": None}
    got = parsed("label", payload("edited", label=label, changes={"name": {"from": "bug"}}))
    assert isinstance(got, LabelDefinitionChanged)
    assert (got.action, got.label.github_id, got.label.name) == ("edited", 11, "kind/bug")


def test_a_renamed_repository_tells_its_old_full_name() -> None:
    changes = {"repository": {"name": {"from": "gadget"}}}
    got = parsed("repository", payload("renamed", changes=changes))
    assert isinstance(got, RepositoryRenamed)
    assert got.old_full_name == "acme/gadget"


@pytest.mark.parametrize("kind", ["user", "organization"])
def test_a_transferred_repository_tells_its_old_owner(kind: str) -> None:
    got = parsed(
        "repository",
        payload("transferred", changes={"owner": {"from": {kind: {"login": "oldco"}}}}),
    )
    assert isinstance(got, RepositoryRenamed)
    assert got.old_full_name == "oldco/widget"


def test_the_other_turns_of_a_repository() -> None:
    assert isinstance(parsed("repository", payload("deleted")), RepositoryDeleted)
    hidden = parsed("repository", payload("privatized"))
    assert isinstance(hidden, RepositoryVisibilityChanged)
    assert hidden.private
    assert not parsed("repository", payload("publicized")).private


def push(ref: str = "refs/heads/main", **more: Any) -> Push:
    got = parsed("push", payload(ref=ref, **more))
    assert isinstance(got, Push)
    return got


@pytest.mark.parametrize("change", ["added", "modified", "removed"])
def test_a_push_tells_whether_it_touched_the_rules(change: str) -> None:
    assert push(commits=[{change: [".github/labelwright.yml"]}]).touches_rules
    assert not push(commits=[{change: ["docs/labelwright.yml"]}]).touches_rules


def test_a_push_that_hides_its_commits_counts_as_touching() -> None:
    assert push(commits=[], forced=True).touches_rules
    assert push(commits=[{}] * 2048).touches_rules
    assert not push(commits=[{}] * 2047).touches_rules


def test_a_push_knows_the_default_branch() -> None:
    assert push().on_default_branch
    assert not push("refs/heads/feature/main").on_default_branch


def test_an_installation_brings_its_repositories() -> None:
    body = payload(
        "created",
        installation={"id": 42, "account": {"login": "acme"}},
        repositories=[{"id": 7, "full_name": "acme/widget", "private": False}],
    )
    got = parsed("installation", body)
    assert isinstance(got, InstallationCreated)
    assert (got.installation_id, got.account) == (42, "acme")
    assert [row.full_name for row in got.repositories] == ["acme/widget"]


def test_the_other_turns_of_an_installation() -> None:
    assert isinstance(parsed("installation", payload("deleted")), InstallationDeleted)
    suspended = parsed("installation", payload("suspend"))
    assert isinstance(suspended, InstallationSuspended)
    assert suspended.suspended
    assert not parsed("installation", payload("unsuspend")).suspended


def test_repositories_come_and_go() -> None:
    rows = [{"id": 9, "full_name": "acme/new", "private": True}]
    added = parsed("installation_repositories", payload("added", repositories_added=rows))
    removed = parsed("installation_repositories", payload("removed", repositories_removed=rows))
    assert isinstance(added, RepositoriesAdded)
    assert isinstance(removed, RepositoriesRemoved)
    assert [row.id for row in added.repositories] == [9]
    assert [row.id for row in removed.repositories] == [9]
