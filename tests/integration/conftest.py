"""A repository that we know, a way to handle what is told of it, what schedules reach, and a takeover."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from bot.classify.build import build_bundle
from bot.classify.bundle import read_bundle
from bot.jobs.context import Context
from bot.jobs.schedule import Reach
from bot.sandbox.server import SandboxServer
from tests.fixtures.sandbox import Receiver
from tests.integration.jobs_at_hand import Tell, known, telling
from tests.integration.lessons import taught
from tests.integration.takeovers import Deployment


@pytest.fixture
def tell(context: Context, sandbox: SandboxServer, receiver: Receiver) -> Tell:
    return telling(context, sandbox, receiver)


@pytest.fixture
def repository_id(context: Context, sandbox: SandboxServer, tell: Tell) -> int:
    return known(context, sandbox, tell)


@pytest.fixture
def reach(context: Context) -> Reach:
    return Reach(context.database, context.auth, write_interval=1.0)


@pytest.fixture(scope="session")
def other_bundle(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model again, cut at 12 tokens: another bundle with other vectors."""
    out = tmp_path_factory.mktemp("other") / "bundle"
    build_bundle(tiny_weights, out, max_tokens=12)
    return out


@pytest.fixture
def there(
    context: Context, sandbox: SandboxServer, tiny_bundle: Path, other_bundle: Path, tmp_path: Path
) -> Deployment:
    repository_id = taught(context, sandbox, 40)
    with context.database.session() as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
    return Deployment(context, repository_id, tiny_bundle, other_bundle, tmp_path / "bundles")


@pytest.fixture
def old(tiny_bundle: Path) -> str:
    return read_bundle(tiny_bundle).manifest.bundle_id


@pytest.fixture
def new(other_bundle: Path) -> str:
    return read_bundle(other_bundle).manifest.bundle_id
