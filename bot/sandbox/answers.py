"""Answers in GitHub's shapes, and the refusals that handlers raise. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

DOCS = "https://docs.github.com/rest"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, JSON body (None for none) and headers."""

    status: int
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    """A body that is not JSON, for the pages of a browser."""


class Refused(Exception):
    """The handler will not do it; `answer` says why in GitHub's words."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status}: {answer.body}")
        self.answer = answer


def refusal(
    status: int, message: str, *, headers: Mapping[str, str] | None = None, **more: object
) -> Refused:
    body = {"message": message, "documentation_url": DOCS, "status": str(status), **more}
    return Refused(Answer(status, body, headers or {}))


def not_found() -> Refused:
    return refusal(404, "Not Found")


def forbidden(message: str = "Resource not accessible by integration") -> Refused:
    return refusal(403, message)


def unauthorized(message: str = "Bad credentials") -> Refused:
    return refusal(401, message)


def gone() -> Refused:
    return refusal(410, "This issue was deleted")


def invalid(resource: str, name: str, code: str, *, message: str | None = None) -> Refused:
    """422 with one entry in `errors`, as GitHub's validation does."""
    entry: dict[str, object] = {"resource": resource, "field": name, "code": code}
    if message is not None:
        entry["message"] = message
    errors: Sequence[object] = [entry]
    return refusal(422, "Validation Failed", errors=errors)


def moved(location: str, *, permanent: bool) -> Refused:
    """A rename or transfer: 301 for reads, 307 for writes."""
    status = 301 if permanent else 307
    message = "Moved Permanently" if permanent else "Temporary Redirect"
    body = {"message": message, "url": location, "documentation_url": DOCS}
    return Refused(Answer(status, body, {"Location": location}))
