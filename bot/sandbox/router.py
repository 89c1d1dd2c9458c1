"""Which handler answers which path, and what a caller must be allowed to. Matches raw paths, so that an
escaped slash stays inside its segment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal
from urllib.parse import unquote

from bot.sandbox.answers import Answer, gone, invalid, moved, not_found, refusal
from bot.sandbox.auth import Caller
from bot.sandbox.records import Issue, Repository
from bot.sandbox.state import State

Access = Literal["app", "installation", "open", "any"]
"""Whole-App calls need the JWT; `installation` its token; `open` nobody; `any` whoever is known."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as handlers see it: parsed, authenticated, its repository found."""

    state: State
    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: object
    raw: bytes
    caller: Caller
    found: Repository | None = None

    @property
    def repository(self) -> Repository:
        if self.found is None:
            raise AssertionError(f"{self.path} names no repository")
        return self.found

    @property
    def fields(self) -> dict[str, object]:
        """The JSON object that was sent; {} for an empty body."""
        if self.body is None:
            return {}
        if not isinstance(self.body, dict):
            raise refusal(422, "Invalid request. For 'schema', a list is not an object.")
        return self.body


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """`needs` is an `Access`, or a permission such as `issues:write` on the repository in the path."""

    method: str
    pattern: str
    handler: Handler
    needs: str
    role: str = "triage"
    """What a person needs for a write; reading takes `read`."""


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    spelled = re.sub(r"\{(\w+):path\}", r"(?P<\1>.*)", pattern)
    spelled = re.sub(r"\{(\w+):int\}", r"(?P<\1>[0-9]+)", spelled)
    spelled = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", spelled)
    return re.compile(spelled)


def match(
    routes: Iterable[Route], method: str, raw_path: str
) -> tuple[Route, dict[str, str]] | None:
    """The route and its unescaped parameters."""
    for route in routes:
        if route.method == method and (hit := _compiled(route.pattern).fullmatch(raw_path)):
            return route, {key: unquote(value) for key, value in hit.groupdict().items()}
    return None


def text_field(call: Call, name: str, *, resource: str) -> str:
    """A field that must be a text with something in it."""
    value = call.fields.get(name)
    if value is None:
        raise invalid(resource, name, "missing_field")
    if not isinstance(value, str) or not value.strip():
        raise invalid(resource, name, "invalid")
    return value


def issue_of(call: Call) -> Issue:
    """The issue in the path. A deleted one is gone, a transferred one leads on."""
    issue = call.repository.issues.get(int(call.params["issue_number"]))
    if issue is None:
        raise not_found()
    if issue.deleted:
        raise gone()
    if issue.moved_to is not None:
        repository, number = issue.moved_to
        tail = call.path.partition(f"/issues/{issue.number}")[2]
        target = f"{call.state.url}/repositories/{repository}/issues/{number}{tail}"
        raise moved(target, permanent=call.method == "GET")
    return issue
