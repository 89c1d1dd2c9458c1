"""Every route of the sandbox is walked, and every answer held against GitHub's description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from bot.core.types import LabelSpec
from bot.sandbox.handling import ROUTES
from bot.sandbox.router import Route, match
from bot.sandbox.server import SandboxServer
from tests.contract.callers import as_app, as_installation, caller
from tests.contract.openapi import operations, validate_requests
from tests.fixtures.sandbox import Receiver

REPO = "octo/tracker"
HERE = f"/repos/{REPO}"


def walk_as_app(app: httpx.Client, installation: int, *, delivery: int, code: str) -> None:
    app.get("/app")
    app.get("/app/installations", params={"per_page": 1})
    app.get(f"/app/installations/{installation}")
    app.get("/app/installations/1")
    app.get(f"{HERE}/installation")
    app.post(f"/app/installations/{installation}/access_tokens")
    app.post(
        f"/app/installations/{installation}/access_tokens",
        json={"repositories": ["tracker"], "permissions": {"issues": "read"}},
    )
    app.post(
        f"/app/installations/{installation}/access_tokens",
        json={"permissions": {"members": "write"}},
    )
    app.get("/app/hook/deliveries", params={"per_page": 2, "status": "success"})
    app.get(f"/app/hook/deliveries/{delivery}")
    app.post(f"/app/hook/deliveries/{delivery}/attempts")
    config = app.get("/app/hook/config").json()
    app.patch("/app/hook/config", json={"url": config["url"]})
    app.post(f"/app-manifests/{code}/conversions")
    app.post(f"/app-manifests/{code}/conversions")


def walk_as_bot(bot: httpx.Client, number: int) -> None:
    issue = f"{HERE}/issues/{number}"
    bot.get("/installation/repositories")
    bot.get("/rate_limit")
    bot.get(HERE)
    bot.get(f"{HERE}/contents/.github/labelwright.yml")
    bot.get(f"{HERE}/contents/absent.yml")
    bot.get(f"{HERE}/collaborators/tina/permission")
    bot.get(f"{HERE}/labels", params={"per_page": 1})
    bot.post(f"{HERE}/labels", json={"name": "fresh", "color": "00ff00", "description": "New"})
    bot.post(f"{HERE}/labels", json={"name": "fresh"})
    bot.get(f"{HERE}/labels/kind%2Fdocs")
    bot.get(f"{HERE}/labels/absent")
    bot.patch(f"{HERE}/labels/fresh", json={"new_name": "stale", "description": "Old"})
    bot.delete(f"{HERE}/labels/stale")
    bot.post(f"{issue}/labels", json={"labels": ["bug", "made-up"]})
    suggested = {"name": "kind/docs", "suggest": True, "confidence": "high", "rationale": "Words"}
    bot.post(f"{issue}/labels", json={"labels": [suggested]})
    bot.post(f"{issue}/labels", json={"labels": [{"name": "fresh-too", "suggest": True}]})
    bot.post(f"{issue}/labels", json={"labels": [{"name": "question", "suggest": True}]})
    bot.get(f"{issue}/labels")
    bot.delete(f"{issue}/labels/bug")
    bot.delete(f"{issue}/labels/bug")
    bot.post(f"{issue}/comments", json={"body": "Because of the trace"})
    walk_reading(bot, issue)


def walk_reading(bot: httpx.Client, issue: str) -> None:
    bot.get(f"{HERE}/issues", params={"state": "all", "sort": "updated", "direction": "asc"})
    bot.get(f"{HERE}/issues", params={"since": "2020-01-01T00:00:00Z", "per_page": 1})
    bot.get(f"{HERE}/issues/events")
    etag = bot.get(issue).headers["etag"]
    assert bot.get(issue, headers={"If-None-Match": etag}).status_code == 304
    bot.get(f"{HERE}/issues/999")
    bot.get(f"{issue}/events")
    bot.get(f"{issue}/timeline")
    bot.get(f"{issue}/comments")
    bot.get(f"{issue}/suggestions", params={"state": "all"})
    query = 'query($n:Int!){repository(owner:"octo",name:"tracker"){issue(number:$n){title}}}'
    bot.post("/graphql", json={"query": query, "variables": {"n": 1}})


def walk_as_person(person: httpx.Client, number: int) -> None:
    issue = f"{HERE}/issues/{number}"
    made = person.post(f"{HERE}/issues", json={"title": "From a person"}).json()["number"]
    person.patch(f"{HERE}/issues/{made}", json={"title": "Better", "state": "closed"})
    first, second = person.get(f"{issue}/suggestions").json()
    person.post(f"{issue}/suggestions/{first['id']}/approve")
    person.post(f"{issue}/suggestions/{second['id']}/dismiss")
    comment = person.get(f"{issue}/comments").json()[0]["id"]
    there = f"{HERE}/issues/comments/{comment}"
    person.get(there)
    person.post(f"{there}/reactions", json={"content": "-1"})
    person.get(f"{there}/reactions")
    person.patch(there, json={"body": "Because of the log"})
    person.delete(there)


@pytest.fixture(scope="module")
def walked() -> Iterator[SandboxServer]:
    receiver = Receiver()
    with SandboxServer(record=True) as sandbox:
        sandbox.hook_url = receiver.url
        installation, number = furnish(sandbox)
        walk_as_owner(sandbox, installation)
        with as_installation(sandbox, installation) as bot:
            walk_as_bot(bot, number)
        with caller(sandbox, sandbox.user_token("octo")) as person:
            walk_as_person(person, number)
            walk_away(person, sandbox, number)
        yield sandbox
    receiver.close()


def furnish(sandbox: SandboxServer) -> tuple[int, int]:
    """An installation, and the number of an open issue."""
    labels = [LabelSpec("bug", "Broken"), LabelSpec("kind/docs"), LabelSpec("question")]
    sandbox.add_repository(REPO, labels=labels, suggestions="on")
    installation = sandbox.install("octo", [REPO])
    past = datetime(2024, 2, 3, tzinfo=UTC)
    sandbox.seed_issue(
        REPO, title="Old", body="Old body", created_at=past, labels=["bug"], closed_at=past,
        filed_as=("Older", "Older body"),
    )  # fmt: skip
    sandbox.open_issue(REPO, title="A change", is_pull_request=True)
    number = sandbox.open_issue(REPO, title="Broken", body="Badly", labels=["bug"])
    sandbox.put_file(REPO, ".github/labelwright.yml", "mode: apply\n")
    sandbox.set_role(REPO, "tina", "triage")
    assert sandbox.hooks.wait()
    return installation, number


def walk_as_owner(sandbox: SandboxServer, installation: int) -> None:
    manifest = {"name": "Another", "redirect_url": "http://localhost/done"}
    code = sandbox.keep_manifest(dict(manifest))
    with as_app(sandbox) as app:
        walk_as_app(app, installation, delivery=sandbox.deliveries[0].id, code=code)
        form = {"manifest": json.dumps(manifest)}
        app.post("/settings/apps/new", params={"state": "x"}, data=form)
        app.post("/organizations/octo/settings/apps/new", data=form)


def walk_away(person: httpx.Client, sandbox: SandboxServer, number: int) -> None:
    sandbox.delete_issue(REPO, number)
    person.get(f"{HERE}/issues/{number}")
    sandbox.rename_repository(REPO, "renamed")
    person.get(HERE)
    person.post(f"{HERE}/issues/1/labels", json={"labels": ["bug"]})


def test_every_answer_is_as_described(walked: SandboxServer) -> None:
    assert validate_requests(walked.requests) > 60


def test_every_route_was_walked(walked: SandboxServer) -> None:
    seen: set[Route] = set()
    for one in walked.requests:
        if hit := match(ROUTES, one.method, one.path):
            seen.add(hit[0])
    assert set(ROUTES) - seen == set()


def test_every_described_call_is_offered(walked: SandboxServer) -> None:
    answered = {(one.method, one.path) for one in walked.requests if 200 <= one.status < 400}

    def offered(method: str, template: str) -> bool:
        shape = re.compile(re.sub(r"\{\w+\}", ".+", template))
        return any(verb == method and shape.fullmatch(path) for verb, path in answered)

    assert [one for one in operations() if not offered(*one)] == []
