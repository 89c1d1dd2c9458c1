"""Meeting a repository: its labels, its history, page by page, so that a stop costs one page at most."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from bot.core.types import Issue, LabelEvent
from bot.github.client import InstallationClient
from bot.jobs.context import Context
from bot.jobs.house_rules import current_rules
from bot.jobs.requests import request_learning
from bot.jobs.served import served
from bot.store import harvests, issues, label_events, labels, repositories
from bot.store.harvests import Progress

log = logging.getLogger(__name__)

ISSUES, EVENTS = "issues", "events"
"""The stages of reading a history, in their order."""


def onboard(context: Context, *, repository_id: int) -> str:
    """Read everything, then ask the queue for a head."""
    outcome = read_history(context, repository_id=repository_id)
    with context.database.session() as session:
        request_learning(session, repository_id, reason="onboarding")
    return outcome


def read_history(context: Context, *, repository_id: int) -> str:
    """Read labels, rules, all issues and who labelled them; returns the outcome in words.

    Resumable: the cursor of the next page is stored with the page before it. A rate limit raises
    `RetryLater`, and the next run goes on where this one stopped.
    """
    with context.database.session() as session:
        row = served(session, repository_id)
        full_name, installation_id, cursor = row.full_name, row.installation_id, row.history_cursor
        if row.head_id is None:
            repositories.advance(session, repository_id, "learning")
    client = context.client(installation_id)
    found = client.labels(full_name)
    with context.database.session() as session:
        labels.sync(session, repository_id, found)
    current_rules(context, client, repository_id, fresh=True)
    stage, place = _parse(cursor)
    history = _History(context, client, repository_id=repository_id, full_name=full_name)
    if stage == ISSUES:
        history.read_issues(place)
        place = None
    history.read_events(place)
    return f"read {history.issues} issues and {history.events} label events of {full_name}"


def _parse(cursor: str | None) -> tuple[str, str | None]:
    """A stored cursor names its stage: `issues ADDRESS` or `events ADDRESS`."""
    stage, _, place = (cursor or ISSUES).partition(" ")
    return stage, place or None


class _History:
    """Reading one repository's past; each page is stored with the cursor of the next."""

    def __init__(
        self, context: Context, client: InstallationClient, *, repository_id: int, full_name: str
    ) -> None:
        self._context = context
        self._client = client
        self._repository_id = repository_id
        self._full_name = full_name
        self.issues = 0
        self.events = 0

    def read_issues(self, place: str | None) -> None:
        while True:
            page, place = self._client.issues_page(self._full_name, place)
            filed = self._client.texts_as_filed(self._full_name, page)
            with self._context.database.session() as session:
                for issue, text in zip(page, filed, strict=True):
                    issues.upsert(
                        session, self._repository_id, text.of(issue), as_filed=text.certain
                    )
                self._save(session, ISSUES if place else EVENTS, place)
            self.issues += len(page)
            log.info("%s: %d issues read", self._full_name, self.issues)
            if place is None:
                return

    def read_events(self, place: str | None) -> None:
        while True:
            page = self._client.label_events_page(self._full_name, place)
            with self._context.database.session() as session:
                if place is None:  # harvests go on from the newest of what is read now
                    newest = Progress(seen=max(page.ids, default=None), etag=page.etag)
                    harvests.save(session, self._repository_id, newest)
                numbers = {issue.number for issue, _ in page.found}
                ids = issues.ids_by_number(session, self._repository_id, numbers)
                label_events.record_all(
                    session, self._repository_id, _grouped(page.found, ids), source="history"
                )
                place = page.next_page
                self._save(session, EVENTS if place else "", place)
            self.events += len(page.found)
            if place is None:
                return

    def _save(self, session: Session, stage: str, place: str | None) -> None:
        cursor = f"{stage} {place or ''}".strip() or None
        repositories.save_cursor(session, self._repository_id, cursor)


def _grouped(
    found: Sequence[tuple[Issue, LabelEvent]], ids: Mapping[int, int]
) -> dict[int, list[LabelEvent]]:
    """Id of the issue in the store -> its events; issues that we do not know are left out."""
    grouped: dict[int, list[LabelEvent]] = {}
    for issue, event in found:
        if issue.number in ids:
            grouped.setdefault(ids[issue.number], []).append(event)
    return grouped
