"""Native label suggestions (public preview): proposed by an App, decided by a person, seen by no webhook
until one is approved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.sandbox import actions
from bot.sandbox.answers import Answer, invalid, not_found, refusal
from bot.sandbox.paging import numbered
from bot.sandbox.payloads import suggestion_payload
from bot.sandbox.records import Issue, Suggestion
from bot.sandbox.router import Call, Route, issue_of
from bot.sandbox.state import find_label

SUGGESTIONS = "/repos/{owner}/{repo}/issues/{issue_number:int}/suggestions"
LONGEST_RATIONALE = 280
CONFIDENCES = ("low", "medium", "high")


def propose(
    call: Call, issue: Issue, entries: Sequence[Mapping[str, object]]
) -> list[Mapping[str, object]]:
    """Keep the entries with `suggest` as suggestions; return those that remain to be applied.

    A repository without the feature refuses, or (`ignored`) applies the label all the same: what
    GitHub does there is not documented, so a client must survive both.
    """
    support = call.repository.suggestions
    if support == "ignored":
        return list(entries)
    if support == "off":
        raise refusal(422, "Suggestions are not enabled for this repository.")
    for entry in entries:
        if entry.get("suggest"):
            _keep(call, issue, entry)
    return [entry for entry in entries if not entry.get("suggest")]


def _keep(call: Call, issue: Issue, entry: Mapping[str, object]) -> None:
    rationale, confidence = entry.get("rationale"), entry.get("confidence")
    if rationale is not None and (
        not isinstance(rationale, str) or len(rationale) > LONGEST_RATIONALE
    ):
        raise invalid("IssueSuggestion", "rationale", "invalid")
    if confidence is not None and confidence not in CONFIDENCES:
        raise invalid("IssueSuggestion", "confidence", "invalid")
    label = find_label(call.repository, str(entry["name"]))
    if label is None:
        raise invalid("Label", "name", "missing")
    waiting = (one for one in issue.suggestions.values() if one.state == "pending")
    if label.id in issue.labels or any(one.label_id == label.id for one in waiting):
        return
    now = call.state.now()
    chosen = None if confidence is None else str(confidence)
    id_ = call.state.next_id()
    issue.suggestions[id_] = Suggestion(
        id_, label.id, rationale, chosen, call.caller.actor, now, now
    )


def list_suggestions(call: Call) -> Answer:
    issue = issue_of(call)
    if call.repository.suggestions != "on":
        raise not_found()
    wanted = call.query.get("state", "pending")
    kept = [one for one in issue.suggestions.values() if wanted in ("all", one.state)]
    page, links = numbered(kept, call.query, url=f"{call.state.url}{call.path}")
    return Answer(200, [suggestion_payload(call.repository, issue, one) for one in page], links)


def _pending(call: Call, issue: Issue) -> Suggestion:
    found = issue.suggestions.get(int(call.params["suggestion_id"]))
    if found is None or call.repository.suggestions != "on":
        raise not_found()
    if found.state != "pending":
        raise refusal(422, "The suggestion is not pending.")
    return found


def approve(call: Call) -> Answer:
    issue = issue_of(call)
    suggestion = _pending(call, issue)
    actions.approve_suggestion(
        call.state,
        call.repository,
        issue,
        suggestion,
        actor=call.caller.actor,
        app=call.caller.app,
    )
    return Answer(200, suggestion_payload(call.repository, issue, suggestion))


def dismiss(call: Call) -> Answer:
    issue = issue_of(call)
    suggestion = _pending(call, issue)
    actions.dismiss_suggestion(call.state, suggestion, actor=call.caller.actor)
    return Answer(200, suggestion_payload(call.repository, issue, suggestion))


ROUTES = (
    Route("GET", SUGGESTIONS, list_suggestions, "issues:read"),
    Route("POST", SUGGESTIONS + "/{suggestion_id:int}/approve", approve, "issues:write"),
    Route("POST", SUGGESTIONS + "/{suggestion_id:int}/dismiss", dismiss, "issues:write"),
)
