"""`labelwright backfill owner/name`: learned here and now, or told where the App is installed."""

from __future__ import annotations

import pytest

from bot.errors import UserError
from bot.jobs.context import Context
from bot.jobs.learning.backfill import backfill_now
from bot.sandbox.server import SandboxServer
from bot.store import heads, repositories
from tests.integration.jobs_at_hand import REPO, furnish, queued


def test_a_repository_is_learned_from_nothing(context: Context, sandbox: SandboxServer) -> None:
    repository_id, _ = furnish(sandbox, 4)
    said: list[str] = []
    backfill_now(context, REPO.upper(), say=said.append)
    read, learned = said
    assert read == f"read 4 issues and 4 label events of {REPO}"
    assert learned.startswith(f"learned 2 labels from 4 issues of {REPO} (backfill): ")
    with context.database.session() as session:
        row = repositories.get(session, repository_id)
        head = heads.active(session, repository_id)
    assert row is not None
    assert head is not None
    assert (row.status, row.full_name, row.head_id) == ("ready", REPO, head.id)
    assert (head.bundle, head.reason) == (context.encoder.bundle_id, "backfill")
    assert queued(context) == []


def test_again_makes_the_next_version(context: Context, sandbox: SandboxServer) -> None:
    repository_id, _ = furnish(sandbox, 2)
    for _ in range(2):
        backfill_now(context, REPO, say=lambda _: None)
    with context.database.session() as session:
        assert [head.version for head in heads.versions(session, repository_id)] == [2, 1]


def test_where_the_app_is_not_installed(context: Context, sandbox: SandboxServer) -> None:
    with pytest.raises(UserError, match=r"not installed on acme/widget; it is .* nowhere yet"):
        backfill_now(context, REPO, say=print)
    furnish(sandbox)
    with pytest.raises(UserError, match="not installed on acme/other; it is installed on: acme/wi"):
        backfill_now(context, "acme/other", say=print)


def test_a_suspended_installation_does_not_count(context: Context, sandbox: SandboxServer) -> None:
    _, installation_id = furnish(sandbox)
    sandbox.suspend(installation_id)
    with pytest.raises(UserError, match="not installed"):
        backfill_now(context, REPO, say=print)
