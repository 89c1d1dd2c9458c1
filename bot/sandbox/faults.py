"""Trouble on demand: the next matching requests fail, wait, or do their work and never say so."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bot.sandbox.answers import Answer, refusal
from bot.sandbox.limits import SECONDARY


@dataclass(slots=True)
class Fault:
    """`after`: the work is done first, and only then does it go wrong."""

    kind: Literal["answer", "drop", "delay"]
    path: re.Pattern[str]
    method: str | None
    left: int
    after: bool = False
    seconds: float = 0.0
    response: Answer | None = None

    def concerns(self, method: str, path: str) -> bool:
        return self.method in (None, method) and self.path.search(path) is not None


class Faults:
    """The troubles that wait. `path` is a regular expression searched in the escaped path."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def answer(
        self,
        status: int,
        *,
        path: str = "",
        method: str | None = None,
        times: int = 1,
        message: str = "Server Error",
        headers: Mapping[str, str] | None = None,
        after: bool = False,
    ) -> None:
        """The next `times` matching requests get this status; their work is not done unless `after`."""
        response = refusal(status, message, headers=headers).answer
        self._add(Fault("answer", re.compile(path), method, times, after=after, response=response))

    def secondary_limit(
        self,
        *,
        path: str = "",
        method: str | None = None,
        times: int = 1,
        status: Literal[403, 429] = 403,
        retry_after: int | None = 60,
    ) -> None:
        """GitHub's brake on too many writes; with None it does not say for how long."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self.answer(
            status, path=path, method=method, times=times, message=SECONDARY, headers=headers
        )

    def delay(
        self, seconds: float, *, path: str = "", method: str | None = None, times: int = 1
    ) -> None:
        """They are answered, but late."""
        self._add(Fault("delay", re.compile(path), method, times, seconds=seconds))

    def drop(
        self, *, path: str = "", method: str | None = None, times: int = 1, after: bool = True
    ) -> None:
        """The connection breaks without an answer; with `after` the work has been done."""
        self._add(Fault("drop", re.compile(path), method, times, after=after))

    def clear(self) -> None:
        with self._lock:
            self._waiting.clear()

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self._waiting.append(fault)

    def take(self, method: str, path: str) -> Fault | None:
        """The first fault that concerns this request, used up by one."""
        with self._lock:
            for fault in self._waiting:
                if fault.concerns(method, path):
                    fault.left -= 1
                    if fault.left <= 0:
                        self._waiting.remove(fault)
                    return fault
        return None
