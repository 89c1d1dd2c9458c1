"""Issues that leave a repository, for good or for another one, and those that come from one.

What people said of its labels goes along to a repository that we serve, as far as that has these labels.
What we decided stays behind: it was another repository's head.
"""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session

from bot.core.types import Issue
from bot.errors import Ignore
from bot.github.occurrences import IssueOpened, IssueTransferred, OfIssue
from bot.jobs.context import Context
from bot.jobs.served import served
from bot.store import issues, label_events, labels, repositories


def left(context: Context, event: OfIssue, *, state: str = "deleted") -> str:
    """An issue that left teaches nothing more: it keeps its text, and loses its labels. In a pause too,
    for nothing tells of it later."""
    gone = replace(event.issue, state=state, labels=frozenset(), updated_at=None)
    with context.database.session() as session:
        known = repositories.get(session, event.repository.id)
        if known is None or known.status == "removed":
            raise Ignore(f"repository {event.repository.id} is not served")
        issues.upsert(session, event.repository.id, gone, as_filed=False)
    return "issue gone"


def transferred(context: Context, event: IssueTransferred) -> str:
    """It left, and is another issue from now on."""
    outcome = left(context, event, state="transferred")
    if event.new_repository is None or event.became is None:
        return outcome
    with context.database.session() as session:
        origin = event.repository.id, event.issue.number
        told = _carry(session, origin, repository_id=event.new_repository, issue=event.became)
    return f"{outcome}, {told} label events went along" if told else outcome


def arrived(context: Context, event: IssueOpened, *, came_from: tuple[int, int]) -> None:
    """The same, where the new repository is told before the old one."""
    with context.database.session() as session:
        _carry(session, came_from, repository_id=event.repository.id, issue=event.issue)


def _carry(session: Session, origin: tuple[int, int], *, repository_id: int, issue: Issue) -> int:
    """Record for the issue as it is now what happened to it elsewhere; how many events were new.

    GitHub keeps labels by name on the way, whoever set them; a label that a person took off must not
    come back by us only because the issue has moved.
    """
    old = issues.by_number(session, *origin)
    try:
        served(session, repository_id)
    except Ignore:
        return 0
    if old is None or repositories.get(session, origin[0]) is None:
        return 0
    here = {label.name.casefold(): label.name for label in labels.active(session, repository_id)}
    events = [
        replace(event, label=here[event.label.casefold()])
        for event in label_events.of_issue(session, old.id)
        if event.label.casefold() in here
    ]
    issue_id = issues.upsert(session, repository_id, issue, as_filed=False)
    return label_events.record(session, issue_id, events, source="transfer")
