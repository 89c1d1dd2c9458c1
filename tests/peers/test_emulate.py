"""One scenario through two stateful GitHubs, ours and `emulate`: what they answer and send is the same."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import pytest

from bot.sandbox.server import SandboxServer
from bot.sandbox.world import shared_key
from tests.fixtures.sandbox import Received, Receiver
from tests.peers.emulate import running, seed

pytestmark = pytest.mark.peers

LOGIN, SECRET = "ann", "peer-secret"
HERE = f"/repos/{LOGIN}/tracker"
BOT = "labelwright[bot]"


@dataclass(frozen=True)
class Place:
    """A GitHub to act in."""

    url: str
    app_id: int
    person_token: str
    receiver: Receiver


@dataclass
class Seen:
    """What one run of the scenario saw, told without ids, times and addresses."""

    answers: dict[str, Any] = field(default_factory=dict)
    payloads: list[Received] = field(default_factory=list)

    def named(self, event: str, action: str) -> list[dict[str, Any]]:
        told = [
            json.loads(one.body) for one in self.payloads if one.headers["x-github-event"] == event
        ]
        return [one for one in told if one.get("action") == action]


def client(place: Place, credential: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {credential}"}
    return httpx.Client(base_url=place.url, headers=headers, timeout=20, follow_redirects=True)


def app_jwt(place: Place) -> str:
    now = int(time.time())
    claims = {"iat": now - 30, "exp": now + 500, "iss": str(place.app_id)}
    return jwt.encode(claims, shared_key(), algorithm="RS256")


def tokens(place: Place) -> tuple[str, str]:
    """One that may write issues, one that may read them."""
    with client(place, app_jwt(place)) as app:
        (installation,) = app.get("/app/installations").json()
        path = f"/app/installations/{installation['id']}/access_tokens"
        made = [
            app.post(path, json={"permissions": {"issues": level, "metadata": "read"}})
            for level in ("write", "read")
        ]
    return made[0].json()["token"], made[1].json()["token"]


def names(answer: httpx.Response) -> list[str]:
    return [label["name"] for label in answer.json()]


def events(answer: httpx.Response) -> list[tuple[str, str, str, str | None, str | None]]:
    return [
        (
            event["event"],
            event["actor"]["login"],
            event["actor"]["type"],
            (event.get("label") or {}).get("name"),
            (event.get("performed_via_github_app") or {}).get("slug"),
        )
        for event in answer.json()
    ]


def pages(bot: httpx.Client) -> list[list[int]]:
    found = []
    url = f"{HERE}/issues?state=all&sort=created&direction=asc&per_page=2"
    while url:
        answer = bot.get(url)
        found.append([issue["number"] for issue in answer.json()])
        url = answer.links.get("next", {}).get("url", "")
    return found


def prepare(person: httpx.Client) -> list[int]:
    for name, description in (("bug", "Broken"), ("docs", "Words"), ("old", "Gone soon")):
        made = {"name": name, "color": "d73a4a", "description": description}
        assert person.post(f"{HERE}/labels", json=made).status_code == 201
    opened = []
    for title in ("One", "Two", "Three", "Four", "Five"):
        issue = {"title": title, "body": f"{title} breaks", "labels": ["bug"][: title == "One"]}
        opened.append(person.post(f"{HERE}/issues", json=issue).json()["number"])
    return opened


def bot_part(bot: httpx.Client, number: int) -> dict[str, Any]:
    labels = f"{HERE}/issues/{number}/labels"
    return {
        "adding": names(bot.post(labels, json={"labels": ["bug", "docs"]})),
        "adding again": names(bot.post(labels, json={"labels": ["docs"]})),
        "having": names(bot.get(labels)),
        "removing": names(bot.delete(f"{labels}/docs")),
        "removing again": bot.delete(f"{labels}/docs").status_code,
        "events": events(bot.get(f"{HERE}/issues/{number}/events")),
        "definitions": names(bot.get(f"{HERE}/labels", params={"per_page": 100})),
        "comment": bot.post(
            f"{HERE}/issues/{number}/comments", json={"body": "Why: the trace"}
        ).json()["user"]["login"],
        "absent issue": bot.get(f"{HERE}/issues/4711").status_code,
        "absent label": bot.get(f"{HERE}/labels/absent").status_code,
        "absent file": bot.get(f"{HERE}/contents/absent.yml").status_code,
        "pages": pages(bot),
        "limits": sorted(name for name in bot.get(HERE).headers if name.startswith("x-ratelimit-")),
    }


def person_part(person: httpx.Client, number: int) -> dict[str, Any]:
    labels = f"{HERE}/issues/{number}/labels"
    closed = person.patch(f"{HERE}/issues/{number}", json={"state": "closed"}).json()
    renamed = person.patch(f"{HERE}/labels/old", json={"new_name": "older"}).json()
    return {
        "adding as a person": names(person.post(labels, json={"labels": ["docs"]})),
        "closing": (closed["state"], closed["closed_at"] is not None),
        "renaming": (renamed["name"], person.get(f"{HERE}/labels/old").status_code),
        "deleting": person.delete(f"{HERE}/labels/older").status_code,
        "events then": events(person.get(f"{HERE}/issues/{number}/events")),
        "timeline": [
            event["event"] for event in person.get(f"{HERE}/issues/{number}/timeline").json()
        ],
    }


def scenario(place: Place) -> Seen:
    seen = Seen()
    write, read = tokens(place)
    with client(place, place.person_token) as person, client(place, write) as bot:
        opened = prepare(person)
        seen.answers |= {"opened": opened} | bot_part(bot, opened[1])
        seen.answers |= person_part(person, opened[1])
        keys = bot.get(f"{HERE}/issues/{opened[1]}").json().keys()
        seen.answers["issue"] = sorted(keys & CORE_KEYS)
    with client(place, read) as weak:
        labels = f"{HERE}/issues/{opened[0]}/labels"
        seen.answers["writing with a read token"] = weak.post(
            labels, json={"labels": ["docs"]}
        ).status_code
    with client(place, "ghs_wrong") as stranger:
        seen.answers["a wrong token"] = stranger.get("/installation/repositories").status_code
    seen.payloads = place.receiver.received
    return seen


CORE_KEYS = {
    "assignees", "author_association", "body", "closed_at", "comments", "comments_url", "created_at",
    "events_url", "html_url", "id", "labels", "labels_url", "locked", "milestone", "node_id",
    "number", "performed_via_github_app", "reactions", "repository_url", "state", "state_reason",
    "timeline_url", "title", "updated_at", "url", "user",
}  # fmt: skip


SETTINGS = {
    "allow_auto_merge", "allow_merge_commit", "allow_rebase_merge", "allow_squash_merge",
    "delete_branch_on_merge", "permissions",
}  # fmt: skip
"""They put them into every webhook; GitHub tells them to who asks for the repository."""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    receiver = Receiver()
    seeded = seed(
        app_id=4242, private_key=shared_key(), secret=SECRET, hook_url=receiver.url, login=LOGIN
    )
    with running(tmp_path_factory.mktemp("emulate"), seeded) as url:
        seen = scenario(Place(url, 4242, "person-token", receiver))
        settle(receiver)
        yield seen
    receiver.close()


@pytest.fixture(scope="module")
def ours() -> Iterator[Seen]:
    receiver = Receiver()
    with SandboxServer(webhook_secret=SECRET) as sandbox:
        sandbox.hook_url = receiver.url
        sandbox.add_repository(f"{LOGIN}/tracker", organization=False)
        sandbox.install(LOGIN)
        person = sandbox.user_token(LOGIN)
        seen = scenario(Place(sandbox.url, sandbox.app_id, person, receiver))
        assert sandbox.hooks.wait()
        yield seen
    receiver.close()


def settle(receiver: Receiver) -> None:
    """Until nothing more comes for a second: it does not say when it has sent everything."""
    count = -1
    while count != len(receiver.received):
        count = len(receiver.received)
        time.sleep(1)


def test_the_answers_are_the_same(ours: Seen, theirs: Seen) -> None:
    mine, peers = dict(ours.answers), dict(theirs.answers)
    for name in ("events", "events then", "timeline", "limits", "a wrong token"):
        del mine[name], peers[name]  # see below
    assert mine == peers


@pytest.mark.parametrize("name", ["events", "events then"])
def test_the_events_are_the_same(ours: Seen, theirs: Seen, name: str) -> None:
    """Theirs has an `opened` that GitHub's list of events lacks, and does not name the App."""
    peers = [one for one in theirs.answers[name] if one[0] != "opened"]
    assert [one[:4] for one in ours.answers[name]] == [one[:4] for one in peers]
    by_bot = [one[4] for one in ours.answers[name] if one[1] == BOT]
    assert set(by_bot) == {"labelwright"}


