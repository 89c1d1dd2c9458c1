"""Issues: list, read, open, edit; their events and timeline."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from bot.sandbox import actions
from bot.sandbox.answers import Answer, invalid, refusal
from bot.sandbox.auth import role_of
from bot.sandbox.paging import Rank, by_cursor, numbered
from bot.sandbox.payloads import event_payload, issue_payload, timeline_comment
from bot.sandbox.records import Issue
from bot.sandbox.router import Call, Route, issue_of, text_field
from bot.sandbox.state import current_labels, find_label

ISSUES = "/repos/{owner}/{repo}/issues"
ONE = ISSUES + "/{issue_number:int}"


def list_issues(call: Call) -> Answer:
    descending = _choice(call, "direction", ("desc", "asc")) == "desc"
    order = _choice(call, "sort", ("created", "updated", "comments"))

    def rank(issue: Issue) -> Rank:
        if order == "comments":
            return len(issue.comments), issue.id
        moment = issue.updated_at if order == "updated" else issue.created_at
        return int(moment.timestamp()), issue.id

    kept = sorted(_filtered(call), key=rank, reverse=descending)
    url = f"{call.state.url}{call.path}"
    page, links = by_cursor(kept, call.query, url=url, rank=rank, descending=descending)
    return Answer(200, [issue_payload(call.state, call.repository, one) for one in page], links)


def _choice(call: Call, name: str, allowed: tuple[str, ...]) -> str:
    """The query parameter; its first allowed value is the default."""
    value = call.query.get(name, allowed[0])
    if value not in allowed:
        raise invalid("Issue", name, "invalid")
    return value


def _filtered(call: Call) -> list[Issue]:
    wanted = _choice(call, "state", ("open", "closed", "all"))
    since = _moment(call.query.get("since"))
    names = [name for name in call.query.get("labels", "").split(",") if name]
    creator = call.query.get("creator", "").casefold()
    return [
        issue
        for issue in call.repository.issues.values()
        if not issue.deleted
        and issue.moved_to is None
        and wanted in ("all", issue.state)
        and (since is None or issue.updated_at >= since)
        and (not creator or issue.author.login.casefold() == creator)
        and (not names or _carries(call, issue, names))
    ]


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise invalid("Issue", "since", "invalid") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _carries(call: Call, issue: Issue, names: list[str]) -> bool:
    carried = {label.name.casefold() for label in current_labels(call.repository, issue)}
    return carried.issuperset(name.casefold() for name in names)


def get_issue(call: Call) -> Answer:
    return Answer(200, issue_payload(call.state, call.repository, issue_of(call)))


def open_issue(call: Call) -> Answer:
    asked = call.fields.get("labels") or []
    names = [str(name) for name in asked] if isinstance(asked, list) else []
    body = call.fields.get("body")
    found = [find_label(call.repository, name) for name in names]
    issue = actions.open_issue(
        call.state,
        call.repository,
        title=text_field(call, "title", resource="Issue"),
        body=body if isinstance(body, str) else None,
        author=call.caller.actor,
        association=association(call),
        labels=[label for label in found if label is not None],
        app=call.caller.app,
    )
    payload = issue_payload(call.state, call.repository, issue)
    return Answer(201, payload, {"Location": payload["url"]})


def association(call: Call) -> str:
    """What the caller is to the repository."""
    login = call.caller.actor.login
    if login.casefold() == call.repository.owner.login.casefold():
        return "OWNER"
    return "NONE" if role_of(call.repository, login) in (None, "read") else "COLLABORATOR"


def edit_issue(call: Call) -> Answer:
    issue = issue_of(call)
    if "labels" in call.fields:
        raise refusal(422, "The sandbox refuses to replace the whole set of labels.")
    title, body = call.fields.get("title"), call.fields.get("body")
    actions.edit_issue(
        call.state,
        call.repository,
        issue,
        actor=call.caller.actor,
        title=title if isinstance(title, str) else None,
        body=body if isinstance(body, str) else None,
        app=call.caller.app,
    )
    _change_state(call, issue)
    return Answer(200, issue_payload(call.state, call.repository, issue))


def _change_state(call: Call, issue: Issue) -> None:
    wanted, reason = call.fields.get("state"), call.fields.get("state_reason")
    if wanted is None:
        return
    if wanted not in ("open", "closed"):
        raise invalid("Issue", "state", "invalid")
    target: Literal["open", "closed"] = "open" if wanted == "open" else "closed"
    actions.set_issue_state(
        call.state,
        call.repository,
        issue,
        target,
        actor=call.caller.actor,
        reason=str(reason) if reason else None,
        app=call.caller.app,
    )


def list_events(call: Call) -> Answer:
    page, links = numbered(issue_of(call).events, call.query, url=f"{call.state.url}{call.path}")
    return Answer(200, [event_payload(call.state, call.repository, one) for one in page], links)


def list_repository_events(call: Call) -> Answer:
    """Newest first, each with its issue."""
    pairs = [
        (event, issue)
        for issue in call.repository.issues.values()
        if not issue.deleted and issue.moved_to is None
        for event in issue.events
    ]
    pairs.sort(key=lambda pair: pair[0].id, reverse=True)
    page, links = numbered(pairs, call.query, url=f"{call.state.url}{call.path}")
    body = [
        event_payload(call.state, call.repository, event)
        | {"issue": issue_payload(call.state, call.repository, issue)}
        for event, issue in page
    ]
    return Answer(200, body, links)


def list_timeline(call: Call) -> Answer:
    issue = issue_of(call)
    told = [event_payload(call.state, call.repository, event) for event in issue.events]
    told += [
        timeline_comment(call.state, call.repository, issue, comment) for comment in issue.comments
    ]
    told.sort(key=lambda entry: (entry["created_at"], entry["id"]))
    page, links = numbered(told, call.query, url=f"{call.state.url}{call.path}")
    return Answer(200, page, links)


ROUTES = (
    Route("GET", ISSUES, list_issues, "issues:read"),
    Route("POST", ISSUES, open_issue, "issues:write", role="read"),
    Route("GET", ISSUES + "/events", list_repository_events, "issues:read"),
    Route("GET", ONE, get_issue, "issues:read"),
    Route("PATCH", ONE, edit_issue, "issues:write"),
    Route("GET", ONE + "/events", list_events, "issues:read"),
    Route("GET", ONE + "/timeline", list_timeline, "issues:read"),
)
