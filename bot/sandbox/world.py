"""A GitHub in memory: its state, its App, its courier, and the places in it. What people do there is in
`people`, what Apps are told in `sandbox`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from bot.core.types import LabelSpec, RepositoryLabel
from bot.sandbox import definitions
from bot.sandbox.asgi import Application
from bot.sandbox.courier import Courier
from bot.sandbox.limits import RateLimits
from bot.sandbox.records import (
    DEFAULT_EVENTS,
    DEFAULT_PERMISSIONS,
    Issue,
    Repository,
    SuggestionSupport,
)
from bot.sandbox.registration import new_key, register_app
from bot.sandbox.seeding import seed_issue, seed_label_event
from bot.sandbox.state import Clock, State, now_utc

MAINTAINER = "maintainer"


@lru_cache(maxsize=1)
def shared_key() -> str:
    """One key for all sandboxes of a process: making one takes a noticeable while."""
    return new_key()


class World:
    """The parts, and repositories with a past. Accounts appear when first named."""

    def __init__(
        self,
        *,
        clock: Clock = now_utc,
        slug: str = "labelwright",
        permissions: Mapping[str, str] = DEFAULT_PERMISSIONS,
        events: Sequence[str] = DEFAULT_EVENTS,
        webhook_secret: str = "sandbox-secret",  # noqa: S107 - opens nothing but this sandbox
        hook_workers: int = 1,
        rate_limit: int = 5000,
        writes_per_minute: int | None = None,
        record: bool = False,
    ) -> None:
        self.state = State(clock=clock)
        self.private_key = shared_key()
        self.app = register_app(
            self.state,
            name=slug.title(),
            slug=slug,
            owner="sandbox-owner",
            private_key=self.private_key,
            webhook_secret=webhook_secret,
            permissions=permissions,
            events=events,
        )
        self.hooks = Courier(self.state, workers=hook_workers)
        self.state.post = self.hooks
        limits = RateLimits(rate_limit, writes_per_minute)
        self.application = Application(self.state, limits=limits, record=record)

    def add_repository(
        self,
        full_name: str,
        *,
        labels: Sequence[RepositoryLabel | LabelSpec] = (),
        private: bool = False,
        organization: bool = True,
        suggestions: SuggestionSupport = "off",
    ) -> int:
        """A repository with these labels, told to nobody. Returns its id."""
        with self.state.lock:
            repository = definitions.add_repository(
                self.state, full_name, private=private, organization=organization
            )
            repository.suggestions = suggestions
            for label in labels:
                color = label.color if isinstance(label, RepositoryLabel) else "ededed"
                definitions.define_label(
                    self.state, repository, label.name,
                    color=color, description=label.description or None,
                )  # fmt: skip
            return repository.id

    def seed_issue(
        self,
        full_name: str,
        *,
        title: str,
        body: str | None,
        labels: Sequence[str] = (),
        created_at: datetime,
        author: str = "reporter",
        association: str = "NONE",
        labelled_by: str = MAINTAINER,
        closed_at: datetime | None = None,
        number: int | None = None,
        is_pull_request: bool = False,
        filed_as: tuple[str, str | None] | None = None,
    ) -> int:
        """An issue of the past: no webhook, its label events five minutes after it. Returns its number."""
        with self.state.lock:
            return seed_issue(
                self.state, self._repository(full_name), title=title, body=body, labels=labels,
                created_at=created_at, author=author, association=association,
                labelled_by=labelled_by, closed_at=closed_at, number=number,
                is_pull_request=is_pull_request, filed_as=filed_as,
            ).number  # fmt: skip

    def seed_label_event(
        self,
        full_name: str,
        number: int,
        name: str,
        *,
        actor: str,
        at: datetime,
        added: bool = True,
    ) -> None:
        """A label set or removed in the past, told to nobody. Seed them in the order of time."""
        with self.state.lock:
            repository, issue = self._issue(full_name, number)
            seed_label_event(
                self.state, repository, issue, name,
                actor=self.state.account(actor), at=at, added=added,
            )  # fmt: skip

    def _repository(self, full_name: str) -> Repository:
        return self.state.repository(full_name)

    def _issue(self, full_name: str, number: int) -> tuple[Repository, Issue]:
        repository = self.state.repository(full_name)
        return repository, self.state.issue(repository, number)
