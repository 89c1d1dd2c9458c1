"""Real payloads, collected by Octokit: what every real one of a kind has, ours has too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import reduce
from typing import Any

import pytest

from bot.sandbox.server import SandboxServer
from tests.contract.test_webhooks import live_through_everything
from tests.fixtures.sandbox import Receiver
from tests.peers.node import install

pytestmark = pytest.mark.peers

KINDS = [
    ("installation", "created"),
    ("installation", "deleted"),
    ("installation_repositories", "added"),
    ("installation_repositories", "removed"),
    ("issue_comment", "created"),
    ("issue_comment", "deleted"),
    ("issue_comment", "edited"),
    ("issues", "deleted"),
    ("issues", "edited"),
    ("issues", "labeled"),
    ("issues", "opened"),
    ("issues", "transferred"),
    ("issues", "unlabeled"),
    ("label", "created"),
    ("label", "deleted"),
    ("label", "edited"),
    ("push", None),
    ("repository", "renamed"),
]
"""Without `ping`: their example is of a repository's hook, ours of an App's."""
PARTS = ("comment", "installation", "issue", "label", "repository", "sender")


@pytest.fixture(scope="module")
def examples() -> dict[str, list[dict[str, Any]]]:
    folder = install("@octokit/webhooks-examples") / "@octokit" / "webhooks-examples"
    listed = json.loads((folder / "api.github.com" / "index.json").read_text())
    return {entry["name"]: entry["examples"] for entry in listed}


@pytest.fixture(scope="module")
def sent() -> Iterator[list[tuple[str, dict[str, Any]]]]:
    receiver = Receiver()
    with SandboxServer() as sandbox:
        sandbox.hook_url = receiver.url
        live_through_everything(sandbox)
        assert sandbox.hooks.wait()
    yield [(one.headers["x-github-event"], json.loads(one.body)) for one in receiver.received]
    receiver.close()


def always(payloads: list[dict[str, Any]], part: str | None) -> set[str]:
    """Keys that all of these have, in one part or at the top."""
    parts = [one if part is None else one.get(part) for one in payloads]
    found = [set(one) for one in parts if isinstance(one, dict)]
    return reduce(set.intersection, found) if len(found) == len(parts) else set()


@pytest.mark.parametrize(("event", "action"), KINDS)
def test_what_the_real_ones_always_have_ours_has(
    examples: dict[str, list[dict[str, Any]]],
    sent: list[tuple[str, dict[str, Any]]],
    event: str,
    action: str | None,
) -> None:
    real = [one for one in examples[event] if one.get("action") == action]
    mine = [one for name, one in sent if name == event and one.get("action") == action]
    assert real
    assert mine
    for part in (None, *PARTS):
        assert always(real, part) - always(mine, part) == set(), part
