"""GitHub's own description of its API as a judge. What it finds wrong is raised as `ContractError`; what it
does not describe is refused too, unless listed here with the reason."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import httpx
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.templating.responses.exceptions import ResponseNotFound
from openapi_core.testing import MockRequest, MockResponse

from bot.sandbox.exchanges import Exchange

DESCRIPTION = Path(__file__).parent / "openapi-subset.json.gz"
HOST = "https://api.github.com"
NUMBER = r"[0-9]+"
REPOSITORY = r"/repos/[^/]+/[^/]+"

UNDESCRIBED = (
    ("POST", r"/graphql", "another language"),
    ("GET", r"/app/hook/deliveries/" + NUMBER, "left out of the subset"),
    ("POST", REPOSITORY + r"/issues", "the bot never opens issues; peers and tests do"),
    ("POST", rf"{REPOSITORY}/issues/{NUMBER}/suggestions/{NUMBER}/\w+", "for people only"),
    ("GET|DELETE", rf"{REPOSITORY}/issues/comments/{NUMBER}", "left out of the subset"),
    ("GET", rf"{REPOSITORY}/issues/comments/{NUMBER}/reactions", "left out of the subset"),
    ("GET", REPOSITORY + r"/collaborators/[^/]+/permission", "left out of the subset"),
    ("POST", r"(/organizations/[^/]+)?/settings/apps/new", "a page, not the API"),
)
"""Method, path, why it is not in the subset."""


class ContractError(AssertionError):
    """What was sent or answered is not what GitHub describes."""


@cache
def document() -> dict[str, Any]:
    """The description as GitHub publishes it, pruned to what we use."""
    found: dict[str, Any] = json.loads(gzip.decompress(DESCRIPTION.read_bytes()))
    return found


@cache
def description() -> OpenAPI:
    """Loaded once per process (about 2 s)."""
    raw = deepcopy(document())
    _correct(raw)
    _complete(raw)
    _admit_null(raw)
    for name, operation in raw["x-webhooks"].items():
        raw["paths"][f"/x-webhooks/{name}"] = operation
    return OpenAPI.from_dict(raw, config=Config(spec_validator_cls=None))


def _correct(raw: dict[str, Any]) -> None:
    """Where the description contradicts what GitHub sends, by its own other pages.

    - An issue's events hold `closed` and `reopened` (the timeline's list has them; this one does not).
    - An installation's account is a user or an enterprise, not both (`installation` says so).
    """
    schemas = raw["components"]["schemas"]
    change = {"$ref": "#/components/schemas/state-change-issue-event"}
    schemas["issue-event-for-issue"]["anyOf"].append(change)
    listed = raw["paths"]["/app/installations"]["get"]["responses"]["200"]
    item = {"$ref": "#/components/schemas/installation"}
    listed["content"]["application/json"]["schema"]["items"] = item


def _complete(raw: dict[str, Any]) -> None:
    """What the bot sends and the subset leaves out, after GitHub's pages: editing a comment is described as
    posting one is; a reaction is one of eight words."""
    paths = raw["paths"]
    comment = deepcopy(paths["/repos/{owner}/{repo}/issues/{issue_number}/comments"]["post"])
    where = {"name": "comment_id", "in": "path", "required": True, "schema": {"type": "integer"}}
    comment["parameters"] = [*comment["parameters"][:2], where]
    comment["responses"]["200"] = comment["responses"].pop("201")
    here = "/repos/{owner}/{repo}/issues/comments/{comment_id}"
    paths[here] = {"patch": comment}
    words = ["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"]
    content = {"type": "string", "enum": words}
    sent = {"type": "object", "properties": {"content": content}, "required": ["content"]}
    id_ = {"type": "integer"}
    got = {"type": "object", "properties": {"id": id_, "content": content}, "required": ["id"]}
    answer = {"description": "", "content": {"application/json": {"schema": got}}}
    paths[f"{here}/reactions"] = {
        "post": {
            "parameters": comment["parameters"],
            "requestBody": {"required": True, "content": {"application/json": {"schema": sent}}},
            "responses": {"200": answer, "201": answer},
        }
    }


def _admit_null(node: object) -> None:
    """`nullable` with an `enum` that does not list null means null too; validators disagree."""
    if isinstance(node, dict):
        values = node.get("enum")
        if node.get("nullable") and isinstance(values, list) and None not in values:
            values.append(None)
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            _admit_null(item)


def operations() -> list[tuple[str, str]]:
    """(METHOD, path template) of everything that is described."""
    return [
        (method.upper(), path)
        for path, item in document()["paths"].items()
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}
    ]


def validate_exchange(
    method: str,
    url: str,
    request_headers: Mapping[str, str],
    request_body: bytes,
    status: int,
    response_headers: Mapping[str, str],
    response_body: bytes,
) -> None:
    """Raise `ContractError` unless GitHub describes this request and this answer.

    `status` 0 stands for an answer that never came: only the request is judged.
    """
    path, query = _described_path(url)
    if any(
        re.fullmatch(verb, method) and re.fullmatch(shape, path) for verb, shape, _ in UNDESCRIBED
    ):
        return
    kind = _content_type(request_headers)
    request = MockRequest(
        HOST, method, path, args=query, headers=dict(request_headers), data=request_body or None,
        content_type=kind,
    )  # fmt: skip
    where = f"{method} {path}"
    try:
        description().validate_request(request)
        if status:
            _judge_answer(request, status, response_headers, response_body)
    except OpenAPIError as error:
        raise ContractError(f"{where} -> {status}: {_reasons(error)}") from error


def _described_path(url: str) -> tuple[str, dict[str, str]]:
    """The path as the description spells it: names for ids, one segment for each parameter."""
    parts = urlsplit(url)
    path = re.sub(r"^/repositories/[0-9]+", "/repos/some/repository", parts.path)
    path = re.sub(r"(/contents/|/labels/)(.+)$", lambda hit: hit[1] + _one_segment(hit[2]), path)
    return path, dict(parse_qsl(parts.query, keep_blank_values=True))


def _one_segment(text: str) -> str:
    return quote(unquote(text), safe="")


def _content_type(headers: Mapping[str, str]) -> str:
    folded = {name.lower(): value for name, value in headers.items()}
    return folded.get("content-type", "application/json").partition(";")[0]


def _judge_answer(
    request: MockRequest, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    if status in (301, 304, 307):
        return  # any call may lead on or say "unchanged", also where its page does not list it
    answer = MockResponse(
        body, status_code=status, headers=dict(headers), content_type=_content_type(headers)
    )
    try:
        description().validate_response(request, answer)
    except ResponseNotFound:
        if status < 400:
            raise
        _judge_error(status, body)


def _judge_error(status: int, body: bytes) -> None:
    """Any call may fail in ways its page does not list; the shape of an error is always the same."""
    told = json.loads(body)
    for name in ("message", "documentation_url"):
        if not isinstance(told.get(name), str):
            raise ContractError(f"an error {status} without {name}: {told}")


def validate_webhook(event: str, action: str | None, body: bytes) -> None:
    """Raise `ContractError` unless GitHub describes this payload."""
    name = "-".join([event, *([action] if action else [])]).replace("_", "-")
    if event == "push":
        return _judge_push(json.loads(body))
    request = MockRequest(HOST, "post", f"/x-webhooks/{name}", data=body)
    try:
        description().validate_request(request)
    except OpenAPIError as error:
        raise ContractError(f"webhook {name}: {_reasons(error)}") from error
    return None


def _judge_push(payload: Mapping[str, Any]) -> None:
    """Left out of the subset: its keys, as GitHub's page lists the required ones."""
    required = {
        "after", "base_ref", "before", "commits", "compare", "created", "deleted", "forced",
        "head_commit", "pusher", "ref", "repository",
    }  # fmt: skip
    if missing := required - payload.keys():
        raise ContractError(f"webhook push lacks {sorted(missing)}")


