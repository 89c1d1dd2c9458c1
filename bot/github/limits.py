"""What an answer of GitHub means for the worker: go on, wait, ignore or give up.

Pure but for `Backoff`, which remembers how often GitHub asked us to slow down. Never sleeps.
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.errors import GiveUp, Ignore, LabelwrightError, RetryLater

FIRST_WAIT = 60.0
"""Seconds; GitHub asks for at least a minute where it names no time, then exponentially more."""
LONGEST_WAIT = 3600.0
AFTER_OUTAGE = 15.0
"""Seconds to leave alone a GitHub that answers 5xx or not at all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. Header names are in lower case; `body` is parsed JSON, None where there was none."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    @property
    def message(self) -> str:
        """GitHub's own words, cut; they name no text of an issue."""
        said = self.body.get("message") if isinstance(self.body, dict) else None
        return said[:200] if isinstance(said, str) else ""

    @property
    def next_page(self) -> str | None:
        """The address behind `rel="next"` of the Link header."""
        for part in self.headers.get("link", "").split(","):
            address, _, relation = part.partition(";")
            if 'rel="next"' in relation:
                return address.strip().strip("<>")
        return None


class PermissionMissing(GiveUp):
    """The installation did not grant what a call needs."""

    WORDS = "the App lacks the permission"

    def __init__(self, permission: str, *, doing: str) -> None:
        super().__init__(
            f"cannot {doing}: {self.WORDS} {permission!r}; "
            "grant it on the App's settings page and accept it for the installation"
        )
        self.permission = permission


class Backoff:
    """Counts limits in a row, so that each wait is twice the one before. Safe among threads."""

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self._lock = threading.Lock()
        self._in_a_row = 0

    def hit(self) -> float:
        """Seconds to wait after one more limit that named no time."""
        with self._lock:
            wait = FIRST_WAIT * float(2**self._in_a_row)
            self._in_a_row = min(self._in_a_row + 1, 6)
        return min(wait, LONGEST_WAIT)

    def clear(self) -> None:
        """An answer came through."""
        with self._lock:
            self._in_a_row = 0


def checked(answer: Answer, *, doing: str, permission: str, backoff: Backoff) -> Answer:
    """The answer itself where it is a success or a 304; else raises what the worker does next.

    Args:
        doing: the call in words ("read issue #3 of o/r"), for the message.
        permission: what the call needs ("issues: write"), named where GitHub does not say.

    Raises:
        RetryLater: a limit, an outage. Ignore: gone or suspended. GiveUp: anything else.
    """
    if answer.status < 300 or answer.status == 304:
        backoff.clear()
        return answer
    raise error_of(answer, doing=doing, permission=permission, backoff=backoff)


def error_of(answer: Answer, *, doing: str, permission: str, backoff: Backoff) -> LabelwrightError:
    """The error that an unsuccessful answer means."""
    if is_limit(answer):
        return RetryLater(f"GitHub's rate limit, on: {doing}", after=_limit_wait(answer, backoff))
    if answer.status >= 500:
        return RetryLater(f"GitHub answered {answer.status}, on: {doing}", after=AFTER_OUTAGE)
    if answer.status in (404, 410):
        return Ignore(f"cannot {doing}: GitHub no longer shows it ({answer.status})")
    if answer.status == 403:
        return _forbidden(answer, doing=doing, permission=permission)
    if answer.status == 401:
        return GiveUp(
            f"cannot {doing}: GitHub refuses our credentials ({answer.message or 401}); "
            "check the App's id, its private key and this machine's clock"
        )
    return GiveUp(f"cannot {doing}: GitHub answered {answer.status} {answer.message}".rstrip())


def is_limit(answer: Answer) -> bool:
    """Primary and secondary limits come as 403 or 429."""
    if answer.status == 429:
        return True
    if answer.status != 403:
        return False
    said = answer.message.lower()
    spent = answer.headers.get("x-ratelimit-remaining") == "0"
    return spent or "retry-after" in answer.headers or "rate limit" in said or "abuse" in said


def outage(error: Exception, *, doing: str) -> RetryLater:
    """For a timeout or a broken connection. Names the class only: messages carry addresses."""
    return RetryLater(
        f"GitHub did not answer ({type(error).__name__}), on: {doing}", after=AFTER_OUTAGE
    )


def parse_body(text: str, *, status: int, doing: str) -> Any:
    """JSON, or None for nothing. A success with a cut or foreign body (a proxy's page) is an outage;
    of a failure the status says enough."""
    if not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if status >= 300:
            return None
        raise outage(error, doing=doing) from error


def _limit_wait(answer: Answer, backoff: Backoff) -> float:
    patience = backoff.hit()
    named = _seconds(answer.headers.get("retry-after"))
    if named is not None:
        return max(named, 1.0)
    reset = _seconds(answer.headers.get("x-ratelimit-reset"))
    if reset is not None and answer.headers.get("x-ratelimit-remaining") == "0":
        return min(max(reset - backoff.now(), 1.0), LONGEST_WAIT)
    return patience


def _seconds(written: str | None) -> float | None:
    if written is None or not written.strip().isdecimal():
        return None
    return float(written)


def _forbidden(answer: Answer, *, doing: str, permission: str) -> LabelwrightError:
    said = answer.message.lower()
    if "suspended" in said:
        return Ignore(f"cannot {doing}: the installation is suspended")
    if "archived" in said or "read-only" in said:
        return Ignore(f"cannot {doing}: the repository is archived")
    if "not accessible by integration" in said:
        accepted = answer.headers.get("x-accepted-github-permissions", "").replace("=", ": ")
        return PermissionMissing(accepted or permission, doing=doing)
    return GiveUp(
        f"cannot {doing}: GitHub forbids it ({answer.message or 403}); it needs {permission!r}"
    )
