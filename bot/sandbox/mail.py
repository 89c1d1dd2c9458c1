"""Webhooks as values: what is to be sent, what was sent, and who can send it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from bot.sandbox.records import App


@dataclass(frozen=True, slots=True)
class Emission:
    """A webhook on its way to one App."""

    app: App
    guid: str
    event: str
    action: str | None
    installation_id: int | None
    repository_id: int | None
    payload: dict[str, object]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to deliver, as the log tells it. The body is kept compressed."""

    id: int
    emission: Emission
    delivered_at: datetime
    redelivery: bool
    duration: float
    status: str
    status_code: int
    request_headers: dict[str, str]
    packed: bytes
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: str = ""

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status_code < 400

    @property
    def body(self) -> bytes:
        """The bytes that were signed and sent."""
        return zlib.decompress(self.packed)


class Post(Protocol):
    """Who takes webhooks away."""

    @property
    def log(self) -> Sequence[Delivery]: ...

    def send(self, emission: Emission) -> None: ...

    def redeliver(self, delivery: Delivery) -> None: ...


class NoPost:
    """Takes everything and delivers nothing."""

    log: Sequence[Delivery] = ()

    def send(self, emission: Emission) -> None:
        """Nobody is told."""

    def redeliver(self, delivery: Delivery) -> None:
        """Nobody is told."""