def test_the_timelines_are_the_same(ours: Seen, theirs: Seen) -> None:
    """Theirs tells no comments there."""
    mine = [kind for kind in ours.answers["timeline"] if kind != "commented"]
    assert mine == [kind for kind in theirs.answers["timeline"] if kind != "opened"]


def test_we_tell_every_limit_that_they_tell(ours: Seen, theirs: Seen) -> None:
    assert set(theirs.answers["limits"]) <= set(ours.answers["limits"])


def test_a_wrong_token_is_refused(ours: Seen, theirs: Seen) -> None:
    """They say 404; GitHub documents 401."""
    assert (ours.answers["a wrong token"], theirs.answers["a wrong token"]) == (401, 404)


def told(seen: Seen) -> list[tuple[str, str | None, str]]:
    """What was sent for issues and comments: event, action, by whom."""
    found = []
    for one in seen.payloads:
        payload = json.loads(one.body)
        event = one.headers["x-github-event"]
        if event in ("issues", "issue_comment"):
            found.append((event, payload.get("action"), payload["sender"]["login"]))
    return sorted(found)


def test_the_webhooks_are_the_same(ours: Seen, theirs: Seen) -> None:
    """They send no `labeled` for the label that an issue is born with; GitHub does."""
    assert told(ours) == sorted([*told(theirs), ("issues", "labeled", LOGIN)])


@pytest.mark.parametrize("action", ["opened", "labeled", "unlabeled", "closed"])
def test_the_payloads_have_the_same_keys(ours: Seen, theirs: Seen, action: str) -> None:
    mine, peers = ours.named("issues", action)[0], theirs.named("issues", action)[0]
    assert peers.keys() <= mine.keys()
    for part in ("issue", "repository", "sender", "label"):
        assert peers.get(part, {}).keys() - SETTINGS <= mine.get(part, {}).keys(), part
    assert mine["installation"].keys() == peers["installation"].keys()


def test_the_signatures_verify(ours: Seen, theirs: Seen) -> None:
    for one in [*ours.payloads, *theirs.payloads]:
        digest = hmac.new(SECRET.encode(), one.body, hashlib.sha256).hexdigest()
        assert one.headers["x-hub-signature-256"] == f"sha256={digest}"
