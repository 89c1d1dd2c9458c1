"""A repository that we know, a way to handle what is told of it, and what schedules reach."""

from __future__ import annotations

import pytest

from bot.jobs.context import Context
from bot.jobs.schedule import Reach
from bot.sandbox.server import SandboxServer
from tests.fixtures.sandbox import Receiver
from tests.integration.jobs_at_hand import Tell, known, telling


@pytest.fixture
def tell(context: Context, sandbox: SandboxServer, receiver: Receiver) -> Tell:
    return telling(context, sandbox, receiver)


@pytest.fixture
def repository_id(context: Context, sandbox: SandboxServer, tell: Tell) -> int:
    return known(context, sandbox, tell)


@pytest.fixture
def reach(context: Context) -> Reach:
    return Reach(context.database, context.auth, write_interval=1.0)
