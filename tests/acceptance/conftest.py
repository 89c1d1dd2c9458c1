"""One running stack for all acceptance tests; what it sent and got is held against GitHub's description."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from bot.classify.encoder import Encoder
from bot.core.types import LabelSpec
from bot.sandbox.sample import load_sample
from bot.sandbox.server import SandboxServer
from tests.acceptance.past import sample_issues
from tests.acceptance.stack import Repo, Stack, open_test_context, receiving
from tests.contract.openapi import validate_exchange
from tests.fixtures.context import only_if_all
from tests.fixtures.database import fresh_database

ENOUGH = 5
"""Exchanges of one shape that are judged; a judgement takes milliseconds, and there are thousands."""


@pytest.fixture(scope="package")
def stack(template_url: str, encoder: Encoder) -> Iterator[Stack]:
    with (
        pytest.MonkeyPatch.context() as patch,
        fresh_database(template_url) as database,
        SandboxServer(record=True, rate_limit=1_000_000) as sandbox,
        receiving(database, sandbox.webhook_secret) as hook_url,
    ):
        patch.setattr("bot.core.silence.silent", only_if_all)
        sandbox.hook_url = hook_url
        stack = Stack(open_test_context(database, sandbox, encoder), sandbox)
        stack.start_worker()
        yield stack
        stack.stop_worker()
        stack.context.auth.close()


@pytest.fixture(scope="package")
def learned(stack: Stack) -> Repo:
    """A repository with a history; its promise is low, for that little evidence to give cuts."""
    labels = [LabelSpec(label.name, label.description) for label in load_sample().labels]
    return stack.repository(history=sample_issues(100), labels=labels, rules="precision: 0.5\n")


@pytest.fixture(scope="package")
def judged() -> Counter[tuple[str, str, int]]:
    """How many exchanges of each shape were judged."""
    return Counter()


@pytest.fixture(autouse=True)
def described(stack: Stack, judged: Counter[tuple[str, str, int]]) -> Iterator[None]:
    """Whatever a test made the bot send, and get, is as GitHub describes it; and nothing is left over."""
    before = len(stack.sandbox.requests)
    yield
    stack.sandbox.faults.clear()
    stack.settle()
    for one in stack.sandbox.requests[before:]:
        shape = (one.method, re.sub(r"\d+|/repos/[^/]+/[^/]+", "*", one.path), one.status)
        judged[shape] += 1
        if judged[shape] <= ENOUGH:
            # Redirects are described for some calls only: there the request alone is judged.
            status = 0 if one.status in (301, 307) else one.status
            validate_exchange(
                one.method, one.url, one.request_headers, one.request_body,
                status, one.response_headers, one.response_body,
            )  # fmt: skip
