"""The App itself: who it is, where it is installed, its tokens, and the deliveries GitHub could not make.

Holds the private key; gives out clients. Never logs or stores a token.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

import jwt

from bot.errors import GiveUp, UserError
from bot.github.client import InstallationClient
from bot.github.limits import Backoff
from bot.github.manifest import PERMISSIONS
from bot.github.payloads import (
    AppIdentity,
    RepositoryRef,
    dig,
    may,
    need,
    need_time,
    repository_from,
)
from bot.github.reads import Reader
from bot.github.tokens import AppJwt, InstallationGrant, InstallationToken
from bot.github.writes import Writer, new_http

log = logging.getLogger(__name__)

DELIVERY_WINDOW = timedelta(days=3)
"""How long GitHub keeps a delivery for redelivery (GHES: 7 days)."""

OWN = "the App's own credentials"


@dataclass(frozen=True, slots=True)
class InstallationInfo:
    """Where the App is installed."""

    id: int
    account: str
    suspended: bool
    permissions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FailedDelivery:
    """A webhook that never came through: `id` is its last attempt, the one to send again."""

    guid: str
    id: int
    delivered_at: datetime


class AppAuth:
    """The App's credentials and everything reached with them. Safe among threads; close it when done."""

    def __init__(
        self,
        app_id: int,
        private_key: str,
        *,
        api_url: str,
    ) -> None:
        self._api_url = api_url.rstrip("/")
        self._http = new_http()
        backoff = Backoff()
        signer = _signer(app_id, private_key)
        self._reader = Reader(signer, api_url=api_url, backoff=backoff)
        self._writer = Writer(signer, api_url=api_url, http=self._http, backoff=backoff)
        self._lock = threading.RLock()
        self._tokens: dict[int, InstallationToken] = {}
        self._clients: dict[int, InstallationClient] = {}
        self._identity: AppIdentity | None = None

    def close(self) -> None:
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()
        self._reader.close()
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def identity(self) -> AppIdentity:
        """Our id and slug; asked for once."""
        with self._lock:
            if self._identity is None:
                body = self._reader.get("/app", doing="read the App", permission=OWN).body
                self._identity = AppIdentity(
                    need(body, "id", int, of="app"), need(body, "slug", str, of="app")
                )
            return self._identity

    def client(self, installation_id: int) -> InstallationClient:
        """The client of an installation, one for all threads."""
        source = self._token_of(installation_id)
        with self._lock:
            if installation_id not in self._clients:
                self._clients[installation_id] = InstallationClient(
                    source, api_url=self._api_url, http=self._http, identity=self.identity
                )
            return self._clients[installation_id]

    def installations(self) -> list[InstallationInfo]:
        """Every installation of the App."""
        rows = self._reader.rows(
            "/app/installations", doing="list the installations", permission=OWN
        )
        return [_installation(row) for row in rows]

    def installation_repositories(self, installation_id: int) -> list[RepositoryRef]:
        """The repositories that an installation may see."""
        source = self._token_of(installation_id)
        reader = Reader(source, api_url=self._api_url, backoff=Backoff())
        try:
            rows = reader.rows(
                "/installation/repositories",
                doing=f"list the repositories of installation {installation_id}",
                permission="metadata: read",
                key="repositories",
            )
            return [repository_from(row) for row in rows]
        finally:
            reader.close()

    def failed_deliveries(self) -> list[FailedDelivery]:
        """Deliveries of the last three days that no attempt brought through, oldest first."""
        start = datetime.now(UTC) - DELIVERY_WINDOW
        failures = list(self._deliveries(start, status="failure"))
        if not failures:
            return []
        first = min(need_time(row, "delivered_at", of="delivery") for row in failures)
        return without_success([*failures, *self._deliveries(first, status="success")])

    def redeliver(self, delivery_id: int) -> None:
        """Have GitHub send a delivery again, under its old GUID."""
        self._writer.send(
            "POST",
            f"/app/hook/deliveries/{delivery_id}/attempts",
            doing=f"have delivery {delivery_id} sent again",
            permission=OWN,
        )

    def _deliveries(self, start: datetime, *, status: str) -> Iterable[Any]:
        """Newest first, by cursor, until one is older than `start`."""
        rows = self._reader.rows(
            "/app/hook/deliveries",
            doing="list webhook deliveries",
            permission=OWN,
            params={"status": status},
        )
        for row in rows:
            if need_time(row, "delivered_at", of="delivery") < start:
                return
            yield row

    def _token_of(self, installation_id: int) -> InstallationToken:
        with self._lock:
            if installation_id not in self._tokens:
                self._tokens[installation_id] = InstallationToken(
                    lambda: self._mint(installation_id)
                )
            return self._tokens[installation_id]

    def _mint(self, installation_id: int) -> InstallationGrant:
        # What a token may do, even where the installation granted more.
        answer = self._ask_token(installation_id, {"permissions": PERMISSIONS})
        if answer is None:
            # Asking for more than was granted is refused whole; then take what there is.
            log.warning(
                "installation %d did not grant all of %s; going on with what it granted",
                installation_id,
                ", ".join(f"{name}: {level}" for name, level in PERMISSIONS.items()),
            )
            answer = self._ask_token(installation_id, None)
        if answer is None:
            raise GiveUp(f"GitHub gives no token for installation {installation_id} (422)")
        return InstallationGrant(
            token=need(answer, "token", str),
            expires_at=need_time(answer, "expires_at"),
        )

    def _ask_token(self, installation_id: int, document: Any) -> Any | None:
        """None where GitHub refuses the permissions asked for."""
        answer = self._writer.send(
            "POST",
            f"/app/installations/{installation_id}/access_tokens",
            doing=f"get a token for installation {installation_id}",
            permission=OWN,
            document=document,
            allow=(422,),
        )
        return None if answer.status == 422 else answer.body


def without_success(rows: Iterable[Any]) -> list[FailedDelivery]:
    """Attempts grouped by GUID; the groups in which none succeeded, oldest first."""
    groups: dict[str, list[Any]] = {}
    for row in rows:
        groups.setdefault(need(row, "guid", str, of="delivery"), []).append(row)
    failed = [_failed(guid, tries) for guid, tries in groups.items() if not any(map(_ok, tries))]
    return sorted(failed, key=lambda delivery: (delivery.delivered_at, delivery.id))


def _ok(row: Any) -> bool:
    return 200 <= may(row, "status_code", int, 0) < 300


def _failed(guid: str, tries: list[Any]) -> FailedDelivery:
    last = max(tries, key=lambda row: need_time(row, "delivered_at", of="delivery"))
    return FailedDelivery(
        guid=guid,
        id=need(last, "id", int, of="delivery"),
        delivered_at=need_time(last, "delivered_at", of="delivery"),
    )


def _installation(row: Any) -> InstallationInfo:
    account = dig(row, "account")
    return InstallationInfo(
        id=need(row, "id", int, of="installation"),
        account=may(account, "login", str, "") or may(account, "slug", str, ""),
        suspended=dig(row, "suspended_at") is not None,
        permissions=may(row, "permissions", dict, {}),
    )


def _signer(app_id: int, private_key: str) -> AppJwt:
    """Signs once, so that a wrong key is told at the start and not at the first webhook."""
    signer = AppJwt(app_id, private_key)
    try:
        signer.token()
    except (jwt.PyJWTError, ValueError, TypeError, AssertionError) as error:
        raise UserError(
            "the App's private key is not a PEM that can sign; take the .pem file that GitHub gave you"
        ) from error
    return signer
