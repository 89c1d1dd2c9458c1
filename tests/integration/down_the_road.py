"""An issue that is sent down the road by hand, delivery by delivery."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import func, insert, select

from bot.core.types import Issue
from bot.jobs.context import Context
from bot.jobs.learning.learn import learn_repository
from bot.jobs.learning.onboarding import read_history
from bot.jobs.pipeline import label_issue
from bot.sandbox.server import SandboxServer
from bot.store import effects, issues, repositories
from bot.store.tables import Delivery, Effect
from tests.integration.jobs_at_hand import REPO, met

EAGER = "labels:\n  bug: {threshold: 0.0001}\n"
"""Every issue gets `bug`."""


@dataclass(frozen=True)
class Road:
    """One open issue of a repository whose head serves."""

    context: Context
    sandbox: SandboxServer
    repository_id: int
    installation_id: int
    number: int

    def label(self, *, delivery: int = 1, as_filed: bool = True, **changes: object) -> str:
        """Send the issue down the road, as it is now but for the changes given."""
        found = self.context.client(self.installation_id).issue(REPO, self.number)
        filed: Issue = replace(found, **changes)  # type: ignore[arg-type]
        return label_issue(
            self.context, repository_id=self.repository_id, filed=filed, as_filed=as_filed,
            delivery_id=self.delivery(delivery),
        )  # fmt: skip

    def delivery(self, number: int) -> int:
        """The id of the delivery with this number, stored at first sight."""
        with self.context.database.session() as session:
            if number > (session.scalar(select(func.count(Delivery.id))) or 0):
                values = {"target_id": 1, "guid": str(number), "event": "issues", "body": b"{}"}
                session.execute(insert(Delivery).values(values))
            guid = Delivery.guid == str(number)
            return session.scalars(select(Delivery.id).where(guid)).one()

    @property
    def issue_id(self) -> int:
        with self.context.database.session() as session:
            return issues.ids_by_number(session, self.repository_id)[self.number]

    @property
    def labels(self) -> dict[str, str]:
        return self.sandbox.issue_labels(REPO, self.number)

    def effects(self, kind: str | None = None) -> list[Effect]:
        with self.context.database.session() as session:
            found = effects.of_issue(session, self.issue_id)
        return [effect for effect in found if kind in (None, effect.kind)]


def open_road(context: Context, sandbox: SandboxServer) -> Road:
    repository_id = met(context, sandbox, 2)
    sandbox.put_file(REPO, ".github/labelwright.yml", EAGER)
    read_history(context, repository_id=repository_id)
    learn_repository(context, repository_id=repository_id, reason="test")
    with context.database.session() as session:
        row = repositories.get(session, repository_id)
        assert row is not None
    number = sandbox.open_issue(REPO, title="It crashes", body="when the file is open")
    return Road(context, sandbox, repository_id, row.installation_id, number)