def _reasons(error: BaseException) -> str:
    """The innermost messages, with the place in the document they speak of."""
    found: list[str] = []
    queue: list[BaseException] = [error]
    while queue:
        one = queue.pop()
        inner = [*getattr(one, "schema_errors", ()), *([one.__cause__] if one.__cause__ else [])]
        if not inner:
            place = "/".join(str(step) for step in getattr(one, "absolute_path", ()))
            found.append(f"{place}: {one}"[:600])
        queue.extend(inner)
    return "; ".join(found)


class Validated(httpx.BaseTransport):
    """A transport that judges everything that passes through it: `httpx.Client(transport=Validated())`."""

    def __init__(self, inner: httpx.BaseTransport | None = None) -> None:
        self._inner = inner or httpx.HTTPTransport()
        self.judged = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        answer = self._inner.handle_request(request)
        told = answer.read()
        validate_exchange(
            request.method, str(request.url), request.headers, body,
            answer.status_code, answer.headers, told,
        )  # fmt: skip
        self.judged += 1
        return answer

    def close(self) -> None:
        self._inner.close()


def validate_requests(exchanges: Iterable[Exchange]) -> int:
    """Everything a recording sandbox was asked and answered. Returns how many were judged."""
    count = 0
    for one in exchanges:
        validate_exchange(
            one.method, one.url, one.request_headers, one.request_body,
            one.status, one.response_headers, one.response_body,
        )  # fmt: skip
        count += 1
    return count
