"""A repository as tasks find it, deliveries handled by hand, and the queue as they leave it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, text

from bot.core.types import LabelSpec
from bot.errors import Ignore, RetryLater
from bot.github.events import parse_event
from bot.jobs.context import Context
from bot.jobs.handlers import handle
from bot.sandbox.server import SandboxServer
from bot.store import installations, repositories
from bot.store.tables import Delivery, Repository
from tests.fixtures.sandbox import Receiver

REPO = "acme/widget"
LABELS = (LabelSpec("bug", "Something is broken"), LabelSpec("feature", "A wish"))
LONG_AGO = datetime(2024, 3, 1, 12, tzinfo=UTC)


def furnish(
    sandbox: SandboxServer, issues: int = 0, *, labels: Sequence[LabelSpec] = LABELS
) -> tuple[int, int]:
    """A repository with that many labelled issues; its id and its installation's."""
    repository_id = sandbox.add_repository(REPO, labels=labels)
    for n in range(1, issues + 1):
        sandbox.seed_issue(
            REPO, title=f"Crash {n}", body="a bug in the file", labels=["bug"],
            created_at=LONG_AGO + timedelta(hours=n),
        )  # fmt: skip
    return repository_id, sandbox.install("acme", [REPO])


def met(context: Context, sandbox: SandboxServer, issues: int = 0, **options: Any) -> int:
    """The same, known to the store; the repository's id."""
    repository_id, installation_id = furnish(sandbox, issues, **options)
    with context.database.session() as session:
        installations.upsert(session, id=installation_id, account="acme", write_interval=0.0)
        repositories.upsert(
            session, id=repository_id, installation_id=installation_id,
            full_name=REPO, private=False,
        )  # fmt: skip
    return repository_id


def handled(context: Context, event: str, body: bytes, *, age: float = 3600.0) -> str:
    """The outcome of a delivery that came `age` seconds ago, or why there is none."""
    occurred = parse_event(event, body, us=context.auth.identity())
    with context.database.session() as session:
        came = datetime.now(UTC) - timedelta(seconds=age)
        row = {
            "target_id": 0,
            "guid": str(uuid4()),
            "event": event,
            "body": b"",
            "received_at": came,
        }
        delivery_id = session.scalars(insert(Delivery).values(row).returning(Delivery.id)).one()
    try:
        return handle(context, occurred, delivery_id=delivery_id)
    except Ignore as reason:
        return f"ignored: {reason}"
    except RetryLater as reason:
        return f"later: {reason}"


Tell = Callable[[], list[str]]


def telling(context: Context, sandbox: SandboxServer, receiver: Receiver) -> Tell:
    """Handles what the sandbox has sent since the last call; gives the outcomes."""
    sandbox.hook_url = receiver.url
    told = 0

    def tell() -> list[str]:
        nonlocal told
        assert sandbox.hooks.wait()
        new, told = receiver.received[told:], len(receiver.received)
        return [handled(context, one.headers["x-github-event"], one.body) for one in new]

    return tell


def known(context: Context, sandbox: SandboxServer, tell: Tell) -> int:
    """The id of a repository that we know; nothing of it was told or queued."""
    repository_id = met(context, sandbox)
    tell()
    with context.database.session() as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
    return repository_id


def row(context: Context, repository_id: int) -> Repository:
    with context.database.session() as session:
        found = repositories.get(session, repository_id)
        assert found is not None
        return found


def queued(context: Context) -> list[tuple[str, dict[str, Any]]]:
    """(task, arguments) of every job, in order."""
    with context.database.session() as session:
        rows = session.execute(text("SELECT task_name, args FROM procrastinate_jobs ORDER BY id"))
        return [(row.task_name, row.args) for row in rows]


def count(context: Context, table: str) -> int:
    with context.database.session() as session:
        return int(session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())
