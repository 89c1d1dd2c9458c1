"""Limits, outages and refused tokens: what is raised, and that nothing is sent twice."""

from __future__ import annotations

import functools
import threading
from typing import Literal

import pytest

from bot.errors import GiveUp, RetryLater
from bot.github.client import (
    InstallationClient,
)
from bot.sandbox.server import SandboxServer
from tests.integration.github_client.conftest import LABELS, REPO, asked


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
