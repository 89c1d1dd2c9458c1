"""POST /webhook: size, signature, shape, then stored with its job, then 202. No work beyond that.

Bad input is refused with a 4xx that says what is wrong; a database that is away is a 503, which
GitHub records as failed and which can be redelivered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import Counter
from starlette.requests import ClientDisconnect

from bot.store.inbox import Arrival
from bot.web import envelope, signature
from bot.web.intake import Intake, Unavailable

MAX_BODY = 25 * 1024 * 1024
"""Bytes; GitHub sends no larger payloads."""
BIG_BODY = 512 * 1024
"""Bytes from which reading a body is worth a thread, so that others are not held up."""


class TooLarge(Exception):
    """The body is over `MAX_BODY`."""


def webhook_router(intake: Intake, secrets: Sequence[str], answers: Counter) -> APIRouter:
    """The route, over an intake that is open while it serves.

    Args:
        answers: Counts what was answered, by `outcome`.
    """
    router = APIRouter()

    @router.post("/webhook")
    async def webhook(request: Request) -> Response:
        status, outcome, says = await receive(request, intake, secrets)
        answers.labels(outcome=outcome).inc()
        retry = {"retry-after": "60"} if status == 503 else None
        return JSONResponse(says, status_code=status, headers=retry)

    return router


async def receive(
    request: Request, intake: Intake, secrets: Sequence[str]
) -> tuple[int, str, dict[str, str]]:
    """HTTP status, outcome in a word, and what to tell the sender."""
    try:
        body = await read_body(request)
    except TooLarge:
        return 413, "too_large", {"error": f"the body is over {MAX_BODY} bytes"}
    except ClientDisconnect:
        return 400, "hung_up", {"error": "the sender hung up"}
    signed = request.headers.get("x-hub-signature-256")
    if signed is None:
        return 401, "unsigned", {"error": "the header x-hub-signature-256 is missing"}
    try:
        arrival = await _examine(request, body, signed, secrets)
    except envelope.Malformed as malformed:
        return 400, "malformed", {"error": str(malformed)}
    if arrival is None:
        return 401, "bad_signature", {"error": "the signature does not match any of our secrets"}
    return await _take(intake, arrival)


async def read_body(request: Request) -> bytes:
    """The raw body, given up as soon as it is known to be too large.

    Raises:
        TooLarge: it is.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > MAX_BODY:
        raise TooLarge
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise TooLarge
        chunks.append(chunk)
    return b"".join(chunks)


async def _examine(
    request: Request, body: bytes, signed: str, secrets: Sequence[str]
) -> Arrival | None:
    def examine() -> Arrival | None:
        if not signature.verify(secrets, body, signed):
            return None
        return envelope.read(request.headers, body)

    return await asyncio.to_thread(examine) if len(body) > BIG_BODY else examine()


async def _take(intake: Intake, arrival: Arrival) -> tuple[int, str, dict[str, str]]:
    try:
        is_new = await intake.take(arrival)
    except Unavailable:
        return (
            503,
            "unavailable",
            {"error": "the delivery could not be stored; send it again later"},
        )
    outcome = ("stored" if arrival.task else "ignored") if is_new else "duplicate"
    return 202, outcome, {"status": outcome}
