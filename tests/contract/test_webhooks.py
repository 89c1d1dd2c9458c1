"""Every webhook of the sandbox is signed as GitHub signs and shaped as GitHub describes."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator

import pytest

from bot.core.types import LabelSpec
from bot.sandbox.server import SandboxServer
from tests.contract.callers import as_installation
from tests.contract.openapi import validate_webhook
from tests.fixtures.sandbox import Received, Receiver

REPO = "octo/tracker"
EXPECTED = {
    ("installation", "created"),
    ("installation", "deleted"),
    ("installation", "new_permissions_accepted"),
    ("installation", "suspend"),
    ("installation", "unsuspend"),
    ("installation_repositories", "added"),
    ("installation_repositories", "removed"),
    ("issue_comment", "created"),
    ("issue_comment", "edited"),
    ("issue_comment", "deleted"),
    ("issues", "closed"),
    ("issues", "deleted"),
    ("issues", "edited"),
    ("issues", "labeled"),
    ("issues", "opened"),
    ("issues", "reopened"),
    ("issues", "transferred"),
    ("issues", "unlabeled"),
    ("label", "created"),
    ("label", "deleted"),
    ("label", "edited"),
    ("ping", None),
    ("push", None),
    ("repository", "archived"),
    ("repository", "deleted"),
    ("repository", "renamed"),
    ("repository", "unarchived"),
}


def live_through_everything(sandbox: SandboxServer) -> None:
    labels = [LabelSpec("bug", "Broken"), LabelSpec("kind/docs")]
    sandbox.add_repository(REPO, labels=labels)
    sandbox.add_repository("octo/other", labels=labels)
    sandbox.ping()
    installation = sandbox.install("octo", [REPO])
    sandbox.change_repositories(installation, add=["octo/other"])
    live_with_issues(sandbox)
    sandbox.create_label(REPO, "question", description="Asks")
    sandbox.edit_label(REPO, "question", new_name="support", description="Wants help")
    sandbox.delete_label(REPO, "support")
    sandbox.put_file(REPO, ".github/labelwright.yml", "mode: apply\n")
    with as_installation(sandbox, installation) as bot:
        comment = bot.get(f"/repos/{REPO}/issues/1/comments").json()[0]["url"]
        bot.patch(comment, json={"body": "Me too, twice"})
        bot.delete(comment)
    sandbox.rename_repository(REPO, "renamed")
    sandbox.archive_repository("octo/renamed")
    sandbox.archive_repository("octo/renamed", on=False)
    sandbox.delete_repository("octo/renamed")
    sandbox.grant(installation, checks="read")
    sandbox.change_repositories(installation, remove=["octo/other"])
    sandbox.suspend(installation)
    sandbox.suspend(installation, on=False)
    sandbox.uninstall(installation)


def live_with_issues(sandbox: SandboxServer) -> None:
    number = sandbox.open_issue(REPO, title="Broken", body=None, labels=["bug"])
    sandbox.edit_issue(REPO, number, title="Badly broken", body="See the trace")
    sandbox.label(REPO, number, "kind/docs")
    sandbox.unlabel(REPO, number, "bug", "tina")
    sandbox.comment(REPO, number, "Me too")
    sandbox.close_issue(REPO, number, reason="not_planned")
    sandbox.reopen_issue(REPO, number)
    wandering = sandbox.open_issue(REPO, title="Elsewhere", labels=["bug"])
    sandbox.transfer_issue(REPO, wandering, "octo/other")
    sandbox.delete_issue(REPO, sandbox.open_issue(REPO, title="Spam"))


@pytest.fixture(scope="module")
def told() -> Iterator[tuple[SandboxServer, list[Received]]]:
    receiver = Receiver()
    with SandboxServer() as sandbox:
        sandbox.hook_url = receiver.url
        live_through_everything(sandbox)
        assert sandbox.hooks.wait()
        yield sandbox, receiver.received
    receiver.close()


def named(one: Received) -> tuple[str, str | None]:
    return one.headers["x-github-event"], json.loads(one.body).get("action")


def test_every_kind_was_sent(told: tuple[SandboxServer, list[Received]]) -> None:
    assert {named(one) for one in told[1]} == EXPECTED


def test_every_payload_is_as_described(told: tuple[SandboxServer, list[Received]]) -> None:
    for one in told[1]:
        validate_webhook(*named(one), one.body)


def test_every_header_is_there(told: tuple[SandboxServer, list[Received]]) -> None:
    sandbox, received = told
    for one in received:
        digest = hmac.new(sandbox.webhook_secret.encode(), one.body, hashlib.sha256).hexdigest()
        assert one.headers["x-hub-signature-256"] == f"sha256={digest}"
        assert one.headers["x-github-hook-installation-target-id"] == str(sandbox.app_id)
        assert one.headers["x-github-hook-installation-target-type"] == "integration"
        assert one.headers["content-type"] == "application/json"
        assert one.headers["user-agent"].startswith("GitHub-Hookshot/")
    guids = {uuid.UUID(one.headers["x-github-delivery"]) for one in received}
    assert len(guids) == len(received)


def test_order_is_kept(told: tuple[SandboxServer, list[Received]]) -> None:
    order = [named(one) for one in told[1]]
    assert order[:2] == [("ping", None), ("installation", "created")]
    assert order[-1] == ("installation", "deleted")
    assert order.index(("issues", "opened")) < order.index(("issues", "labeled"))


def test_events_of_a_repository_name_the_installation(
    told: tuple[SandboxServer, list[Received]],
) -> None:
    for one in told[1]:
        payload = json.loads(one.body)
        if named(one)[0] != "ping":
            assert payload["installation"]["id"] > 0
            assert payload["sender"]["login"]
        if named(one)[0] in ("issues", "label", "push", "repository", "issue_comment"):
            assert payload["repository"]["full_name"].startswith("octo/")
