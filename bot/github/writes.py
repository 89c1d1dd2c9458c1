"""Every write: httpx, with redirects followed as they are meant and nothing retried behind our back.

A repository that was renamed answers 301 or 307 with its new address: method and body go there too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

from bot.errors import GiveUp
from bot.github.limits import Answer, Backoff, checked, outage, parse_body
from bot.github.reads import API_VERSION, MOST_HOPS, USER_AGENT
from bot.github.tokens import TokenSource, answered

TIMEOUTS = httpx.Timeout(20.0, connect=5.0)
REDIRECTS = (301, 302, 307, 308)


def new_http(*, transport: httpx.BaseTransport | None = None) -> httpx.Client:
    """The connection pool that all writers of a process may share."""
    headers = {
        "Accept": "application/vnd.github+json",
        "User-Agent": USER_AGENT,
        "X-GitHub-Api-Version": API_VERSION,
    }
    return httpx.Client(
        headers=headers, timeout=TIMEOUTS, follow_redirects=False, transport=transport
    )


class Writer:
    """Writes as one `TokenSource`. Safe among threads; does not own the pool it is given."""

    def __init__(
        self,
        source: TokenSource,
        *,
        api_url: str,
        http: httpx.Client,
        backoff: Backoff,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._source = source
        self._api_url = api_url.rstrip("/")
        self._http = http
        self._backoff = backoff
        self._pause = pause

    def send(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        permission: str,
        document: Any = None,
        allow: tuple[int, ...] = (),
    ) -> Answer:
        """One write. Statuses in `allow` are returned like a success.

        A timeout after sending leaves open whether GitHub did it: `RetryLater`, so the caller's next
        try must be one that may happen twice.
        """

        def once() -> Answer:
            return self._followed(method, path, doing=doing, document=document)

        answer = answered(self._source, once, pause=self._pause)
        if answer.status in allow:
            return answer
        return checked(answer, doing=doing, permission=permission, backoff=self._backoff)

    def _followed(self, method: str, path: str, *, doing: str, document: Any) -> Answer:
        url = httpx.URL(self._api_url + path)
        home = _origin(url)
        for _ in range(MOST_HOPS):
            answer = self._once(method, url, doing=doing, document=document)
            target = answer.headers.get("location")
            if answer.status not in REDIRECTS or target is None:
                return answer
            url = url.join(target)
            if _origin(url) != home:
                raise GiveUp(f"cannot {doing}: GitHub redirects to another host")
        raise GiveUp(f"cannot {doing}: GitHub redirects in circles")

    def _once(self, method: str, url: httpx.URL, *, doing: str, document: Any) -> Answer:
        token = self._source.token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            got = self._http.request(method, url, json=document, headers=headers)
        except httpx.HTTPError as error:
            raise outage(error, doing=doing) from error
        body = parse_body(got.text, status=got.status_code, doing=doing)
        return Answer(got.status_code, {k.lower(): v for k, v in got.headers.items()}, body)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Where a token may go: the same scheme, host and port."""
    return url.scheme, url.host, url.port
