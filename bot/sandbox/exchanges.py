"""The log of what was asked and answered, so that a test can say what the bot did."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from bot.sandbox.handling import Incoming, Outgoing

MASK = "***"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. Bodies of answers and headers are there only where the sandbox
    records in full; the credential never is."""

    at: datetime
    method: str
    path: str
    """Still escaped."""
    query: dict[str, str]
    request_headers: dict[str, str]
    request_body: bytes
    status: int
    response_headers: dict[str, str]
    response_body: bytes
    url: str

    @property
    def body(self) -> object:
        """What was sent, parsed; None for nothing."""
        return json.loads(self.request_body) if self.request_body else None

    @property
    def answer(self) -> object:
        return json.loads(self.response_body) if self.response_body else None


def exchange(
    at: datetime, url: str, request: Incoming, outgoing: Outgoing, *, full: bool
) -> Exchange:
    headers = dict(request.headers) if full else {}
    if "authorization" in headers:
        headers["authorization"] = MASK
    return Exchange(
        at=at,
        method=request.method,
        path=request.path,
        query=dict(request.query),
        request_headers=headers,
        request_body=request.raw,
        status=outgoing.status,
        response_headers=dict(outgoing.headers) if full else {},
        response_body=outgoing.content if full else b"",
        url=url,
    )
