"""Signed deliveries of realistic size for the receiver's benchmark, made from a seed."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from bot.web.signature import sign

WORDS = (  # noqa: SIM905
    "after upgrading the client throws an error when parsing empty response from server on linux "
    "expected behaviour is to return cached value instead of raising timeout exception while "
    "the docs say this option enables retry with exponential backoff for every failed request"
).split()
URLS = (  # noqa: SIM905
    "archive assignees blobs branches collaborators comments commits compare contents contributors "
    "deployments downloads events forks git_commits git_refs git_tags hooks issue_comment "
    "issue_events issues keys labels languages merges milestones notifications pulls releases "
    "stargazers statuses subscribers subscription tags teams trees"
).split()
KNOWN_SHARE = 0.95
"""The rest are events that are only remembered."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One HTTP request, ready to be sent, and the GUID that makes it the same as another."""

    guid: str
    known: bool
    request: bytes


def make_deliveries(
    count: int, *, secret: str, duplicates: float, seed: int
) -> tuple[list[Delivery], int]:
    """`count` requests in random order, of which that share repeats an earlier one.

    Returns:
        The requests, and the mean size of a body in bytes.
    """
    rng = random.Random(seed)
    fresh = count - round(count * duplicates)
    bodies = [json.dumps(_payload(rng, number)).encode() for number in range(1, fresh + 1)]
    made = [_delivery(rng, number, body, secret) for number, body in enumerate(bodies, start=1)]
    everything = made + rng.choices(made, k=count - fresh)
    rng.shuffle(everything)
    return everything, sum(map(len, bodies)) // fresh


def _delivery(rng: random.Random, number: int, body: bytes, secret: str) -> Delivery:
    known = rng.random() < KNOWN_SHARE
    guid = f"{rng.getrandbits(128):032x}"
    head = (
        "POST /webhook HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nUser-Agent: GitHub-Hookshot/bench\r\nAccept: */*\r\n"
        f"X-GitHub-Delivery: {guid}\r\nX-GitHub-Event: {'issues' if known else 'star'}\r\n"
        f"X-GitHub-Hook-ID: {number}\r\nX-GitHub-Hook-Installation-Target-ID: 4242\r\n"
        "X-GitHub-Hook-Installation-Target-Type: integration\r\n"
        f"X-Hub-Signature-256: {sign(secret, body)}\r\n\r\n"
    )
    return Delivery(guid, known, head.encode() + body)


def _payload(rng: random.Random, number: int) -> dict[str, object]:
    repository = rng.randrange(1, 40)
    name = f"acme/widget-{repository}"
    return {
        "action": "opened",
        "issue": {
            "id": 10_000_000 + number,
            "number": number,
            "title": _text(rng, 8),
            "body": "\r\n\r\n".join(_text(rng, 60) for _ in range(rng.randrange(2, 30))),
            "user": _account("someone", number),
            "labels": [_label(name, word) for word in rng.sample(WORDS, 3)],
            "state": "open",
            "locked": False,
            "comments": 0,
            "created_at": "2026-11-02T12:00:00Z",
            "closed_at": None,
            "author_association": "NONE",
            **_links(f"{name}/issues/{number}", ["comments", "events", "labels", "timeline"]),
        },
        "repository": {
            "id": repository,
            "full_name": name,
            "private": False,
            "owner": _account("acme", 1),
            "description": _text(rng, 12),
            "default_branch": "main",
            **_links(name, URLS),
        },
        "organization": _account("acme", 1),
        "sender": _account("someone", number),
        "installation": {"id": 77, "node_id": "MDIzOkludGVncmF0aW9u"},
    }


def _text(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(WORDS, k=words))


def _label(name: str, word: str) -> dict[str, object]:
    return {
        "id": 500 + len(word),
        "name": word,
        "color": "ededed",
        "default": False,
        "description": f"About {word}",
        "url": f"https://api.github.com/repos/{name}/labels/{word}",
    }


def _account(login: str, number: int) -> dict[str, object]:
    parts = ["followers", "following", "gists", "starred", "orgs", "repos", "events"]
    return {"login": login, "id": number, "type": "User", **_links(f"users/{login}", parts)}


def _links(path: str, parts: list[str]) -> dict[str, str]:
    base = f"https://api.github.com/repos/{path}"
    return {"url": base, **{f"{part}_url": f"{base}/{part}{{/sha}}" for part in parts}}
