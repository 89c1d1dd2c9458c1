"""One repository of the sandbox: what people do there, and what is known of it in the store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from bot.core.types import LabelEvent
from bot.sandbox.exchanges import Exchange
from bot.store import decisions, effects, issues, label_events, repositories
from bot.store.tables import Decision, Delivery, Effect, Repository

if TYPE_CHECKING:
    from tests.acceptance.stack import Stack

US = "labelwright[bot]"
RULES_PATH = ".github/labelwright.yml"


@dataclass(frozen=True)
class Repo:
    """One repository: what people do there, and what is known of it here."""

    stack: Stack
    full_name: str
    id: int
    installation_id: int = 0

    @property
    def owner(self) -> str:
        return self.full_name.partition("/")[0]

    # -- what people do -------------------------------------------------------------------------------

    def open(
        self, title: str = "It crashes", body: str = "A trace.", *, settle: bool = True, **more: Any
    ) -> int:
        number = self.stack.sandbox.open_issue(self.full_name, title=title, body=body, **more)
        if settle:
            self.stack.settle()
        return number

    def label(self, number: int, name: str, actor: str = "maintainer") -> None:
        self.stack.sandbox.label(self.full_name, number, name, actor)
        self.stack.settle()

    def unlabel(self, number: int, name: str, actor: str = "maintainer") -> None:
        self.stack.sandbox.unlabel(self.full_name, number, name, actor)
        self.stack.settle()

    def write_rules(self, rules: str | None) -> None:
        self.stack.sandbox.put_file(self.full_name, RULES_PATH, rules)
        self.stack.settle()

    # -- how it stands on GitHub ----------------------------------------------------------------------

    def labels(self, number: int) -> dict[str, str]:
        """Label -> who set it."""
        return self.stack.sandbox.issue_labels(self.full_name, number)

    def defined(self) -> set[str]:
        return set(self.stack.sandbox.labels(self.full_name))

    def asked(self, method: str, path: str = "") -> list[Exchange]:
        """What we asked of GitHub here, oldest first; `path` is its end."""
        here = (f"/repos/{self.full_name}/", f"/repositories/{self.id}/")
        return [
            one
            for one in self.stack.sandbox.requests
            if one.method == method and one.path.startswith(here) and one.path.endswith(path)
        ]

    def writes(self) -> list[tuple[str, str]]:
        """Everything of ours that changed something here."""
        found = (one for method in ("POST", "PUT", "PATCH", "DELETE") for one in self.asked(method))
        return [(one.method, one.path) for one in found]

    def our_events(self, number: int) -> list[tuple[str, str]]:
        """(labeled or unlabeled, label) by us, in order."""
        rows: Any = self.stack.sandbox.events(self.full_name, number)
        return [
            (row["event"], row["label"]["name"])
            for row in rows
            if row["event"] in ("labeled", "unlabeled") and row["actor"]["login"] == US
        ]

    # -- what the store knows -------------------------------------------------------------------------

    def row(self) -> Repository:
        with self.stack.database.session() as session:
            found = repositories.get(session, self.id)
            assert found is not None, f"{self.full_name} is not in the store"
            return found

    def issue_id(self, number: int) -> int:
        with self.stack.database.session() as session:
            return issues.ids_by_number(session, self.id)[number]

    def decisions(self, number: int) -> list[Decision]:
        with self.stack.database.session() as session:
            return decisions.of_issue(session, self.issue_id(number))

    def decided(self, number: int) -> dict[str, Decision]:
        """The latest decision on each label."""
        return {decision.label: decision for decision in self.decisions(number)}

    def effects(self, number: int) -> list[Effect]:
        with self.stack.database.session() as session:
            return effects.of_issue(session, self.issue_id(number))

    def label_events(self, number: int) -> list[LabelEvent]:
        with self.stack.database.session() as session:
            return label_events.of_issue(session, self.issue_id(number))

    def deliveries(self, event: str, action: str) -> list[Delivery]:
        """Stored deliveries of this repository, oldest first."""
        with self.stack.database.session() as session:
            found = select(Delivery).where(Delivery.event == event, Delivery.action == action)
            rows = session.scalars(found.order_by(Delivery.id)).all()
        return [row for row in rows if f'"{self.full_name}"'.encode() in row.body]
