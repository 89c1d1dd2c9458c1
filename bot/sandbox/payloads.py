"""REST shapes of accounts, labels, issues, comments and events. Reads records, changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote

from bot.sandbox.payloads_app import app_payload
from bot.sandbox.records import (
    Account,
    Comment,
    Event,
    Issue,
    Label,
    Repository,
    Suggestion,
)
from bot.sandbox.shapes import Json, account_payload, iso, node_id
from bot.sandbox.state import State, current_labels

REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


def optional_account(url: str, account: Account | None) -> Json | None:
    return None if account is None else account_payload(url, account)


def label_payload(url: str, repository: Repository, label: Label) -> Json:
    return {
        "id": label.id,
        "node_id": node_id("LA", label.id),
        "url": f"{url}/repos/{repository.full_name}/labels/{quote(label.name, safe='')}",
        "name": label.name,
        "color": label.color,
        "default": False,
        "description": label.description,
    }


def labels_payload(url: str, repository: Repository, issue: Issue) -> list[Json]:
    return [label_payload(url, repository, label) for label in current_labels(repository, issue)]


def reaction_rollup(url: str, contents: Iterable[str] = ()) -> Json:
    counted = list(contents)
    rollup: Json = {"url": f"{url}/reactions", "total_count": len(counted)}
    return rollup | {name: counted.count(name) for name in REACTIONS}


def issue_payload(state: State, repository: Repository, issue: Issue) -> Json:
    url = f"{state.url}/repos/{repository.full_name}"
    here = f"{url}/issues/{issue.number}"
    html = f"{state.url}/{repository.full_name}/issues/{issue.number}"
    payload: Json = {
        "url": here,
        "repository_url": url,
        "labels_url": f"{here}/labels{{/name}}",
        "comments_url": f"{here}/comments",
        "events_url": f"{here}/events",
        "html_url": html,
        "id": issue.id,
        "node_id": node_id("I", issue.id),
        "number": issue.number,
        "title": issue.title,
        "user": account_payload(state.url, issue.author),
        "labels": labels_payload(state.url, repository, issue),
        "state": issue.state,
        "locked": issue.locked,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": len(issue.comments),
        "created_at": iso(issue.created_at),
        "updated_at": iso(issue.updated_at),
        "closed_at": iso(issue.closed_at),
        "author_association": issue.association,
        "active_lock_reason": issue.lock_reason,
        "body": issue.body,
        "closed_by": optional_account(state.url, issue.closed_by),
        "reactions": reaction_rollup(here),
        "timeline_url": f"{here}/timeline",
        "performed_via_github_app": issue.app and app_payload(state, issue.app),
        "state_reason": issue.state_reason,
    }
    return payload | (_pull_request(url, html, issue) if issue.is_pull_request else _extras())


def _pull_request(url: str, html: str, issue: Issue) -> Json:
    page = html.replace("/issues/", "/pull/")
    links = {
        "url": f"{url}/pulls/{issue.number}",
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "merged_at": None,
    }
    return {"draft": False, "pull_request": links, "html_url": page}


def _extras() -> Json:
    return {
        "draft": False,
        "sub_issues_summary": {"total": 0, "completed": 0, "percent_completed": 0},
        "issue_dependencies_summary": {
            "blocked_by": 0,
            "total_blocked_by": 0,
            "blocking": 0,
            "total_blocking": 0,
        },
    }


def event_payload(state: State, repository: Repository, event: Event) -> Json:
    payload: Json = {
        "id": event.id,
        "node_id": node_id("LE", event.id),
        "url": f"{state.url}/repos/{repository.full_name}/issues/events/{event.id}",
        "actor": account_payload(state.url, event.actor),
        "event": event.kind,
        "commit_id": None,
        "commit_url": None,
        "created_at": iso(event.at),
        "performed_via_github_app": event.app and app_payload(state, event.app),
    }
    if event.label is not None:
        payload["label"] = {"name": event.label[0], "color": event.label[1]}
    if event.rename is not None:
        payload["rename"] = {"from": event.rename[0], "to": event.rename[1]}
    if event.kind in ("closed", "reopened"):
        payload["state_reason"] = event.state_reason
    if event.intent is not None:
        payload["intent"] = {"rationale": event.intent[0], "confidence": event.intent[1]}
    return payload


def comment_payload(state: State, repository: Repository, issue: Issue, comment: Comment) -> Json:
    url = f"{state.url}/repos/{repository.full_name}"
    here = f"{url}/issues/comments/{comment.id}"
    page = f"{state.url}/{repository.full_name}/issues/{issue.number}"
    return {
        "url": here,
        "html_url": f"{page}#issuecomment-{comment.id}",
        "issue_url": f"{url}/issues/{issue.number}",
        "id": comment.id,
        "node_id": node_id("IC", comment.id),
        "user": account_payload(state.url, comment.author),
        "created_at": iso(comment.created_at),
        "updated_at": iso(comment.updated_at),
        "author_association": comment.association,
        "body": comment.body,
        "reactions": reaction_rollup(here, (content for _, content in comment.reactions)),
        "performed_via_github_app": comment.app and app_payload(state, comment.app),
    }


def timeline_comment(state: State, repository: Repository, issue: Issue, comment: Comment) -> Json:
    """A comment as the timeline tells it: an event with its author as the actor."""
    payload = comment_payload(state, repository, issue, comment)
    return payload | {"event": "commented", "actor": payload["user"]}


def reaction_payload(state: State, id_: int, who: Account, content: str, at: datetime) -> Json:
    return {
        "id": id_,
        "node_id": node_id("REA", id_),
        "user": account_payload(state.url, who),
        "content": content,
        "created_at": iso(at),
    }


def suggestion_payload(repository: Repository, issue: Issue, suggestion: Suggestion) -> Json:
    label = repository.labels.get(suggestion.label_id)
    return {
        "id": suggestion.id,
        "issue_id": issue.id,
        "action": "add_label",
        "state": suggestion.state,
        "target_id": suggestion.label_id,
        "target_value": label.name if label else None,
        "rationale": suggestion.rationale,
        "confidence": suggestion.confidence.upper() if suggestion.confidence else None,
        "actor_id": suggestion.actor.id,
        "issue_event_id": suggestion.event_id,
        "resolved_by": suggestion.resolved_by.id if suggestion.resolved_by else None,
        "created_at": iso(suggestion.created_at),
        "updated_at": iso(suggestion.updated_at),
    }
