"""The App itself: tokens, installations, deliveries that never came through."""

from __future__ import annotations

import threading

import pytest

from bot.errors import GiveUp, Ignore, UserError
from bot.github.app import AppAuth
from bot.github.manifest import app_manifest, convert_manifest
from bot.sandbox.server import SandboxServer
from tests.fixtures.sandbox import Receiver
from tests.integration.github_client.conftest import REPO, asked


def test_a_token_is_asked_for_once_and_shared_by_threads(
    sandbox: SandboxServer, app: AppAuth
) -> None:
    installation = sandbox.install("acme", [REPO])
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.append(app.client(installation).labels(REPO)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
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
        app.client(gone).labels(REPO)
    asleep = sandbox.install("acme", [REPO])
    sandbox.suspend(asleep)
    with pytest.raises(Ignore, match="suspended"):
        app.client(asleep).labels(REPO)
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
    sent = {one.emission.guid: one.emission.event for one in sandbox.hooks.log}
    assert [sent[one.guid] for one in failed] == ["installation", "issues"]
    app.redeliver(failed[1].id)
    sandbox.hooks.wait()
    again = app.failed_deliveries()
    assert [one.guid for one in again] == [one.guid for one in failed]
    assert again[1].id != failed[1].id
    assert number == 1


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
