"""What every answer of the sandbox has: a version, a budget, an ETag, pages, redirects."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from bot.sandbox.auth import issue_token
from bot.sandbox.handling import Incoming, Outgoing, respond
from bot.sandbox.sandbox import Sandbox
from tests.fixtures.sandbox import ask

REPO = "octo/tracker"
HERE = f"/repos/{REPO}"
DAY = datetime(2024, 1, 1, tzinfo=UTC)


@pytest.fixture
def world() -> Sandbox:
    sandbox = Sandbox(rate_limit=40)
    sandbox.add_repository(REPO)
    return sandbox


@pytest.fixture
def owner(world: Sandbox) -> str:
    return world.user_token("octo")


def following(answer: Outgoing) -> str | None:
    hit = re.search(r'<http://localhost([^>]+)>; rel="next"', answer.headers.get("Link", ""))
    return hit[1] if hit else None


def test_an_unknown_version_is_refused(world: Sandbox, owner: str) -> None:
    wrong = ask(world, "GET", HERE, credential=owner, x_github_api_version="1999-01-01")
    assert wrong.status == 400
    right = ask(world, "GET", HERE, credential=owner, x_github_api_version="2026-03-10")
    assert right.headers["X-GitHub-Api-Version-Selected"] == "2026-03-10"


def test_a_caller_without_a_name_is_refused(world: Sandbox, owner: str) -> None:
    assert ask(world, "GET", HERE, credential=owner, user_agent="").status == 403


def test_broken_json_is_refused(world: Sandbox, owner: str) -> None:
    world.open_issue(REPO, title="x")
    headers = {"user-agent": "tests", "authorization": f"token {owner}"}
    request = Incoming("POST", f"{HERE}/issues/1/labels", {}, headers, b"{labels")
    assert respond(world.state, world.application.limits, request).status == 400


def test_the_budget_is_told_and_kept(world: Sandbox, owner: str) -> None:
    for left in range(39, -1, -1):
        answer = ask(world, "GET", HERE, credential=owner)
        assert answer.headers["X-RateLimit-Remaining"] == str(left)
    refused = ask(world, "GET", HERE, credential=owner)
    assert refused.status == 403
    assert "rate limit exceeded" in json.loads(refused.content)["message"]
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert ask(world, "GET", "/rate_limit", credential=owner).status == 200


def test_what_has_not_changed_is_free(world: Sandbox, owner: str) -> None:
    number = world.open_issue(REPO, title="x")
    path = f"{HERE}/issues/{number}"
    first = ask(world, "GET", path, credential=owner)
    known = first.headers["ETag"]
    again = ask(world, "GET", path, credential=owner, if_none_match=known)
    assert (again.status, again.content) == (304, b"")
    assert again.headers["X-RateLimit-Used"] == first.headers["X-RateLimit-Used"]
    world.edit_issue(REPO, number, title="y")
    assert ask(world, "GET", path, credential=owner, if_none_match=known).status == 200


def test_cursors_lead_through_a_changing_list(world: Sandbox, owner: str) -> None:
    for number in range(25):
        world.seed_issue(REPO, title=f"{number}", body=None, created_at=DAY + timedelta(number))
    seen: list[int] = []
    target: str | None = f"{HERE}/issues?state=open&sort=created&direction=asc&per_page=10"
    while target:
        answer = ask(world, "GET", target, credential=owner)
        seen += [issue["number"] for issue in json.loads(answer.content)]
        world.close_issue(REPO, seen[-1])
        target = following(answer)
    assert seen == list(range(1, 26))


def test_lists_come_newest_first_unless_asked(world: Sandbox, owner: str) -> None:
    for number in range(3):
        world.seed_issue(REPO, title=f"{number}", body=None, created_at=DAY + timedelta(number))
    answer = ask(world, "GET", f"{HERE}/issues?per_page=2", credential=owner)
    assert [issue["number"] for issue in json.loads(answer.content)] == [3, 2]
    target = following(answer)
    assert target is not None
    assert "after=" in target
    last = ask(world, "GET", target, credential=owner)
    assert [issue["number"] for issue in json.loads(last.content)] == [1]


def test_deep_pages_of_issues_are_refused(world: Sandbox, owner: str) -> None:
    assert ask(world, "GET", f"{HERE}/issues?page=10&per_page=100", credential=owner).status == 200
    deep = ask(world, "GET", f"{HERE}/issues?page=12&per_page=100", credential=owner)
    assert deep.status == 422
    assert ask(world, "GET", f"{HERE}/issues?after=nonsense", credential=owner).status == 400


def test_issues_are_filtered(world: Sandbox, owner: str) -> None:
    world.create_label(REPO, "bug")
    world.seed_issue(REPO, title="1", body=None, created_at=DAY, closed_at=DAY)
    world.seed_issue(REPO, title="2", body=None, created_at=DAY, labels=["bug"], author="ann")

    def found(query: str) -> list[int]:
        answer = ask(world, "GET", f"{HERE}/issues?{query}", credential=owner)
        return [issue["number"] for issue in json.loads(answer.content)]

    assert found("") == [2]
    assert found("state=all") == [2, 1]
    assert found("state=closed") == [1]
    assert found("state=all&labels=BUG") == [2]
    assert found("state=all&creator=ann") == [2]
    assert found("state=all&since=2024-01-01T00:04:00Z") == [2]


def test_a_former_name_redirects(world: Sandbox, owner: str) -> None:
    id_ = world.state.repository(REPO).id
    world.open_issue(REPO, title="x")
    world.rename_repository(REPO, "issues")
    read = ask(world, "GET", f"{HERE}/issues/1?a=b", credential=owner)
    assert read.status == 301
    assert read.headers["Location"] == f"http://localhost/repositories/{id_}/issues/1?a=b"
    write = ask(world, "POST", f"{HERE}/issues/1/labels", {"labels": ["x"]}, credential=owner)
    assert write.status == 307
    target = write.headers["Location"].removeprefix("http://localhost")
    assert ask(world, "POST", target, {"labels": ["x"]}, credential=owner).status == 200
    assert set(world.issue_labels("octo/issues", 1)) == {"x"}


def test_a_transferred_issue_leads_on_and_a_deleted_one_is_gone(world: Sandbox, owner: str) -> None:
    world.add_repository("octo/other")
    other = world.state.repository("octo/other").id
    for title in ("moves", "goes"):
        world.open_issue(REPO, title=title)
    world.transfer_issue(REPO, 1, "octo/other")
    world.delete_issue(REPO, 2)
    moved = ask(world, "GET", f"{HERE}/issues/1/labels", credential=owner)
    assert moved.headers["Location"].endswith(f"/repositories/{other}/issues/1/labels")
    assert ask(world, "GET", f"{HERE}/issues/2", credential=owner).status == 410
    assert json.loads(ask(world, "GET", f"{HERE}/issues", credential=owner).content) == []


def test_an_archived_repository_cannot_be_written(world: Sandbox, owner: str) -> None:
    world.open_issue(REPO, title="x")
    world.archive_repository(REPO)
    assert ask(world, "GET", f"{HERE}/issues/1", credential=owner).status == 200
    path = f"{HERE}/issues/1/labels"
    assert ask(world, "POST", path, {"labels": ["x"]}, credential=owner).status == 403


def test_a_locked_issue_takes_no_comments_from_outside(world: Sandbox, owner: str) -> None:
    world.open_issue(REPO, title="x")
    world.lock_issue(REPO, 1)
    path = f"{HERE}/issues/1/comments"
    anybody = world.user_token("anybody")
    assert ask(world, "POST", path, {"body": "Hi"}, credential=anybody).status == 403
    assert ask(world, "POST", path, {"body": "Hi"}, credential=owner).status == 201


def test_writes_can_be_braked() -> None:
    sandbox = Sandbox(writes_per_minute=2)
    sandbox.add_repository(REPO)
    sandbox.open_issue(REPO, title="x")
    installation = sandbox.state.installations[sandbox.install("octo")]
    made = issue_token(
        sandbox.state, installation, permissions=installation.permissions, repository_ids=None
    )

    def write() -> Outgoing:
        path = f"{HERE}/issues/1/labels"
        return ask(sandbox, "POST", path, {"labels": ["x"]}, credential=made.value)

    assert [write().status for _ in range(3)] == [200, 200, 403]
    assert 1 <= int(write().headers["Retry-After"]) <= 60
    assert ask(sandbox, "GET", HERE, credential=made.value).status == 200


def test_a_deleted_repository_is_nowhere(world: Sandbox, owner: str) -> None:
    world.rename_repository(REPO, "issues")
    world.delete_repository("octo/issues")
    assert ask(world, "GET", HERE, credential=owner).status == 404
    assert ask(world, "GET", "/repos/octo/issues", credential=owner).status == 404
    world.add_repository(REPO)
    assert ask(world, "GET", HERE, credential=owner).status == 200
