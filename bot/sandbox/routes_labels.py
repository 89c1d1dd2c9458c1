"""Labels: those a repository defines, and those an issue carries."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bot.sandbox import actions, definitions
from bot.sandbox.answers import Answer, invalid, not_found, refusal
from bot.sandbox.paging import numbered
from bot.sandbox.payloads import label_payload, labels_payload
from bot.sandbox.records import Issue, Label
from bot.sandbox.router import Call, Route, issue_of, text_field
from bot.sandbox.state import current_labels, find_label
from bot.sandbox.suggestions import propose

ISSUE = "/repos/{owner}/{repo}/issues/{issue_number:int}"
LABELS = "/repos/{owner}/{repo}/labels"


def _named(call: Call) -> Label:
    found = find_label(call.repository, call.params["name"])
    if found is None:
        raise not_found()
    return found


def list_labels(call: Call) -> Answer:
    ordered = sorted(call.repository.labels.values(), key=lambda label: label.name.casefold())
    page, links = numbered(ordered, call.query, url=f"{call.state.url}{call.path}")
    return Answer(200, [_shape(call, label) for label in page], links)


def _shape(call: Call, label: Label) -> dict[str, object]:
    return label_payload(call.state.url, call.repository, label)


def get_label(call: Call) -> Answer:
    return Answer(200, _shape(call, _named(call)))


def create_label(call: Call) -> Answer:
    name = text_field(call, "name", resource="Label")
    if find_label(call.repository, name) is not None:
        raise invalid("Label", "name", "already_exists")
    wanted = _wanted(call)
    label = definitions.create_label(
        call.state,
        call.repository,
        name,
        actor=call.caller.actor,
        color=wanted.get("color", "ededed"),
        description=wanted.get("description"),
    )
    shape = _shape(call, label)
    return Answer(201, shape, {"Location": str(shape["url"])})


def _wanted(call: Call) -> dict[str, str]:
    fields = {name: call.fields.get(name) for name in ("color", "description")}
    wanted = {name: value for name, value in fields.items() if isinstance(value, str)}
    if "color" in wanted and not re.fullmatch("[0-9a-fA-F]{6}", wanted["color"]):
        raise invalid("Label", "color", "invalid")
    if len(wanted.get("description", "")) > 100:
        raise invalid("Label", "description", "invalid", message="too long (maximum is 100)")
    return wanted


def edit_label(call: Call) -> Answer:
    label = _named(call)
    wanted = _wanted(call)
    if "new_name" in call.fields:
        wanted["name"] = text_field(call, "new_name", resource="Label")
        taken = find_label(call.repository, wanted["name"])
        if taken is not None and taken is not label:
            raise invalid("Label", "name", "already_exists")
    definitions.edit_label(call.state, call.repository, label, wanted, actor=call.caller.actor)
    return Answer(200, _shape(call, label))


def delete_label(call: Call) -> Answer:
    definitions.delete_label(call.state, call.repository, _named(call), actor=call.caller.actor)
    return Answer(204)


def list_issue_labels(call: Call) -> Answer:
    labels = current_labels(call.repository, issue_of(call))
    page, links = numbered(labels, call.query, url=f"{call.state.url}{call.path}")
    return Answer(200, [_shape(call, label) for label in page], links)


def _answer_labels(call: Call, issue: Issue) -> Answer:
    return Answer(200, labels_payload(call.state.url, call.repository, issue))


def add_issue_labels(call: Call) -> Answer:
    """Additive. Names the repository lacks are created, except where they are only suggested."""
    issue = issue_of(call)
    asked = call.body if isinstance(call.body, list) else call.fields.get("labels")
    if not isinstance(asked, list) or not asked:
        raise refusal(422, 'Invalid request.\n\n"labels" wasn\'t supplied.')
    entries = [_entry(item) for item in asked]
    if any(entry.get("suggest") for entry in entries):
        entries = propose(call, issue, entries)
    for entry in entries:
        actions.add_labels(
            call.state,
            call.repository,
            issue,
            [str(entry["name"])],
            actor=call.caller.actor,
            app=call.caller.app,
        )
    return _answer_labels(call, issue)


def _entry(item: object) -> Mapping[str, object]:
    entry = {"name": item} if isinstance(item, str) else item
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise refusal(
            422, "Invalid request.\n\nFor 'anyOf/1', an entry is not an object with a name."
        )
    if not str(entry["name"]).strip() or len(str(entry["name"])) > 50:
        raise invalid("Label", "name", "invalid")
    return entry


def remove_issue_label(call: Call) -> Answer:
    issue = issue_of(call)
    label = find_label(call.repository, call.params["name"])
    if label is None or label.id not in issue.labels:
        raise refusal(404, "Label does not exist")
    actions.remove_label(
        call.state, call.repository, issue, label, actor=call.caller.actor, app=call.caller.app
    )
    return _answer_labels(call, issue)


ROUTES = (
    Route("GET", LABELS, list_labels, "issues:read"),
    Route("POST", LABELS, create_label, "issues:write", role="write"),
    Route("GET", LABELS + "/{name:path}", get_label, "issues:read"),
    Route("PATCH", LABELS + "/{name:path}", edit_label, "issues:write", role="write"),
    Route("DELETE", LABELS + "/{name:path}", delete_label, "issues:write", role="write"),
    Route("GET", ISSUE + "/labels", list_issue_labels, "issues:read"),
    Route("POST", ISSUE + "/labels", add_issue_labels, "issues:write"),
    Route("DELETE", ISSUE + "/labels/{name:path}", remove_issue_label, "issues:write"),
)
