"""A past read from GitHub with a person's token: reads only, page by page, each page kept on this machine.

Holds no writer: it sends GET requests, and GraphQL queries for texts as filed. A stop costs one page.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from bot.core.rules import Rules, parse_rules
from bot.core.types import LabelEvent
from bot.errors import GiveUp, Ignore, RetryLater, UserError
from bot.github.addresses import in_repository
from bot.github.contents import Contents, read_contents
from bot.github.filed import texts_as_filed
from bot.github.history import events_page, listed
from bot.github.limits import Backoff
from bot.github.payloads import label_from, repository_from
from bot.github.reads import Reader, rows_of
from bot.github.repository_events import RULES_PATH
from bot.github.tokens import PersonalToken
from bot.preview.from_file import notes_on
from bot.preview.kept_pages import KeptPages, Page
from bot.preview.past import Past, PastIssue, without_bulk

T = TypeVar("T")

READ = "issues: read"
PATIENCE = 300.0
"""Seconds that GitHub may ask us to wait before we rather stop and say so."""
MOST_EVENT_PAGES = 400
NEWEST_FIRST: Mapping[str, str | int] = {
    "state": "all",
    "sort": "created",
    "direction": "desc",
    "per_page": 100,
}

RULES_UNREAD = (
    "The repository's own rules file could not be read ({error}); the defaults were used."
)
EVENTS_CUT = (
    "GitHub's list of events was read back to {oldest:%Y-%m-%d} only; labels set before count from the end "
    "of their issue's settling days."
)


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read. `say` gets a line of progress: what, and how many so far."""

    reader: Reader
    backoff: Backoff
    kept: KeptPages
    say: Callable[[str, int], None]
    pause: Callable[[float], None] = time.sleep

    def patiently(self, call: Callable[[], T]) -> T:
        """The answer of a call, waiting where GitHub asks for a little time.

        Raises:
            UserError: it asks for more, or refuses; the message says what to do.
        """
        waited = 0.0
        while True:
            try:
                return call()
            except RetryLater as limit:
                waited += limit.after
                if waited > PATIENCE:
                    raise UserError(
                        f"{limit}. What was read is kept: run the same command again in "
                        f"{max(1, limit.after / 60):.0f} minutes"
                    ) from None
                self.say(f"{limit}: waiting {limit.after:.0f} s", 0)
                self.pause(limit.after)


def past_from_github(
    full_name: str,
    *,
    token: str,
    api_url: str,
    kept: KeptPages,
    most: int,
    rules: Rules | None,
    settling: timedelta,
    say: Callable[[str, int], None],
    pause: Callable[[float], None] = time.sleep,
) -> Past:
    """The newest `most` issues of a repository, pull requests left out, with who labelled them when.

    `rules`: in place of the repository's own. Raises GiveUp for what is no `owner/name`, UserError for one
    that is not there, a wrong token, and a limit or an outage that lasts.
    """
    in_repository(full_name)
    backoff = Backoff()
    reader = Reader(PersonalToken(token), api_url=api_url, backoff=backoff)
    reading = Reading(reader, backoff, kept, say, pause)
    try:
        return _read(
            reading, full_name, most=most, rules=rules, settling=settling, web_url=_web(api_url)
        )
    except Ignore as gone:
        raise UserError(
            f"{gone}; check the name, and that the token may read the repository's issues"
        ) from None
    except GiveUp as refused:
        raise UserError(f"{refused}; check GITHUB_TOKEN") from None
    finally:
        reader.close()


def _read(
    reading: Reading,
    full_name: str,
    *,
    most: int,
    rules: Rules | None,
    settling: timedelta,
    web_url: str,
) -> Past:
    name = reading.patiently(lambda: _name_now(reading.reader, full_name, web_url))
    descriptions = reading.patiently(lambda: _labels(reading.reader, name))
    rules, notes = (rules, []) if rules else _own_rules(reading, name)
    found = _issues(reading, name, most)
    oldest = min((issue.created_at for issue in found), default=datetime.now(UTC))
    events, reached = _events(reading, name, since=oldest)
    oldest_first = sorted(found, key=lambda issue: (issue.created_at, issue.number))
    issues = without_bulk(
        [replace(issue, events=tuple(events.get(issue.number, ()))) for issue in oldest_first]
    )
    if reached is not None:
        notes.append(EVENTS_CUT.format(oldest=reached))
    return Past(
        full_name=name,
        issues=issues,
        now=datetime.now(UTC),
        settling=settling,
        rules=rules,
        descriptions=descriptions,
        existing=frozenset(descriptions),
        web_url=web_url,
        notes=(*notes, *notes_on(issues)),
    )


def _web(api_url: str) -> str:
    """GitHub as a browser sees it: GHES has its API below its own name."""
    if api_url.rstrip("/") == "https://api.github.com":
        return "https://github.com"
    return api_url.rstrip("/").removesuffix("/api/v3")


