"""Label events that no webhook told, for we were away: read from GitHub, newest first, back to the known.

Resumable: each page is stored with the address of the next. Cheap: while nothing is new, one conditional
request answered 304, which costs nothing of the rate limit.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy.orm import Session

from bot.core.types import Issue, LabelEvent
from bot.errors import GiveUp, Ignore
from bot.github.client import InstallationClient
from bot.github.history import EventsPage
from bot.jobs.context import Context
from bot.jobs.learning.taught import record_events
from bot.jobs.requests import request_learning
from bot.jobs.served import served
from bot.store import harvests, issues, labels
from bot.store.harvests import Progress

log = logging.getLogger(__name__)


def harvest(context: Context, *, repository_id: int) -> str:
    """Read what happened since the last harvest; returns the outcome in words.

    Raises:
        RetryLater: a limit or an outage; the next run goes on where this one stopped.
        Ignore: the history is still being read, which brings the same events.
    """
    with context.database.session() as session:
        row = served(session, repository_id)
        full_name, installation_id = row.full_name, row.installation_id
        if row.status in ("new", "learning") or row.history_cursor is not None:
            raise Ignore(f"the history of {full_name} is still being read")
        reached = harvests.progress(session, repository_id)
    client = context.client(installation_id)
    new = pages = 0
    while True:
        page = _page(context, client, reached, repository_id=repository_id, full_name=full_name)
        if page.unchanged:
            return f"nothing new in {full_name}"
        if not pages:
            _meet_labels(context, client, repository_id=repository_id, full_name=full_name)
        pages += 1
        reached = advance(reached, page)
        with context.database.session() as session:
            new += _store(session, repository_id, page.found)
            harvests.save(session, repository_id, reached)
        if reached.cursor is None:
            return f"{new} label events of {full_name} that nobody told us"


def _meet_labels(
    context: Context, client: InstallationClient, *, repository_id: int, full_name: str
) -> None:
    """Labels may have changed as well: under a name that we do not know, one of ours would pass for a
    person's."""
    found = client.labels(full_name)
    with context.database.session() as session:
        before = _meanings(session, repository_id)
        labels.sync(session, repository_id, found)
        if _meanings(session, repository_id) != before:
            request_learning(session, repository_id, reason="labels changed while we were away")


def _meanings(session: Session, repository_id: int) -> set[tuple[int, str, str]]:
    return {
        (one.github_id, one.name, one.description) for one in labels.active(session, repository_id)
    }


def advance(at: Progress, page: EventsPage) -> Progress:
    """How far we are with one more page. A walk ends at an event that was seen before, or at the first.

    Pages are numbered from the newest event: what happens meanwhile pushes older events on to later
    pages, so a walk that goes on later meets some of them twice, and misses none.
    """
    newest = at.newest if at.cursor is not None else max(page.ids, default=at.seen)
    etag = at.etag if at.cursor is not None else page.etag
    met = at.seen is not None and any(id_ <= at.seen for id_ in page.ids)
    if page.next_page is None or met:
        return Progress(seen=newest, etag=etag)
    return Progress(seen=at.seen, etag=etag, cursor=page.next_page, newest=newest)


def _page(
    context: Context,
    client: InstallationClient,
    at: Progress,
    *,
    repository_id: int,
    full_name: str,
) -> EventsPage:
    if at.cursor is None:
        return client.label_events_page(full_name, etag=at.etag)
    try:
        return client.label_events_page(full_name, at.cursor)
    except GiveUp:
        # A cursor kept too long is refused. The next run starts anew; what is stored stays known.
        with context.database.session() as session:
            harvests.save(session, repository_id, Progress(seen=at.seen))
        raise


def _store(session: Session, repository_id: int, found: Sequence[tuple[Issue, LabelEvent]]) -> int:
    """Issues as they are now, and what happened to them; how many events were new."""
    seen = {issue.number: issue for issue, _ in found}
    ids = {
        number: issues.upsert(session, repository_id, issue, as_filed=False)
        for number, issue in seen.items()
    }
    events: dict[int, list[LabelEvent]] = {}
    for issue, event in found:
        events.setdefault(ids[issue.number], []).append(event)
    return record_events(session, repository_id, events, source="harvest")
