"""Repositories and installations come, change their names, pause and go; we serve those that want us."""

from __future__ import annotations

import pytest

from bot.jobs.schedule import Reach, reconcile
from tests.acceptance.past import plain_history
from tests.acceptance.stack import EAGER, US, Repo, Stack


@pytest.fixture
def repo(stack: Stack) -> Repo:
    return stack.repository(rules=EAGER)


def last_outcome(repo: Repo) -> str:
    return repo.deliveries("issues", "opened")[-1].status


def test_a_renamed_repository_is_served_under_its_new_name(repo: Repo, stack: Stack) -> None:
    stack.sandbox.rename_repository(repo.full_name, "moved")
    stack.settle()
    assert repo.row().full_name == f"{repo.owner}/moved"
    renamed = Repo(stack, f"{repo.owner}/moved", repo.id, repo.installation_id)
    assert renamed.labels(renamed.open()) == {"bug": US}


def test_a_rename_that_we_were_not_told_of_is_followed(repo: Repo, stack: Stack) -> None:
    stack.sandbox.hooks.lose(1)
    stack.sandbox.rename_repository(repo.full_name, "moved")
    stack.settle()
    assert repo.row().full_name == repo.full_name
    renamed = Repo(stack, f"{repo.owner}/moved", repo.id, repo.installation_id)
    assert renamed.labels(renamed.open()) == {"bug": US}


def test_a_rename_before_the_write_loses_no_label(repo: Repo, stack: Stack) -> None:
    with stack.just_before(
        "POST", "/labels$", lambda: stack.sandbox.rename_repository(repo.full_name, "moved")
    ) as met:
        number = repo.open()
    assert met
    renamed = Repo(stack, f"{repo.owner}/moved", repo.id, repo.installation_id)
    assert renamed.labels(number) == {"bug": US}
    assert renamed.our_events(number) == [("labeled", "bug")]


def test_a_suspended_installation_is_left_alone_until_it_wakes(repo: Repo, stack: Stack) -> None:
    with stack.idle():
        number = repo.open(settle=False)
        assert stack.sandbox.hooks.wait()
        stack.sandbox.suspend(repo.installation_id)
        assert stack.sandbox.hooks.wait()
    stack.settle()
    assert repo.labels(number) == {}
    assert last_outcome(repo) == "ignored"
    assert repo.writes() == []
    stack.sandbox.suspend(repo.installation_id, on=False)
    stack.settle()
    assert repo.labels(repo.open()) == {"bug": US}


def test_a_repository_taken_from_the_app_is_left_alone(repo: Repo, stack: Stack) -> None:
    with stack.idle():
        number = repo.open(settle=False)
        assert stack.sandbox.hooks.wait()
        stack.sandbox.change_repositories(repo.installation_id, remove=[repo.full_name])
        assert stack.sandbox.hooks.wait()
        # The removal is known first.
        stack.sql(
            "UPDATE procrastinate_jobs SET priority = 1 WHERE (args->>'delivery_id')::bigint ="
            " (SELECT max(id) FROM deliveries)"
        )
    stack.settle()
    assert repo.row().status == "removed"
    assert repo.labels(number) == {}
    assert last_outcome(repo) == "ignored"


def test_a_repository_that_comes_back_is_learned_anew(repo: Repo, stack: Stack) -> None:
    stack.sandbox.change_repositories(repo.installation_id, remove=[repo.full_name])
    stack.settle()
    stack.sandbox.change_repositories(repo.installation_id, add=[repo.full_name])
    stack.settle()
    assert repo.row().status == "ready"
    assert repo.labels(repo.open()) == {"bug": US}


def test_an_uninstalled_app_does_nothing_more(repo: Repo, stack: Stack) -> None:
    stack.sandbox.uninstall(repo.installation_id)
    stack.settle()
    assert repo.row().status == "removed"
    before = len(stack.sandbox.requests)
    stack.run_again(repo.deliveries("installation", "created")[-1])
    assert repo.row().status == "removed"
    assert [one for one in stack.sandbox.requests[before:] if one.status < 400] == []


def test_a_second_repository_is_met_when_it_is_added(repo: Repo, stack: Stack) -> None:
    stack.sandbox.add_repository(f"{repo.owner}/second")
    stack.sandbox.create_label(f"{repo.owner}/second", "bug")
    for issue in plain_history(3):
        stack.sandbox.seed_issue(
            f"{repo.owner}/second", title=issue.title, body=issue.body,
            labels=issue.labels, created_at=issue.created_at,
        )  # fmt: skip
    stack.sandbox.change_repositories(repo.installation_id, add=[f"{repo.owner}/second"])
    stack.settle()
    found = stack.sql(
        "SELECT r.status, count(i.id) FROM repositories r JOIN issues i ON i.repository_id = r.id"
        " WHERE full_name = :name GROUP BY r.id",
        name=f"{repo.owner}/second",
    )
    assert [tuple(row) for row in found] == [("ready", 3)]


def test_an_installation_that_we_were_not_told_of_is_found(stack: Stack) -> None:
    repo = stack.repository(rules=EAGER, install=False)
    stack.sandbox.hooks.lose(1)
    stack.sandbox.install(repo.owner, [repo.full_name])
    stack.settle()
    reach = Reach(stack.database, stack.context.auth, write_interval=0.0)
    assert reconcile(reach) == "1 repositories met"
    stack.settle()
    assert repo.row().status == "ready"
    assert reconcile(reach) == "0 repositories met"


def test_a_deleted_issue_is_let_go(repo: Repo, stack: Stack) -> None:
    stack.sandbox.faults.answer(503, method="POST", path="/labels$")
    number = repo.open(settle=False)
    stack.sandbox.hooks.wait()
    stack.sandbox.delete_issue(repo.full_name, number)
    stack.settle()
    assert {e.status for e in repo.effects(number)} <= {"skipped"}
    assert stack.failed_jobs() == 0


def test_an_archived_or_lost_permission_ends_as_failed_with_its_reason(
    repo: Repo, stack: Stack
) -> None:
    stack.sandbox.faults.answer(
        403,
        method="POST",
        path="/labels$",
        message="Resource not accessible by integration",
        headers={"X-Accepted-GitHub-Permissions": "issues=write"},
    )
    number = repo.open()
    delivery = repo.deliveries("issues", "opened")[-1]
    assert delivery.status == "failed"
    assert "issues: write" in delivery.outcome
    assert [e.status for e in repo.effects(number) if e.label == "bug"] == ["failed"]
    stack.sql("DELETE FROM procrastinate_jobs WHERE status = 'failed'")


def test_visibility_is_kept(repo: Repo, stack: Stack) -> None:
    assert repo.row().private is False
    hidden = stack.repository(private=True)
    assert hidden.row().private is True
