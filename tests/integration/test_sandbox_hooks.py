"""Deliveries of the sandbox fail, get lost, repeat and come in disorder on demand, and can be redelivered."""

from __future__ import annotations

import json

import pytest

from bot.sandbox.server import SandboxServer
from tests.contract.callers import as_app
from tests.fixtures.sandbox import Receiver

REPO = "octo/tracker"


@pytest.fixture
def live(sandbox: SandboxServer, receiver: Receiver) -> SandboxServer:
    sandbox.hook_url = receiver.url
    sandbox.add_repository(REPO)
    sandbox.install("octo", [REPO])
    assert sandbox.hooks.wait()
    receiver.received.clear()
    return sandbox


def titles(receiver: Receiver) -> list[str]:
    return [json.loads(one.body)["issue"]["title"] for one in receiver.received]


def guids(receiver: Receiver) -> list[str]:
    return [one.headers["x-github-delivery"] for one in receiver.received]


def open_issues(sandbox: SandboxServer, count: int) -> None:
    for number in range(count):
        sandbox.open_issue(REPO, title=str(number))


def test_held_deliveries_come_shuffled_and_twice(live: SandboxServer, receiver: Receiver) -> None:
    live.hooks.hold()
    open_issues(live, 8)
    assert live.hooks.wait()
    assert receiver.received == []
    live.hooks.release(shuffle=1, copies=2)
    assert live.hooks.wait()
    assert sorted(titles(receiver)) == sorted([str(n) for n in range(8)] * 2)
    assert titles(receiver) != sorted(titles(receiver))
    assert len(set(guids(receiver))) == 8


def test_a_lost_delivery_can_be_asked_for_again(live: SandboxServer, receiver: Receiver) -> None:
    live.hooks.lose(1)
    open_issues(live, 2)
    assert live.hooks.wait()
    assert titles(receiver) == ["1"]
    with as_app(live) as app:
        (failed,) = app.get("/app/hook/deliveries", params={"status": "failure"}).json()
        assert (failed["status"], failed["redelivery"]) == ("timed out", False)
        app.post(f"/app/hook/deliveries/{failed['id']}/attempts").raise_for_status()
        assert live.hooks.wait()
        newest = app.get("/app/hook/deliveries").json()[0]
    assert titles(receiver) == ["1", "0"]
    assert guids(receiver)[-1] == failed["guid"] == newest["guid"]
    assert (newest["redelivery"], newest["status"]) == (True, "OK")


def test_a_receiver_that_fails_is_not_asked_again(live: SandboxServer, receiver: Receiver) -> None:
    receiver.status = 503
    open_issues(live, 1)
    assert live.hooks.wait()
    assert len(receiver.received) == 1
    delivery = live.deliveries[-1]
    assert (delivery.status_code, delivery.status) == (503, "Invalid HTTP Response: 503")
    with as_app(live) as app:
        told = app.get(f"/app/hook/deliveries/{delivery.id}").json()
    assert told["request"]["payload"] == json.loads(receiver.received[0].body)
    assert told["response"]["headers"]["content-length"] == "0"


def test_nobody_listening_is_a_failure(live: SandboxServer, receiver: Receiver) -> None:
    live.hook_url = "http://127.0.0.1:9/nobody"
    open_issues(live, 1)
    assert live.hooks.wait()
    assert live.deliveries[-1].status_code == 502


def test_the_log_is_read_page_by_page(live: SandboxServer, receiver: Receiver) -> None:
    open_issues(live, 5)
    assert live.hooks.wait()
    seen: list[int] = []
    url = "/app/hook/deliveries?per_page=2"
    with as_app(live) as app:
        while url:
            answer = app.get(url)
            seen += [one["id"] for one in answer.json()]
            url = answer.links.get("next", {}).get("url", "")
    assert seen == [one.id for one in reversed(live.deliveries)]


def test_without_the_subscription_nothing_comes(receiver: Receiver) -> None:
    with SandboxServer(events=["label"]) as sandbox:
        sandbox.hook_url = receiver.url
        sandbox.add_repository(REPO)
        sandbox.install("octo", [REPO])
        sandbox.open_issue(REPO, title="Unheard")
        sandbox.create_label(REPO, "heard")
        assert sandbox.hooks.wait()
    heard = [one.headers["x-github-event"] for one in receiver.received]
    assert heard == ["installation", "label"]


def test_a_sleeping_installation_hears_nothing(live: SandboxServer, receiver: Receiver) -> None:
    (installation,) = live.state.installations
    live.suspend(installation)
    open_issues(live, 1)
    live.suspend(installation, on=False)
    assert live.hooks.wait()
    heard = [json.loads(one.body)["action"] for one in receiver.received]
    assert heard == ["suspend", "unsuspend"]
