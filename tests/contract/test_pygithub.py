"""PyGithub, which knows GitHub better than we do, finds nothing odd in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from github import Auth, Github, GithubException, GithubIntegration, UnknownObjectException

from bot.core.types import LabelSpec
from bot.sandbox.server import SandboxServer

REPO = "octo/tracker"
PERMISSIONS = {"issues": "write", "metadata": "read", "contents": "read"}


@pytest.fixture
def installed(sandbox: SandboxServer) -> int:
    labels = [LabelSpec("bug", "Something is broken"), LabelSpec("kind/docs", "Words")]
    sandbox.add_repository(REPO, labels=labels)
    return sandbox.install("octo", [REPO])


@pytest.fixture
def github(sandbox: SandboxServer, installed: int) -> Iterator[Github]:
    auth = Auth.AppAuth(sandbox.app_id, sandbox.private_key).get_installation_auth(
        installed, token_permissions=PERMISSIONS
    )
    client = Github(
        auth=auth,
        base_url=sandbox.url,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )
    yield client
    client.close()


def test_the_app_sees_itself_and_its_installations(sandbox: SandboxServer, installed: int) -> None:
    auth = Auth.AppAuth(sandbox.app_id, sandbox.private_key)
    integration = GithubIntegration(auth=auth, base_url=sandbox.url)
    assert integration.get_app().slug == "labelwright"
    assert [one.id for one in integration.get_installations()] == [installed]
    assert integration.get_repo_installation("octo", "tracker").id == installed
    repositories = integration.get_app_installation(installed).get_repos()
    assert [repository.full_name for repository in repositories] == [REPO]
    token = integration.get_access_token(installed, permissions={"issues": "read"})
    assert token.permissions == {"issues": "read", "metadata": "read"}
    assert len(token.token) > 500
    integration.close()


def test_labels_go_on_and_off_in_the_name_of_the_bot(
    sandbox: SandboxServer, github: Github
) -> None:
    number = sandbox.open_issue(REPO, title="It breaks", body="Badly")
    issue = github.get_repo(REPO).get_issue(number)
    issue.add_to_labels("BUG", "kind/docs")
    assert [label.name for label in issue.get_labels()] == ["bug", "kind/docs"]
    issue.remove_from_labels("kind/docs")
    told = [(event.event, event.actor.login) for event in issue.get_events()]
    bot = "labelwright[bot]"
    assert told == [("labeled", bot), ("labeled", bot), ("unlabeled", bot)]
    assert sandbox.issue_labels(REPO, number) == {"bug": bot}
    with pytest.raises(GithubException, match="Label does not exist"):
        issue.remove_from_labels("kind/docs")


def test_a_label_that_does_not_exist_is_created(sandbox: SandboxServer, github: Github) -> None:
    number = sandbox.open_issue(REPO, title="It breaks")
    github.get_repo(REPO).get_issue(number).add_to_labels("surprise")
    assert "surprise" in sandbox.labels(REPO)


def test_label_definitions(sandbox: SandboxServer, github: Github) -> None:
    repository = github.get_repo(REPO)
    made = repository.create_label("area: net", "00ff00", "Sockets")
    assert repository.get_label("area: net").description == "Sockets"
    made.edit("area: http", "00ff01", description="Requests")
    assert [label.name for label in repository.get_labels()] == ["area: http", "bug", "kind/docs"]
    assert sandbox.labels(REPO)["area: http"] == made.raw_data["id"]
    made.delete()
    with pytest.raises(UnknownObjectException):
        repository.get_label("area: http")
    with pytest.raises(GithubException) as refused:
        repository.create_label("Bug", "00ff00")
    assert refused.value.status == 422


def test_issues_are_listed_page_by_page(sandbox: SandboxServer, github: Github) -> None:
    for number in range(1, 36):
        moment = datetime(2024, 1, 1, number % 24, tzinfo=UTC)
        sandbox.seed_issue(REPO, title=f"#{number}", body=None, created_at=moment)
    found = github.get_repo(REPO).get_issues(state="all", sort="created", direction="asc")
    assert sorted(issue.number for issue in found) == list(range(1, 36))
    dates = [issue.created_at for issue in found]
    assert dates == sorted(dates)


def test_comments_and_reactions(sandbox: SandboxServer, github: Github) -> None:
    number = sandbox.open_issue(REPO, title="It breaks")
    issue = github.get_repo(REPO).get_issue(number)
    comment = issue.create_comment("Why these labels")
    comment.edit("Why this label")
    assert comment.create_reaction("+1").content == "+1"
    assert [one.body for one in issue.get_comments()] == ["Why this label"]
    assert [one.content for one in comment.get_reactions()] == ["+1"]
    comment.delete()
    assert issue.get_comments().totalCount == 0


def test_an_issue_is_opened_edited_and_closed(sandbox: SandboxServer, github: Github) -> None:
    issue = github.get_repo(REPO).create_issue("Typo", body="In the readme", labels=["kind/docs"])
    issue.edit(title="Typo in the readme", state="closed", state_reason="not_planned")
    again = github.get_repo(REPO).get_issue(issue.number)
    assert (again.title, again.state_reason) == ("Typo in the readme", "not_planned")
    assert [event.event for event in again.get_timeline()] == ["labeled", "renamed", "closed"]
    assert again.performed_via_github_app.slug == "labelwright"


def test_contents_and_roles(sandbox: SandboxServer, github: Github) -> None:
    sandbox.put_file(REPO, ".github/labelwright.yml", "mode: suggest\n")
    sandbox.set_role(REPO, "tina", "triage")
    repository = github.get_repo(REPO)
    content = repository.get_contents(".github/labelwright.yml")
    assert not isinstance(content, list)
    assert content.decoded_content == b"mode: suggest\n"
    assert repository.get_collaborator_permission("tina") == "read"
    assert repository.get_collaborator_role_name("tina") == "triage"
    with pytest.raises(UnknownObjectException):
        repository.get_contents("nothing.yml")


def test_a_renamed_repository_is_found_by_its_old_name(
    sandbox: SandboxServer, github: Github
) -> None:
    number = sandbox.open_issue(REPO, title="It breaks")
    sandbox.rename_repository(REPO, "issues")
    repository = github.get_repo(REPO)
    assert repository.full_name == "octo/issues"
    assert repository.get_issue(number).title == "It breaks"


def test_rate_limit_is_told(sandbox: SandboxServer, github: Github) -> None:
    before = github.get_rate_limit().rate.remaining
    github.get_repo(REPO)
    assert github.get_rate_limit().rate.remaining == before - 1
