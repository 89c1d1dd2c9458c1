"""What GitHub tells of issues, their labels and their comments."""

from __future__ import annotations

from collections.abc import Callable

from bot.github.occurrences import (
    CommentCreated,
    CommentEdited,
    Event,
    IssueClosed,
    IssueDeleted,
    IssueEdited,
    IssueLocked,
    IssueOpened,
    IssueReopened,
    IssueTransferred,
    LabelChanged,
)
from bot.github.payloads import actor_from, dig, issue_from, label_from, may, need, need_time
from bot.github.repository_events import Given, Parser, Payload, in_repository


def _in_issue(payload: Payload, given: Given) -> Given:
    return {**in_repository(payload, given), "issue": issue_from(dig(payload, "issue"))}


def _issue(kind: Callable[..., Event]) -> Parser:
    return lambda payload, given: kind(**_in_issue(payload, given))


def _issue_opened(payload: Payload, given: Given) -> Event:
    repository = may(payload, "changes.old_repository.id", int, 0)
    number = may(payload, "changes.old_issue.number", int, 0)
    came_from = (repository, number) if repository and number else None
    return IssueOpened(**_in_issue(payload, given), came_from=came_from)


def _issue_transferred(payload: Payload, given: Given) -> Event:
    became = dig(payload, "changes.new_issue")
    return IssueTransferred(
        **_in_issue(payload, given),
        new_repository=may(payload, "changes.new_repository.id", int, 0) or None,
        became=None if became is None else issue_from(became, of="changes.new_issue"),
    )


def _issue_label(payload: Payload, given: Given) -> Event:
    at = "updated_at" if dig(payload, "issue.updated_at") else "created_at"
    return LabelChanged(
        **_in_issue(payload, given),
        label=label_from(dig(payload, "label")),
        added=payload["action"] == "labeled",
        at=need_time(payload, f"issue.{at}"),
    )


def _comment(payload: Payload, given: Given) -> Event:
    at = "updated_at" if dig(payload, "comment.updated_at") else "created_at"
    kind = CommentEdited if payload["action"] == "edited" else CommentCreated
    return kind(
        **_in_issue(payload, given),
        author=actor_from(dig(payload, "comment.user")).login,
        url=may(payload, "comment.html_url", str, ""),
        comment_id=need(payload, "comment.id", int),
        at=need_time(payload, f"comment.{at}"),
        body=may(payload, "comment.body", str, ""),
    )


PARSERS: dict[tuple[str, str], Parser] = {
    ("issues", "opened"): _issue_opened,
    ("issues", "edited"): _issue(IssueEdited),
    ("issues", "closed"): _issue(IssueClosed),
    ("issues", "reopened"): _issue(IssueReopened),
    ("issues", "deleted"): _issue(IssueDeleted),
    ("issues", "transferred"): _issue_transferred,
    ("issues", "locked"): _issue(IssueLocked),
    ("issues", "unlocked"): _issue(IssueLocked),
    ("issues", "labeled"): _issue_label,
    ("issues", "unlabeled"): _issue_label,
    ("issue_comment", "created"): _comment,
    ("issue_comment", "edited"): _comment,
}
"""(event, action) -> what reads it."""
