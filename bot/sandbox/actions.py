"""What happens to issues: each verb changes the state, writes the history and tells the Apps.
Handlers and the people of the sandbox both come through here, so there is one truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from bot.sandbox import webhooks
from bot.sandbox.definitions import create_label
from bot.sandbox.records import (
    Account,
    App,
    BodyEdit,
    Comment,
    Event,
    Issue,
    Label,
    Repository,
    Suggestion,
    SuggestionState,
)
from bot.sandbox.state import State, find_label


def _record(issue: Issue, event: Event) -> Event:
    issue.events.append(event)
    issue.updated_at = event.at
    return event


def open_issue(
    state: State,
    repository: Repository,
    *,
    title: str,
    body: str | None,
    author: Account,
    association: str,
    labels: Sequence[Label] = (),
    app: App | None = None,
    is_pull_request: bool = False,
) -> Issue:
    """A new issue. Labels it is born with come in `opened` and again as one `labeled` each."""
    now = state.now()
    number = repository.next_number
    repository.next_number += 1
    issue = Issue(
        state.next_id(), number, title, body, author, association, now, now,
        is_pull_request=is_pull_request, app=app,
    )  # fmt: skip
    repository.issues[number] = issue
    for label in labels:
        _put(state, issue, label, actor=author, app=app)
    webhooks.issue_hook(state, repository, issue, "opened", sender=author)
    for label in labels:
        webhooks.issue_hook(state, repository, issue, "labeled", sender=author, label=label)
    return issue


def _put(
    state: State,
    issue: Issue,
    label: Label,
    *,
    actor: Account,
    app: App | None,
    intent: tuple[str | None, str | None] | None = None,
) -> Event:
    issue.labels[label.id] = None
    event = Event(
        state.next_id(), "labeled", actor, state.now(), app=app,
        label=(label.name, label.color), intent=intent,
    )  # fmt: skip
    return _record(issue, event)


def add_labels(
    state: State,
    repository: Repository,
    issue: Issue,
    names: Iterable[str],
    *,
    actor: Account,
    app: App | None = None,
    intent: tuple[str | None, str | None] | None = None,
) -> list[Event]:
    """Set labels by name. As at GitHub, a name the repository does not have becomes a new label."""
    events = []
    for name in names:
        label = find_label(repository, name)
        if label is None:
            label = create_label(state, repository, name, actor=actor)
        if label.id in issue.labels:
            continue
        events.append(_put(state, issue, label, actor=actor, app=app, intent=intent))
        webhooks.issue_hook(state, repository, issue, "labeled", sender=actor, label=label)
    return events


def remove_label(
    state: State,
    repository: Repository,
    issue: Issue,
    label: Label,
    *,
    actor: Account,
    app: App | None = None,
) -> None:
    del issue.labels[label.id]
    gone = (label.name, label.color)
    _record(
        issue,
        Event(state.next_id(), "unlabeled", actor, state.now(), app=app, label=gone),
    )
    webhooks.issue_hook(state, repository, issue, "unlabeled", sender=actor, label=label)


def edit_issue(
    state: State,
    repository: Repository,
    issue: Issue,
    *,
    actor: Account,
    title: str | None = None,
    body: str | None = None,
    app: App | None = None,
) -> None:
    """Change title or body; what was filed stays readable in the history."""
    changes: dict[str, dict[str, str]] = {}
    if body is not None and body != (issue.body or ""):
        changes["body"] = {"from": issue.body or ""}
        _keep_versions(state, issue, body, actor)
    if title is not None and title != issue.title:
        changes["title"] = {"from": issue.title}
        _rename(state, issue, title, actor=actor, app=app)
    if changes:
        issue.updated_at = state.now()
        webhooks.issue_hook(state, repository, issue, "edited", sender=actor, changes=changes)


def _keep_versions(state: State, issue: Issue, body: str, editor: Account) -> None:
    if not issue.edits:
        first = BodyEdit(state.next_id(), issue.body or "", issue.author, issue.created_at)
        issue.edits.append(first)
    issue.edits.append(BodyEdit(state.next_id(), body, editor, state.now()))
    issue.body = body


def _rename(state: State, issue: Issue, title: str, *, actor: Account, app: App | None) -> None:
    names = (issue.title, title)
    issue.title = title
    _record(
        issue,
        Event(state.next_id(), "renamed", actor, state.now(), app=app, rename=names),
    )


def set_issue_state(
    state: State,
    repository: Repository,
    issue: Issue,
    wanted: Literal["open", "closed"],
    *,
    actor: Account,
    reason: str | None = None,
    app: App | None = None,
) -> None:
    if issue.state == wanted:
        return
    now = state.now()
    closing = wanted == "closed"
    issue.state = wanted
    issue.closed_at = now if closing else None
    issue.closed_by = actor if closing else None
    issue.state_reason = (reason or "completed") if closing else "reopened"
    kind = "closed" if closing else "reopened"
    told = issue.state_reason if closing else None
    _record(issue, Event(state.next_id(), kind, actor, now, app=app, state_reason=told))
    webhooks.issue_hook(state, repository, issue, kind, sender=actor)


def lock_issue(
    state: State,
    repository: Repository,
    issue: Issue,
    *,
    actor: Account,
    on: bool,
    reason: str | None = None,
) -> None:
    issue.locked, issue.lock_reason = on, reason if on else None
    _record(issue, Event(state.next_id(), "locked" if on else "unlocked", actor, state.now()))
    webhooks.issue_hook(state, repository, issue, "locked" if on else "unlocked", sender=actor)


def delete_issue(state: State, repository: Repository, issue: Issue, *, actor: Account) -> None:
    issue.deleted = True
    webhooks.issue_hook(state, repository, issue, "deleted", sender=actor)


def transfer_issue(
    state: State, repository: Repository, issue: Issue, target: Repository, *, actor: Account
) -> Issue:
    """Move it. Labels go along where the new repository has them by name."""
    number = target.next_number
    target.next_number += 1
    kept = [find_label(target, repository.labels[id_].name) for id_ in issue.labels]
    arrived = replace(
        issue,
        id=state.next_id(),
        number=number,
        labels={label.id: None for label in kept if label is not None},
        events=list(issue.events),
        comments=list(issue.comments),
        suggestions={},
    )
    target.issues[number] = arrived
    issue.moved_to = (target.id, number)
    webhooks.transfer_hook(state, (repository, issue), (target, arrived), sender=actor)
    return arrived


def add_comment(
    state: State,
    repository: Repository,
    issue: Issue,
    body: str,
    *,
    actor: Account,
    association: str = "NONE",
    app: App | None = None,
) -> Comment:
    now = state.now()
    comment = Comment(state.next_id(), actor, association, body, now, now, app)
    issue.comments.append(comment)
    issue.updated_at = now
    webhooks.comment_hook(state, repository, issue, comment, "created", sender=actor)
    return comment


def edit_comment(
    state: State,
    repository: Repository,
    issue: Issue,
    comment: Comment,
    body: str,
    *,
    actor: Account,
) -> None:
    """A comment keeps its author, whoever edits it."""
    before = comment.body
    comment.body = body
    comment.updated_at = state.now()
    changes = {"body": {"from": before}}
    webhooks.comment_hook(
        state, repository, issue, comment, "edited", sender=actor, changes=changes
    )


def approve_suggestion(
    state: State,
    repository: Repository,
    issue: Issue,
    suggestion: Suggestion,
    *,
    actor: Account,
    app: App | None = None,
) -> None:
    """The label comes, in the name of who approved."""
    label = repository.labels[suggestion.label_id]
    confidence = suggestion.confidence and suggestion.confidence.upper()
    intent = (suggestion.rationale, confidence)
    events = add_labels(state, repository, issue, [label.name], actor=actor, app=app, intent=intent)
    suggestion.event_id = events[0].id if events else None
    _settle(state, suggestion, "approved", actor=actor)


def dismiss_suggestion(state: State, suggestion: Suggestion, *, actor: Account) -> None:
    """Nobody is told."""
    _settle(state, suggestion, "dismissed", actor=actor)


def _settle(
    state: State, suggestion: Suggestion, verdict: SuggestionState, *, actor: Account
) -> None:
    suggestion.state = verdict
    suggestion.resolved_by = actor
    suggestion.updated_at = state.now()
