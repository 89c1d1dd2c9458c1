"""A past out of a JSON Lines file. What the file does not say is taken as the report then tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.core.rules import Rules
from bot.core.types import LabelEvent
from bot.errors import UserError
from bot.issues_file import FiledIssue, by_repository, read_issues
from bot.preview.past import Past, PastIssue, without_bulk
from bot.preview.record import AT_ONCE

WEB = "https://github.com"
STEP = timedelta(days=1)
"""Between two issues without dates."""
FEWEST = 50
"""Issues under which nothing can be promised; the report says so."""
_FULL_NAME = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)

NO_DATES = (
    "The issues have no dates: they are taken in the order of their numbers (or of the file), one a day. "
    "Settling times and the figures over time are made up accordingly."
)
NO_TIMES = (
    "The file does not say when labels were set: each is taken as known from the end of the settling days "
    "after its issue was filed."
)
SOME_TIMES = (
    "Of some labels the file does not say when they were set: each is taken as known from the end of the "
    "settling days after its issue was filed."
)
NO_LABELS = (
    "No issue carries a label: there is nothing to learn from yet, and nothing would be applied."
)
ONE_LABEL = (
    "Only one label can be learned: whether it is right cannot be told from issues that never got another, "
    "so it would only be suggested."
)
FEW_ISSUES = f"There are fewer than {FEWEST} issues: figures over so few are chance. Come back with more history."


def past_from_file(path: Path, *, repo: str | None, rules: Rules, settling: timedelta) -> Past:
    """The past of the only repository in the file, or of `repo`.

    Raises:
        UserError: the file is unusable, or holds several repositories and `repo` names none.
    """
    groups = by_repository(read_issues(path, repo=repo))
    if len(groups) > 1:
        raise UserError(
            f"{path} holds issues of {len(groups)} repositories; say which with --repo: "
            + ", ".join(sorted(groups)[:20])
        )
    ((name, found),) = groups.items()
    dated = all(issue.created_at for issue in found)
    issues = without_bulk([_past_issue(issue, row, dated=dated) for row, issue in enumerate(found)])
    return Past(
        full_name=name,
        issues=issues,
        now=last_moment(issues, found) if dated else issues[-1].created_at + settling,
        settling=settling,
        rules=rules,
        web_url=WEB if _FULL_NAME.fullmatch(name) and not name.startswith("local/") else "",
        dated=dated,
        notes=(*([] if dated else [NO_DATES]), *notes_on(issues)),
    )


def notes_on(issues: Sequence[PastIssue]) -> list[str]:
    """What a reader has to know about how much there is, and how sure its times are."""
    labels = {label for issue in issues for label in issue.labels}
    untimed = any(issue.labels - {event.label for event in issue.events} for issue in issues)
    timed = any(issue.events for issue in issues)
    notes = [FEW_ISSUES] if len(issues) < FEWEST else []
    if not labels:
        return [*notes, NO_LABELS]
    if len(labels) == 1:
        notes.append(ONE_LABEL)
    if untimed:
        notes.append(SOME_TIMES if timed else NO_TIMES)
    return notes


def last_moment(issues: Sequence[PastIssue], found: Sequence[FiledIssue]) -> datetime:
    """Just after the last thing that is known to have happened."""
    times = [issue.created_at for issue in issues]
    times += [issue.closed_at for issue in found if issue.closed_at]
    times += [event.at for issue in issues for event in issue.events]
    return max(times) + AT_ONCE


def _past_issue(issue: FiledIssue, row: int, *, dated: bool) -> PastIssue:
    made_up = datetime(2000, 1, 1, tzinfo=UTC) + STEP * row
    return PastIssue(
        number=issue.number,
        title=issue.title,
        body=issue.body,
        created_at=issue.created_at if dated and issue.created_at else made_up,
        labels=frozenset(issue.labels),
        # Times of events mean nothing beside made-up ones.
        events=tuple(_with_forms(issue)) if dated else (),
        association=issue.association,
        as_filed=issue.as_filed,
    )


def _with_forms(issue: FiledIssue) -> list[LabelEvent]:
    """Oldest first; what the author set with the issue itself is the form's doing, not a judgement."""
    events = sorted(issue.events, key=lambda event: event.at)
    return [replace(e, actor_kind="form") if _by_form(e, issue) else e for e in events]


def _by_form(event: LabelEvent, issue: FiledIssue) -> bool:
    own = event.added and event.actor == issue.author and event.actor_kind == "human"
    return own and issue.created_at is not None and event.at - issue.created_at <= AT_ONCE
