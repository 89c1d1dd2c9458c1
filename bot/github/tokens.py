"""Whose call it is: the App's own JWT, or an installation's token, cached and refreshed early.

Tokens are opaque strings of any length; they are never logged and never stored.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from github import Auth

from bot.github.limits import Answer

REFRESH_BEFORE = 600.0
"""Seconds before its end at which a token is replaced; it lives an hour."""
REPLICATION = 8.0
"""Seconds for which a fresh token may be refused while GitHub spreads it (it says about 5)."""
PAUSES = (1.0, 4.0)
"""Seconds between the tries of a call that was answered 401."""

JWT_LIFE = 540
"""9 minutes from now; 10 are refused as soon as clocks drift."""
JWT_BACKDATED = -60


class TokenSource(Protocol):
    """Gives the credentials of a call, and says what to do when GitHub refuses them."""

    def token(self) -> str:
        """The token to send as Bearer."""

    def refused(self) -> bool:
        """GitHub answered 401. Whether another try can help."""


class AppJwt:
    """The App itself: a new JWT for each call (RS256, signed here)."""

    def __init__(self, app_id: int, private_key: str) -> None:
        self._auth = Auth.AppAuth(
            app_id, private_key, jwt_expiry=JWT_LIFE, jwt_issued_at=JWT_BACKDATED
        )

    def token(self) -> str:
        return self._auth.token

    def refused(self) -> bool:
        return False


class Nobody:
    """No credentials: for the one call that is made before there is an App."""

    def token(self) -> str:
        return ""

    def refused(self) -> bool:
        return False


class PersonalToken:
    """A token that somebody made for themselves: for reading before there is an App."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        return self._token

    def refused(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class InstallationGrant:
    """A token and its life."""

    token: str = field(repr=False)
    expires_at: datetime


class InstallationToken:
    """One installation's token. Threads share it; only one of them asks for a new one."""

    def __init__(
        self, mint: Callable[[], InstallationGrant], *, now: Callable[[], float] = time.time
    ) -> None:
        self._mint = mint
        self._now = now
        self._lock = threading.Lock()
        self._grant: InstallationGrant | None = None
        self._minted_at = 0.0

    def token(self) -> str:
        with self._lock:
            grant = self._grant
            if grant is None or grant.expires_at.timestamp() - self._now() < REFRESH_BEFORE:
                grant = self._grant = self._mint()
                self._minted_at = self._now()
            return grant.token

    def refused(self) -> bool:
        """A fresh token is worth another try as it is; an old one was revoked and is replaced."""
        with self._lock:
            if self._now() - self._minted_at > REPLICATION:
                self._grant = None
            return True


def answered(
    source: TokenSource, call: Callable[[], Answer], *, pause: Callable[[float], None] = time.sleep
) -> Answer:
    """The answer to a call, tried again where GitHub does not know a fresh token yet."""
    for wait in PAUSES:
        answer = call()
        if answer.status != 401 or not source.refused():
            return answer
        pause(wait)
    return call()