def _name_now(reader: Reader, full_name: str, web_url: str) -> str:
    doing = f"find {full_name} on {web_url}"
    answer = reader.get(in_repository(full_name), doing=doing, permission="metadata: read")
    return repository_from(answer.body).full_name


def _labels(reader: Reader, name: str) -> dict[str, str]:
    rows = reader.rows(
        in_repository(name, "labels"), doing=f"list the labels of {name}", permission=READ
    )
    return {label.name: label.description for label in map(label_from, rows)}


def _own_rules(reading: Reading, name: str) -> tuple[Rules, list[str]]:
    """The rules in force in the repository, the defaults where it has none that can be used."""
    try:
        found = reading.patiently(lambda: read_contents(reading.reader, name, RULES_PATH))
        return parse_rules(found.text if isinstance(found, Contents) else ""), []
    except (GiveUp, UserError) as error:
        return Rules(), [RULES_UNREAD.format(error=error)]


def _issues(reading: Reading, name: str, most: int) -> list[PastIssue]:
    """Newest first, until there are `most`."""
    found: dict[int, PastIssue] = {}
    for page in _pages(reading, "issues", lambda cursor: _issues_page(reading, name, cursor)):
        for row in page.rows:
            issue = _issue_of(row)
            found.setdefault(issue.number, issue)
        reading.say("issues read", len(found))
        if len(found) >= most:
            break
    return sorted(found.values(), key=lambda issue: issue.created_at, reverse=True)[:most]


def _issues_page(reading: Reading, name: str, cursor: str | None) -> Page:
    doing = f"list the issues of {name}"
    answer = reading.reader.get(
        cursor or in_repository(name, "issues"),
        doing=doing,
        permission=READ,
        params=None if cursor else NEWEST_FIRST,
    )
    issues = [
        issue for issue in map(listed, rows_of(answer, doing=doing)) if not issue.is_pull_request
    ]
    texts = texts_as_filed(reading.reader, name, issues, backoff=reading.backoff)
    rows = [
        {
            "number": issue.number,
            "title": text.title,
            "body": text.body,
            "as_filed": text.certain,
            "created_at": issue.created_at.isoformat(),
            "labels": sorted(issue.labels),
            "association": issue.author_association,
        }
        for issue, text in zip(issues, texts, strict=True)
    ]
    return Page(rows, answer.next_page)


def _issue_of(row: Mapping[str, Any]) -> PastIssue:
    return PastIssue(
        number=row["number"],
        title=row["title"],
        body=row["body"],
        created_at=datetime.fromisoformat(row["created_at"]),
        labels=frozenset(row["labels"]),
        association=row["association"],
        as_filed=row["as_filed"],
    )


def _events(
    reading: Reading, name: str, *, since: datetime
) -> tuple[dict[int, list[LabelEvent]], datetime | None]:
    """Label events by issue, oldest first, and how far back they reach where the list was cut."""
    found: dict[tuple[object, ...], tuple[int, LabelEvent]] = {}
    oldest = datetime.now(UTC)
    pages = _pages(reading, "label-events", lambda cursor: _events_page(reading, name, cursor))
    cut = None
    for read, page in enumerate(pages, start=1):
        for row in page.rows:
            number, event = _event_of(row)
            found[number, event.label, event.added, event.at] = (number, event)
            oldest = min(oldest, event.at)
        reading.say("label events read", len(found))
        if oldest < since:
            break
        if read >= MOST_EVENT_PAGES and page.next is not None:
            cut = oldest
            break
    return _by_issue(found.values()), cut


def _by_issue(found: Iterable[tuple[int, LabelEvent]]) -> dict[int, list[LabelEvent]]:
    """Oldest first, where `found` is newest first: also those of one second."""
    grouped: dict[int, list[LabelEvent]] = {}
    oldest_first = [*found][::-1]
    for number, event in sorted(oldest_first, key=lambda pair: pair[1].at):
        grouped.setdefault(number, []).append(event)
    return grouped


def _events_page(reading: Reading, name: str, cursor: str | None) -> Page:
    page = events_page(reading.reader, name, cursor, us=None)
    rows = [
        {
            "number": issue.number,
            "label": event.label,
            "added": event.added,
            "actor": event.actor,
            "actor_kind": event.actor_kind,
            "at": event.at.isoformat(),
        }
        for issue, event in page.found
    ]
    return Page(rows, page.next_page)


def _event_of(row: Mapping[str, Any]) -> tuple[int, LabelEvent]:
    return row["number"], LabelEvent(
        label=row["label"],
        added=row["added"],
        actor=row["actor"],
        actor_kind=row["actor_kind"],
        at=datetime.fromisoformat(row["at"]),
    )


def _pages(reading: Reading, kind: str, read: Callable[[str | None], Page]) -> Iterator[Page]:
    """The pages that are kept, then those that are not yet."""
    cursor, number = None, 0
    while number == 0 or cursor is not None:
        page = reading.kept.load(kind, number)
        if page is None:
            page = reading.patiently(partial(read, cursor))
            reading.kept.save(kind, number, page)
        yield page
        cursor, number = page.next, number + 1
