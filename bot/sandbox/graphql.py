"""The little GraphQL that history needs: an issue's text, its versions and its renames. Anything else is
refused by name, as an undefined field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from bot.sandbox.answers import Answer, Refused
from bot.sandbox.auth import demand
from bot.sandbox.queries import Field, QueryError, parse
from bot.sandbox.records import BodyEdit, Event, Issue, Repository
from bot.sandbox.router import Call, Route
from bot.sandbox.shapes import iso, node_id

T = TypeVar("T")
Resolved = object
Args = Mapping[str, object]


def execute(call: Call) -> Answer:
    variables = call.fields.get("variables") or {}
    known = variables if isinstance(variables, dict) else {}
    try:
        fields = parse(str(call.fields.get("query", "")), known)
        data = {field.key: _root(call, field) for field in fields}
    except QueryError as error:
        return Answer(200, {"errors": [{"message": str(error), "type": error.kind}]})
    return Answer(200, {"data": data})


def _root(call: Call, field: Field) -> Resolved:
    if field.name == "rateLimit":
        return {one.key: 5000 for one in field.fields}
    if field.name != "repository":
        raise undefined(field.name, "Query")
    full_name = f"{field.args.get('owner')}/{field.args.get('name')}"
    found = call.state.find_repository(full_name)
    try:
        if found is not None:
            demand(call.caller, "issues:read", found)
            return _object(field, "Repository", _repository_fields(found))
    except Refused:
        pass
    raise QueryError(f"Could not resolve to a Repository with the name '{full_name}'.", "NOT_FOUND")


def undefined(name: str, kind: str) -> QueryError:
    return QueryError(f"Field '{name}' doesn't exist on type '{kind}'", "undefinedField")


Resolvers = Mapping[str, Callable[[Field], Resolved]]


def _object(field: Field, kind: str, resolvers: Resolvers) -> dict[str, Resolved]:
    told: dict[str, Resolved] = {}
    for one in field.fields:
        if one.name == "__typename":
            told[one.key] = kind
        elif one.name in resolvers:
            told[one.key] = resolvers[one.name](one)
        else:
            raise undefined(one.name, kind)
    return told


def _repository_fields(repository: Repository) -> Resolvers:
    return {
        "id": lambda _: node_id("R", repository.id),
        "databaseId": lambda _: repository.id,
        "nameWithOwner": lambda _: repository.full_name,
        "issue": lambda field: _issue(repository, field),
        "issueOrPullRequest": lambda field: _issue(repository, field),
        "issues": lambda field: _issues(repository, field),
    }


def _issue(repository: Repository, field: Field) -> Resolved:
    issue = repository.issues.get(int(str(field.args.get("number"))))
    if issue is None or issue.deleted or issue.moved_to is not None:
        number = field.args.get("number")
        raise QueryError(f"Could not resolve to an Issue with the number of {number}.", "NOT_FOUND")
    return _object(field, "Issue", _issue_fields(issue))


def _issues(repository: Repository, field: Field) -> Resolved:
    """Oldest first; that is also GitHub's default."""
    kept = [
        issue
        for issue in repository.issues.values()
        if not (issue.deleted or issue.moved_to is not None or issue.is_pull_request)
    ]
    return _connection(
        field,
        kept,
        lambda one, issue: _object(one, "Issue", _issue_fields(issue)),
    )


def _issue_fields(issue: Issue) -> Resolvers:
    return {
        "id": lambda _: node_id("I", issue.id),
        "databaseId": lambda _: issue.id,
        "number": lambda _: issue.number,
        "title": lambda _: issue.title,
        "body": lambda _: issue.body or "",
        "createdAt": lambda _: iso(issue.created_at),
        "lastEditedAt": lambda _: iso(issue.edits[-1].at) if issue.edits else None,
        "includesCreatedEdit": lambda _: bool(issue.edits),
        "userContentEdits": lambda field: _connection(
            field, issue.edits[::-1], lambda one, edit: _edit(one, edit)
        ),
        "timelineItems": lambda field: _renames(issue, field),
    }


def _edit(field: Field, edit: BodyEdit) -> Resolved:
    resolvers: Resolvers = {
        "id": lambda _: node_id("UCE", edit.id),
        "createdAt": lambda _: iso(edit.at),
        "editedAt": lambda _: iso(edit.at),
        "updatedAt": lambda _: iso(edit.at),
        "deletedAt": lambda _: None,
        "diff": lambda _: edit.body,
        "editor": lambda one: _object(one, "User", {"login": lambda _: edit.editor.login}),
    }
    return _object(field, "UserContentEdit", resolvers)


def _renames(issue: Issue, field: Field) -> Resolved:
    """timelineItems, of which only RENAMED_TITLE_EVENT is known."""
    if field.args.get("itemTypes") != ["RENAMED_TITLE_EVENT"]:
        raise QueryError("The sandbox knows timelineItems(itemTypes: [RENAMED_TITLE_EVENT]) only")
    renames = [event for event in issue.events if event.rename is not None]
    return _connection(field, renames, lambda one, event: _rename(one, event))


def _rename(field: Field, event: Event) -> Resolved:
    before, after = event.rename or ("", "")
    resolvers: Resolvers = {
        "id": lambda _: node_id("RTE", event.id),
        "createdAt": lambda _: iso(event.at),
        "previousTitle": lambda _: before,
        "currentTitle": lambda _: after,
        "actor": lambda one: _object(one, "Actor", {"login": lambda _: event.actor.login}),
    }
    return _object(field, "RenamedTitleEvent", resolvers)


def _connection(field: Field, items: Sequence[T], tell: Callable[[Field, T], Resolved]) -> Resolved:
    """`first`/`after` or `last`; cursors are positions."""
    start = int(str(field.args.get("after") or 0))
    if "last" in field.args:
        start = max(0, len(items) - int(str(field.args["last"])))
    size = int(str(field.args.get("first") or field.args.get("last") or 0))
    if not 1 <= size <= 100:
        raise QueryError(f"`first` or `last` on `{field.name}` must be 1 to 100", "ARGUMENT_LIMIT")
    chosen = items[start : start + size]
    end = start + len(chosen)
    page: Resolvers = {
        "hasNextPage": lambda _: end < len(items),
        "hasPreviousPage": lambda _: start > 0,
        "endCursor": lambda _: str(end) if chosen else None,
        "startCursor": lambda _: str(start) if chosen else None,
    }
    resolvers: Resolvers = {
        "nodes": lambda one: [tell(one, item) for item in chosen],
        "totalCount": lambda _: len(items),
        "pageInfo": lambda one: _object(one, "PageInfo", page),
    }
    return _object(field, f"{field.name}Connection", resolvers)


ROUTES = (Route("POST", "/graphql", execute, "any"),)
