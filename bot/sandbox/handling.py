"""From a request to its answer, without I/O: version, route, caller, budget, permission, handler, ETag."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.sandbox import (
    graphql,
    routes_app,
    routes_comments,
    routes_hooks,
    routes_issues,
    routes_labels,
    routes_manifest,
    routes_repository,
    suggestions,
)
from bot.sandbox.answers import Answer, Refused, moved, not_found, refusal, unauthorized
from bot.sandbox.auth import Caller, demand, identify
from bot.sandbox.limits import RateLimits
from bot.sandbox.records import Repository
from bot.sandbox.router import Call, Route, match
from bot.sandbox.state import State

VERSIONS = ("2022-11-28", "2026-03-10")
ROUTES = (
    routes_app.ROUTES
    + routes_hooks.ROUTES
    + routes_manifest.ROUTES
    + routes_repository.ROUTES
    + routes_labels.ROUTES
    + routes_issues.ROUTES
    + routes_comments.ROUTES
    + suggestions.ROUTES
    + graphql.ROUTES
)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One request as it came. `path` is still escaped; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What goes back, ready to be sent."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""


@dataclass(slots=True)
class _Context:
    """What is known so far, for the headers of an answer that comes early."""

    headers: dict[str, str] = field(default_factory=dict)


def respond(state: State, limits: RateLimits, request: Incoming) -> Outgoing:
    """Answer one request."""
    context = _Context({"X-GitHub-Request-Id": _request_id()})
    with state.lock:
        try:
            answer = _handle(state, limits, request, context)
        except Refused as refused:
            answer = refused.answer
    return _seal(answer, context)


def _handle(state: State, limits: RateLimits, request: Incoming, context: _Context) -> Answer:
    _check_version(request, context)
    path = _named_path(state, request.path)
    hit = match(ROUTES, request.method, path)
    caller = identify(state, request.headers.get("authorization"))
    budget = limits.budget(state, caller)
    context.headers |= limits.headers(budget)
    if path == "/rate_limit":
        core = limits.overview(budget)
        return Answer(200, {"resources": {"core": core, "search": core}, "rate": core})
    limits.check(budget, caller)
    if hit is None:
        raise not_found()
    if request.method != "GET" and caller.kind == "installation":
        limits.check_write(budget, state.now().timestamp())
    call = _call(state, request, path, hit, caller)
    try:
        answer = _freshened(hit[0].handler(call), request)
    except Refused as refused:
        answer = refused.answer
    if answer.status != 304:
        budget.used += 1
    context.headers |= limits.headers(budget)
    return answer


def _check_version(request: Incoming, context: _Context) -> None:
    wanted = request.headers.get("x-github-api-version", VERSIONS[0])
    if wanted not in VERSIONS:
        raise refusal(400, f"{wanted!r} is not a supported version of the API.")
    context.headers["X-GitHub-Api-Version-Selected"] = wanted
    if not request.headers.get("user-agent"):
        raise refusal(403, "Request forbidden by administrative rules. A User-Agent is required.")


def _named_path(state: State, path: str) -> str:
    """`/repositories/{id}/...`, where redirects and pages lead, in its usual spelling."""
    hit = re.fullmatch(r"/repositories/(\d+)(/.*)?", path)
    if hit is None:
        return path
    repository = state.repositories.get(int(hit[1]))
    if repository is None:
        raise not_found()
    return f"/repos/{repository.full_name}{hit[2] or ''}"


def _call(
    state: State,
    request: Incoming,
    path: str,
    hit: tuple[Route, dict[str, str]],
    caller: Caller,
) -> Call:
    route, params = hit
    found = _repository(state, params)
    if ":" in route.needs:
        if found is None:
            _require_known(caller)
            raise not_found()
        demand(caller, route.needs, found, role=route.role)
    else:
        _require(route.needs, caller)
        if "repo" in params and found is None:
            raise not_found()
    if found is not None:
        _lead_on(state, found, request, path, params)
        if found.archived and request.method != "GET":
            raise refusal(403, "Repository was archived so is read-only.")
    return Call(
        state, request.method, path, params, request.query, request.headers,
        _parsed(request), request.raw, caller, found,
    )  # fmt: skip


def _repository(state: State, params: Mapping[str, str]) -> Repository | None:
    if "repo" not in params:
        return None
    return state.find_repository(f"{params['owner']}/{params['repo']}")


def _require_known(caller: Caller) -> None:
    if caller.kind == "nobody":
        raise unauthorized("Requires authentication")


def _require(access: str, caller: Caller) -> None:
    if access == "open":
        return
    _require_known(caller)
    if access == "app" and caller.kind != "app":
        raise unauthorized("A JSON web token could not be decoded")
    if access == "installation" and caller.kind != "installation":
        raise refusal(403, "You must authenticate with an installation access token.")


def _lead_on(
    state: State, found: Repository, request: Incoming, path: str, params: Mapping[str, str]
) -> None:
    """A former name redirects to the repository's id."""
    asked = f"{params['owner']}/{params['repo']}"
    if asked.casefold() == found.full_name.casefold():
        return
    tail = path.split("/", 4)[4:]
    target = "/".join([f"{state.url}/repositories/{found.id}", *tail])
    query = "&".join(f"{name}={value}" for name, value in request.query.items())
    raise moved(f"{target}?{query}" if query else target, permanent=request.method == "GET")


def _parsed(request: Incoming) -> object:
    kind = request.headers.get("content-type", "")
    if not request.raw or "form-urlencoded" in kind:
        return None
    try:
        return json.loads(request.raw)
    except ValueError:
        raise refusal(400, "Problems parsing JSON") from None


def _freshened(answer: Answer, request: Incoming) -> Answer:
    """With an ETag; 304 where the caller has this very answer already."""
    if request.method != "GET" or answer.status != 200 or answer.body is None:
        return answer
    encoded = json.dumps(answer.body, sort_keys=True).encode()
    etag = f'W/"{hashlib.sha256(encoded).hexdigest()}"'
    headers = {
        **answer.headers,
        "ETag": etag,
        "Cache-Control": "private, max-age=60, s-maxage=60",
        "Vary": "Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept",
    }
    known = request.headers.get("if-none-match", "")
    if etag.removeprefix("W/") in known:
        return Answer(304, None, headers)
    return Answer(200, answer.body, headers)


def _seal(answer: Answer, context: _Context) -> Outgoing:
    headers = {**context.headers, **answer.headers}
    if answer.text is not None:
        return Outgoing(
            answer.status,
            headers | {"Content-Type": "text/html; charset=utf-8"},
            answer.text.encode(),
        )
    if answer.body is None:
        return Outgoing(answer.status, headers)
    headers["Content-Type"] = "application/json; charset=utf-8"
    headers["X-GitHub-Media-Type"] = "github.v3; format=json"
    return Outgoing(answer.status, headers, json.dumps(answer.body).encode())


def seal_fault(answer: Answer) -> Outgoing:
    """An answer that no handler gave."""
    return _seal(answer, _Context({"X-GitHub-Request-Id": _request_id()}))


def _request_id() -> str:
    return uuid.uuid4().hex.upper()[:20]
