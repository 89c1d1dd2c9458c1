"""Every read: PyGithub's requester, with timeouts, without its retries and its sleeps.

A requester keeps the call under way in attributes of its connection, so threads must not share one:
each call borrows one from a pool.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
from github import Auth, Consts
from github.Requester import Requester

from bot.errors import GiveUp
from bot.github.limits import Answer, Backoff, checked, outage, parse_body
from bot.github.tokens import TokenSource, answered

API_VERSION = "2022-11-28"
"""The version every GitHub and GHES in service answers to. 2026-03-10 changes nothing we read or write,
and a GHES that does not know it refuses every call with 400."""

USER_AGENT = "labelwright"
TIMEOUT = 20
"""Seconds to wait for an answer."""
MOST_HOPS = 5

REDIRECTS = (302, 307, 308)
"""PyGithub follows 301 itself and takes these for success."""


class Reader:
    """Reads as one `TokenSource`. Safe among threads; close it when done."""

    def __init__(
        self,
        source: TokenSource,
        *,
        api_url: str,
        backoff: Backoff,
    ) -> None:
        self._source = source
        self._api_url = api_url.rstrip("/")
        self._backoff = backoff
        self._idle: deque[Requester] = deque()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def get(
        self,
        path: str,
        *,
        doing: str,
        permission: str,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        allow: tuple[int, ...] = (),
    ) -> Answer:
        """One GET. `path` is a path of the API or a whole Link address.

        Statuses in `allow` are returned like a success; the rest raises as `limits.checked` says.
        """
        answer = self._call("GET", path, doing=doing, params=params, headers=headers)
        if answer.status in allow:
            return answer
        return checked(answer, doing=doing, permission=permission, backoff=self._backoff)

    def pages(
        self,
        path: str,
        *,
        doing: str,
        permission: str,
        params: Mapping[str, str | int] | None = None,
    ) -> Iterator[Answer]:
        """All pages, by their Link addresses; page numbers are refused on large lists."""
        answer = self.get(
            path, doing=doing, permission=permission, params={"per_page": 100, **(params or {})}
        )
        yield answer
        while answer.next_page is not None:
            answer = self.get(answer.next_page, doing=doing, permission=permission)
            yield answer

    def rows(
        self,
        path: str,
        *,
        doing: str,
        permission: str,
        params: Mapping[str, str | int] | None = None,
        key: str | None = None,
    ) -> Iterator[Any]:
        """The rows of all pages; `key` names the list where the page is an object."""
        for answer in self.pages(path, doing=doing, permission=permission, params=params):
            yield from rows_of(answer, key=key, doing=doing)

    def graphql(self, query: str, *, variables: Mapping[str, Any], doing: str) -> Answer:
        """One GraphQL query; whatever status GitHub gives comes back unchecked."""
        document = {"query": query, "variables": dict(variables)}
        with self._lent() as requester:
            address = requester.graphql_url
        return self._call("POST", address, doing=doing, document=document)

    def _call(
        self,
        verb: str,
        path: str,
        *,
        doing: str,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        document: Any = None,
    ) -> Answer:
        def once() -> Answer:
            return self._followed(
                verb, path, doing=doing, params=params, headers=headers, document=document
            )

        return answered(self._source, once)

    def _followed(
        self,
        verb: str,
        path: str,
        *,
        doing: str,
        params: Mapping[str, str | int] | None,
        headers: Mapping[str, str] | None,
        document: Any,
    ) -> Answer:
        for _ in range(MOST_HOPS):
            answer = self._once(
                verb, path, doing=doing, params=params, headers=headers, document=document
            )
            target = answer.headers.get("location")
            if answer.status not in REDIRECTS or target is None:
                return answer
            path, params = target, None
        raise GiveUp(f"cannot {doing}: GitHub redirects in circles")

    def _once(
        self,
        verb: str,
        path: str,
        *,
        doing: str,
        params: Mapping[str, str | int] | None,
        headers: Mapping[str, str] | None,
        document: Any,
    ) -> Answer:
        wanted = {"Accept": "application/vnd.github+json", **(headers or {})}
        try:
            with self._lent() as requester:
                status, got, text = requester.requestJson(
                    verb, path, dict(params or {}), wanted, document
                )
        except requests.RequestException as error:
            raise outage(error, doing=doing) from error
        except (RuntimeError, AssertionError) as error:
            # What PyGithub raises where a redirect leaves the host or the scheme of the API.
            raise GiveUp(
                f"cannot {doing}: GitHub redirects elsewhere; check the API address"
            ) from error
        return Answer(status, got, parse_body(text, status=status, doing=doing))

    @contextmanager
    def _lent(self) -> Iterator[Requester]:
        try:
            requester = self._idle.pop()
        except IndexError:
            requester = self._new_requester()
        try:
            yield requester
        finally:
            self._idle.append(requester)

    def _new_requester(self) -> Requester:
        return Requester(
            auth=_Bearer(self._source),
            base_url=self._api_url,
            timeout=TIMEOUT,
            user_agent=USER_AGENT,
            per_page=Consts.DEFAULT_PER_PAGE,
            verify=True,
            retry=None,  # its retry sleeps in the thread, until a reset that may be an hour away
            pool_size=None,
            api_version=API_VERSION,
        )


class _Bearer(Auth.Auth):
    """Lets PyGithub ask for the current token at each call, and mask it in its debug log."""

    def __init__(self, source: TokenSource) -> None:
        self._source = source

    @property
    def token_type(self) -> str:
        return "Bearer"

    @property
    def token(self) -> str:
        return self._source.token()


def rows_of(answer: Answer, *, doing: str, key: str | None = None) -> list[Any]:
    """The rows of one page."""
    body = answer.body
    rows = body.get(key) if key is not None and isinstance(body, dict) else body
    if not isinstance(rows, list):
        raise GiveUp(f"cannot {doing}: GitHub's answer is not a list")
    return rows
