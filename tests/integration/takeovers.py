"""A deployment with a bundle that serves and one that wants to; its queue is worked off by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from bot.errors import Ignore
from bot.jobs.context import Context
from bot.jobs.queue import TASK_EMBED, TASK_SWAP
from bot.jobs.rollout.demotion import demote
from bot.jobs.rollout.promotion import promote
from bot.jobs.tasks import TASKS
from bot.sandbox.server import SandboxServer
from bot.store import bundles, heads, repositories
from bot.store.tables import Head
from tests.integration.down_the_road import Road
from tests.integration.jobs_at_hand import REPO

MOVING = (TASK_EMBED, TASK_SWAP)


@dataclass(frozen=True)
class Deployment:
    """`old` is the bundle of the settings, `new` another one; `place` is where promoted ones live."""

    context: Context
    repository_id: int
    old: Path
    new: Path
    place: Path

    def promote(self, bundle: Path | None = None, *, run_id: int | None = None) -> str:
        return promote(
            self.context.database, bundle or self.new, bundles_dir=self.place,
            configured=self.old, run_id=run_id,
        )  # fmt: skip

    def demote(self) -> str:
        return demote(self.context.database, why="by hand")

    def work_off(self, *tasks: str, most: int = 100) -> list[str]:
        """Run the waiting jobs of these tasks in their order; the names of those that ran."""
        ran: list[str] = []
        while len(ran) < most and (job := self._take(tasks)) is not None:
            name, args = job
            try:
                TASKS[name](self.context, **args)
            except Ignore:
                name = f"{name} ignored"
            ran.append(name)
        return ran

    def _take(self, tasks: tuple[str, ...]) -> tuple[str, dict[str, object]] | None:
        statement = text(
            "DELETE FROM procrastinate_jobs WHERE id = (SELECT min(id) FROM procrastinate_jobs"
            " WHERE task_name = ANY(:tasks)) RETURNING task_name, args"
        )
        with self.context.database.session() as session:
            row = session.execute(statement, {"tasks": list(tasks)}).one_or_none()
        return (row.task_name, row.args) if row else None

    @property
    def serving(self) -> Head:
        with self.context.database.session() as session:
            head = heads.active(session, self.repository_id)
        assert head is not None
        return head

    @property
    def states(self) -> dict[str, str]:
        """Bundle -> state."""
        with self.context.database.session() as session:
            return {row.id: row.state for row in bundles.newest(session)}

    def vectors(self, bundle: str) -> int:
        """How many issues are embedded by it."""
        statement = text("SELECT count(*) FROM vectors WHERE bundle = :bundle")
        with self.context.database.session() as session:
            return int(session.execute(statement, {"bundle": bundle}).scalar_one())


def opened(there: Deployment, sandbox: SandboxServer) -> Road:
    number = sandbox.open_issue(REPO, title="crash error", body="closed file")
    with there.context.database.session() as session:
        row = repositories.get(session, there.repository_id)
    assert row is not None
    return Road(there.context, sandbox, there.repository_id, row.installation_id, number)
