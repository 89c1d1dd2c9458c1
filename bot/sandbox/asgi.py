"""The sandbox as a web application: reads a request, lets a fault have its say, answers, logs."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bot.sandbox.exchanges import Exchange, exchange
from bot.sandbox.faults import Fault, Faults
from bot.sandbox.handling import Incoming, Outgoing, respond, seal_fault
from bot.sandbox.limits import RateLimits
from bot.sandbox.state import State


class Application:
    """ASGI. `record` keeps whole exchanges instead of what was asked."""

    def __init__(self, state: State, *, limits: RateLimits, record: bool) -> None:
        self.faults = Faults()
        self.limits = limits
        self.requests: list[Exchange] = []
        self._state = state
        self._record = record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        incoming = await _incoming(scope, receive)
        fault = self.faults.take(incoming.method, incoming.path)
        if fault is not None and fault.seconds:
            await asyncio.sleep(fault.seconds)
        outgoing = self._outgoing(incoming, fault)
        self._log(scope, incoming, outgoing)
        if fault is not None and fault.kind == "drop":
            await _hang_up(receive, send)
            return
        answer = Response(outgoing.content, outgoing.status, dict(outgoing.headers))
        await answer(scope, receive, send)

    def _outgoing(self, incoming: Incoming, fault: Fault | None) -> Outgoing:
        """A fault may keep the work from being done, or hide that it was."""
        done = None
        if fault is None or fault.kind == "delay" or fault.after:
            done = respond(self._state, self.limits, incoming)
        if fault is not None and fault.response is not None:
            return seal_fault(fault.response)
        return done or Outgoing(0, {})

    def _log(self, scope: Scope, incoming: Incoming, outgoing: Outgoing) -> None:
        query = scope["query_string"].decode("latin-1")
        url = f"{self._state.url}{incoming.path}" + (f"?{query}" if query else "")
        at = self._state.now()
        self.requests.append(exchange(at, url, incoming, outgoing, full=self._record))


async def _incoming(scope: Scope, receive: Receive) -> Incoming:
    request = Request(scope, receive)
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    return Incoming(
        method=request.method,
        path=raw_path.decode("latin-1").partition("?")[0],
        query=dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        headers=dict(request.headers),
        raw=await request.body(),
    )


async def _hang_up(receive: Receive, send: Send) -> None:
    """Cut the connection. ASGI has no word for that; uvicorn's cycle, which `send` belongs to, holds the
    transport."""
    cycle = getattr(send, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is None:
        raise RuntimeError("this server cannot drop a connection; run the sandbox under uvicorn")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
