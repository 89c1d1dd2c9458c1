"""Fills a repository with a past: issues and label events at given times, told to nobody. Fast enough for
tens of thousands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.sandbox.definitions import label_named
from bot.sandbox.records import Account, BodyEdit, Event, Issue, Repository
from bot.sandbox.state import State

LABELLED_AFTER = timedelta(minutes=5)


def seed_issue(
    state: State,
    repository: Repository,
    *,
    title: str,
    body: str | None,
    labels: Sequence[str],
    created_at: datetime,
    author: str,
    association: str,
    labelled_by: str,
    closed_at: datetime | None,
    number: int | None,
    is_pull_request: bool,
    filed_as: tuple[str, str | None] | None,
) -> Issue:
    """`filed_as`: title and body before somebody edited them to what they are now."""
    chosen = repository.next_number if number is None else number
    if chosen in repository.issues:
        raise ValueError(f"{repository.full_name} has an issue #{chosen} already")
    repository.next_number = max(repository.next_number, chosen + 1)
    filer = state.account(author)
    issue = Issue(
        state.next_id(), chosen, title, body, filer, association, created_at, created_at,
        is_pull_request=is_pull_request,
    )  # fmt: skip
    repository.issues[chosen] = issue
    if filed_as is not None:
        _rewrite(state, issue, filed_as, editor=filer, at=created_at + LABELLED_AFTER / 2)
    actor, later = state.account(labelled_by), created_at + LABELLED_AFTER
    for name in labels:
        seed_label_event(state, repository, issue, name, actor=actor, at=later)
    if closed_at is not None:
        _close(state, issue, actor=state.account(labelled_by), at=closed_at)
    return issue


def _rewrite(
    state: State, issue: Issue, filed: tuple[str, str | None], *, editor: Account, at: datetime
) -> None:
    title, body = filed
    if title != issue.title:
        names = (title, issue.title)
        issue.events.append(Event(state.next_id(), "renamed", editor, at, rename=names))
    if (body or "") != (issue.body or ""):
        first = BodyEdit(state.next_id(), body or "", editor, issue.created_at)
        issue.edits += [first, BodyEdit(state.next_id(), issue.body or "", editor, at)]
    issue.updated_at = at


def seed_label_event(
    state: State,
    repository: Repository,
    issue: Issue,
    name: str,
    *,
    actor: Account,
    at: datetime,
    added: bool = True,
) -> None:
    """One line of history, unless it would change nothing."""
    label = label_named(repository, name)
    if added == (label.id in issue.labels):
        return
    if added:
        issue.labels[label.id] = None
    else:
        del issue.labels[label.id]
    kind, shown = "labeled" if added else "unlabeled", (label.name, label.color)
    issue.events.append(Event(state.next_id(), kind, actor, at, label=shown))
    issue.updated_at = max(issue.updated_at, at)


def _close(state: State, issue: Issue, *, actor: Account, at: datetime) -> None:
    issue.state, issue.state_reason = "closed", "completed"
    issue.closed_at, issue.closed_by = at, actor
    told = Event(state.next_id(), "closed", actor, at, state_reason="completed")
    issue.events.append(told)
    issue.updated_at = max(issue.updated_at, at)
