"""Comments of issues and the reactions to them."""

from __future__ import annotations

from bot.sandbox import actions, webhooks
from bot.sandbox.answers import Answer, forbidden, invalid, not_found
from bot.sandbox.auth import ROLES, role_of
from bot.sandbox.paging import numbered
from bot.sandbox.payloads import REACTIONS, comment_payload, reaction_payload
from bot.sandbox.records import Comment, Issue
from bot.sandbox.router import Call, Route, issue_of, text_field
from bot.sandbox.routes_issues import ONE, association

COMMENT = "/repos/{owner}/{repo}/issues/comments/{comment_id:int}"


def _comment_of(call: Call) -> tuple[Issue, Comment]:
    wanted = int(call.params["comment_id"])
    for issue in call.repository.issues.values():
        for comment in issue.comments:
            if comment.id == wanted:
                return issue, comment
    raise not_found()


def list_comments(call: Call) -> Answer:
    issue = issue_of(call)
    page, links = numbered(issue.comments, call.query, url=f"{call.state.url}{call.path}")
    return Answer(200, [_shape(call, issue, one) for one in page], links)


def _shape(call: Call, issue: Issue, comment: Comment) -> dict[str, object]:
    return comment_payload(call.state, call.repository, issue, comment)


def get_comment(call: Call) -> Answer:
    return Answer(200, _shape(call, *_comment_of(call)))


def create_comment(call: Call) -> Answer:
    issue = issue_of(call)
    if issue.locked and _outsider(call):
        raise forbidden("Unable to create comment because issue is locked.")
    comment = actions.add_comment(
        call.state,
        call.repository,
        issue,
        text_field(call, "body", resource="IssueComment"),
        actor=call.caller.actor,
        association=association(call),
        app=call.caller.app,
    )
    shape = _shape(call, issue, comment)
    return Answer(201, shape, {"Location": str(shape["url"])})


def _outsider(call: Call) -> bool:
    if call.caller.kind == "installation":
        return False
    role = role_of(call.repository, call.caller.actor.login)
    return role is None or ROLES[role] < ROLES["triage"]


def edit_comment(call: Call) -> Answer:
    issue, comment = _comment_of(call)
    body = text_field(call, "body", resource="IssueComment")
    actions.edit_comment(call.state, call.repository, issue, comment, body, actor=call.caller.actor)
    return Answer(200, _shape(call, issue, comment))


def delete_comment(call: Call) -> Answer:
    issue, comment = _comment_of(call)
    issue.comments.remove(comment)
    webhooks.comment_hook(
        call.state, call.repository, issue, comment, "deleted", sender=call.caller.actor
    )
    return Answer(204)


def list_reactions(call: Call) -> Answer:
    _, comment = _comment_of(call)
    shapes = [
        reaction_payload(call.state, id_, who, content, at)
        for (_, content), (id_, who, at) in comment.reactions.items()
    ]
    page, links = numbered(shapes, call.query, url=f"{call.state.url}{call.path}")
    return Answer(200, page, links)


def react(call: Call) -> Answer:
    """Once per account and content: again answers 200 with the first one."""
    _, comment = _comment_of(call)
    content = text_field(call, "content", resource="Reaction")
    if content not in REACTIONS:
        raise invalid("Reaction", "content", "invalid")
    who = call.caller.actor
    key = (who.login, content)
    fresh = key not in comment.reactions
    if fresh:
        comment.reactions[key] = (call.state.next_id(), who, call.state.now())
    id_, _, at = comment.reactions[key]
    return Answer(201 if fresh else 200, reaction_payload(call.state, id_, who, content, at))


ROUTES = (
    Route("GET", ONE + "/comments", list_comments, "issues:read"),
    Route("POST", ONE + "/comments", create_comment, "issues:write", role="read"),
    Route("GET", COMMENT, get_comment, "issues:read"),
    Route("PATCH", COMMENT, edit_comment, "issues:write"),
    Route("DELETE", COMMENT, delete_comment, "issues:write"),
    Route("GET", COMMENT + "/reactions", list_reactions, "issues:read"),
    Route("POST", COMMENT + "/reactions", react, "issues:write", role="read"),
)
