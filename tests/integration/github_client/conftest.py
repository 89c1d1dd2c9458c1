"""One repository in the sandbox, an App on it, and a judge of whatever is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.core.types import LabelSpec
from bot.github.app import AppAuth
from bot.github.client import InstallationClient
from bot.sandbox.server import SandboxServer
from tests.contract.openapi import validate_requests

REPO = "acme/widget"
LABELS = (
    LabelSpec("bug", "Something is broken"),
    LabelSpec("kind/feature", "A wish"),
    LabelSpec("docs"),
)
LONG_AGO = datetime(2024, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def judged(sandbox: SandboxServer) -> Iterator[None]:
    """Whatever a test sent must be what GitHub's own description allows."""
    sandbox.add_repository(REPO, labels=LABELS)
    yield
    # Renamed repositories redirect every read; the description lists that for some. 0: judge the request only.
    validate_requests(
        replace(one, status=0) if one.status == 301 else one for one in sandbox.requests
    )


@pytest.fixture
def app(sandbox: SandboxServer) -> Iterator[AppAuth]:
    with AppAuth(sandbox.app_id, sandbox.private_key, api_url=sandbox.url) as auth:
        yield auth


@pytest.fixture
def client(sandbox: SandboxServer, app: AppAuth) -> InstallationClient:
    return app.client(sandbox.install("acme", [REPO]))


def asked(sandbox: SandboxServer, method: str, tail: str) -> int:
    """How often a path with this end was asked for."""
    return sum(one.method == method and one.path.endswith(tail) for one in sandbox.requests)
