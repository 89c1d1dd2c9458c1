"""Reading a repository's past, page by page, oldest issue first, so that a stop costs one page.

A cursor is the address of the next page, as GitHub gave it; nothing is computed from page numbers.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from typing import Any

from bot.core.types import Issue, LabelEvent
from bot.errors import GiveUp
from bot.github.addresses import in_repository
from bot.github.payloads import (
    AppIdentity,
    dig,
    issue_from,
    label_event_from,
    may,
    repository_from,
)
from bot.github.reads import Reader, rows_of

log = logging.getLogger(__name__)

READ = "issues: read"

IssuesPage = tuple[list[Issue], str | None]


@dataclass(frozen=True, slots=True)
class EventsPage:
    """A page of a repository's issue events, newest first."""

    found: tuple[tuple[Issue, LabelEvent], ...] = ()
    """The label events of issues, each with its issue as it is now."""
    ids: tuple[int, ...] = ()
    """GitHub's ids of all events on the page, of whatever kind."""
    next_page: str | None = None
    etag: str | None = None
    unchanged: bool = False
    """GitHub said that nothing is new since that ETag."""


@dataclass(frozen=True, slots=True)
class ListedIssue(Issue):
    """An issue out of a list. `untouched`: not updated since its creation (told to the second), so
    its text is as filed."""

    untouched: bool = False


def listed(raw: Any) -> ListedIssue:
    """A row of an issue list."""
    issue = issue_from(raw)
    updated = dig(raw, "updated_at")
    plain = {field.name: getattr(issue, field.name) for field in fields(Issue)}
    return ListedIssue(**plain, untouched=updated is not None and updated == dig(raw, "created_at"))


def issues_page(reader: Reader, full_name: str, cursor: str | None) -> IssuesPage:
    """One page of all issues, open and closed, and the cursor of the next (None at the end)."""
    doing = f"list the issues of {full_name}"
    if cursor is not None:
        try:
            answer = reader.get(cursor, doing=doing, permission=READ)
        except GiveUp as refusal:
            # A cursor kept too long is refused; reading again is safe, for rows are known by number.
            log.warning("%s from the start: the kept cursor was refused (%s)", doing, refusal)
            return issues_page(reader, full_name, None)
    else:
        answer = reader.get(
            in_repository(_name_now(reader, full_name), "issues"),
            doing=doing,
            permission=READ,
            params={"state": "all", "sort": "created", "direction": "asc", "per_page": 100},
        )
    rows = [listed(row) for row in rows_of(answer, doing=doing)]
    return [row for row in rows if not row.is_pull_request], answer.next_page


def _name_now(reader: Reader, full_name: str) -> str:
    """PyGithub follows a rename's 301 without the query: `state=all` would be lost on the way."""
    answer = reader.get(
        in_repository(full_name), doing=f"find {full_name}", permission="metadata: read"
    )
    return repository_from(answer.body).full_name


def events_page(
    reader: Reader,
    full_name: str,
    cursor: str | None,
    *,
    us: AppIdentity | None,
    etag: str | None = None,
) -> EventsPage:
    """One page of the label events of a whole repository, newest first, with their issues.

    A hundred events a call, where the events of one issue cost a call each. `etag`: of the first page
    as it was last seen; while it is the same, asking is free.
    """
    doing = f"list the issue events of {full_name}"
    answer = reader.get(
        cursor or in_repository(full_name, "issues", "events"),
        doing=doing,
        permission=READ,
        params={"per_page": 100} if cursor is None else None,
        headers={"If-None-Match": etag} if etag else None,
    )
    if answer.status == 304:
        return EventsPage(unchanged=True, etag=etag)
    rows = rows_of(answer, doing=doing)
    found = [_of_issue(row, us=us) for row in rows]
    return EventsPage(
        found=tuple(row for row in found if row is not None),
        ids=tuple(may(row, "id", int, 0) for row in rows),
        next_page=answer.next_page,
        etag=answer.headers.get("etag"),
    )


def _of_issue(raw: Any, *, us: AppIdentity | None) -> tuple[Issue, LabelEvent] | None:
    """None for other events, for pull requests, and where the issue is gone."""
    if dig(raw, "issue") is None or dig(raw, "label") is None:
        return None
    issue = issue_from(dig(raw, "issue"))
    event = None if issue.is_pull_request else label_event_from(raw, issue=issue, us=us)
    return None if event is None else (issue, event)
