"""The sandbox fails on demand, and says afterwards what it did all the same."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from bot.core.types import LabelSpec
from bot.sandbox.server import SandboxServer
from tests.contract.callers import as_installation

REPO = "octo/tracker"
LABELS = f"/repos/{REPO}/issues/1/labels"


@pytest.fixture
def bot(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    sandbox.add_repository(REPO, labels=[LabelSpec("bug")])
    sandbox.open_issue(REPO, title="It breaks")
    with as_installation(sandbox, sandbox.install("octo")) as client:
        yield client


def put(bot: httpx.Client) -> httpx.Response:
    return bot.post(LABELS, json={"labels": ["bug"]})


def test_the_next_ones_fail_and_then_no_more(sandbox: SandboxServer, bot: httpx.Client) -> None:
    sandbox.faults.answer(500, path="/labels$", method="POST", times=2)
    assert bot.get(LABELS).status_code == 200
    assert [put(bot).status_code for _ in range(3)] == [500, 500, 200]
    assert len(sandbox.events(REPO, 1)) == 1


def test_work_can_be_done_before_it_fails(sandbox: SandboxServer, bot: httpx.Client) -> None:
    sandbox.faults.answer(502, method="POST", after=True)
    assert put(bot).status_code == 502
    assert set(sandbox.issue_labels(REPO, 1)) == {"bug"}


def test_the_connection_breaks_after_the_work(sandbox: SandboxServer, bot: httpx.Client) -> None:
    sandbox.faults.drop(method="POST")
    with pytest.raises(httpx.RemoteProtocolError):
        put(bot)
    assert set(sandbox.issue_labels(REPO, 1)) == {"bug"}
    assert put(bot).status_code == 200


def test_the_connection_breaks_before_the_work(sandbox: SandboxServer, bot: httpx.Client) -> None:
    sandbox.faults.drop(after=False)
    with pytest.raises(httpx.RemoteProtocolError):
        put(bot)
    assert sandbox.issue_labels(REPO, 1) == {}
    assert sandbox.requests[-1].status == 0


@pytest.mark.parametrize("status", [403, 429])
def test_the_brake_on_writes(sandbox: SandboxServer, bot: httpx.Client, status: int) -> None:
    sandbox.faults.secondary_limit(status=429 if status == 429 else 403, retry_after=7)
    answer = put(bot)
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "7")
    assert "secondary rate limit" in answer.json()["message"]
    sandbox.faults.secondary_limit(retry_after=None)
    assert "retry-after" not in put(bot).headers


def test_an_answer_can_be_late(sandbox: SandboxServer, bot: httpx.Client) -> None:
    sandbox.faults.delay(0.4)
    with pytest.raises(httpx.ReadTimeout):
        bot.get(LABELS, timeout=0.05)
    assert bot.get(LABELS).status_code == 200


def test_what_waits_can_be_called_off(sandbox: SandboxServer, bot: httpx.Client) -> None:
    sandbox.faults.answer(500, times=100)
    sandbox.faults.clear()
    assert put(bot).status_code == 200


def test_the_log_says_what_was_asked(sandbox: SandboxServer, bot: httpx.Client) -> None:
    put(bot)
    last = sandbox.requests[-1]
    assert (last.method, last.path, last.status) == ("POST", LABELS, 200)
    assert last.body == {"labels": ["bug"]}
    assert isinstance(last.answer, list)
    assert all("ghs_" not in str(one.request_headers) for one in sandbox.requests)


def test_a_quiet_log_keeps_no_answers() -> None:
    with SandboxServer() as sandbox:
        sandbox.add_repository(REPO)
        with as_installation(sandbox, sandbox.install("octo")) as client:
            client.get(f"/repos/{REPO}")
        assert [(one.method, one.response_body) for one in sandbox.requests] == [
            ("POST", b""),
            ("GET", b""),
        ]
