"""What the App asks of GitHub, as the manifest that creates it; `app.yml` is its twin for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from bot.errors import GiveUp, Ignore, UserError
from bot.github.limits import Backoff
from bot.github.payloads import may, need
from bot.github.tokens import Nobody
from bot.github.writes import Writer, new_http

PERMISSIONS = {"issues": "write", "metadata": "read", "contents": "read"}

EVENTS = ("issues", "issue_comment", "label", "repository", "push")
"""`installation` and `installation_repositories` come by themselves."""

DESCRIPTION = "Labels new issues as their maintainers would, and learns from every correction."


@dataclass(frozen=True, slots=True)
class Credentials:
    """What GitHub tells once, when the App is made. Secrets stay out of `repr`."""

    app_id: int
    slug: str
    name: str
    html_url: str
    client_id: str
    client_secret: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    private_key: str = field(repr=False)


def app_manifest(
    name: str,
    url: str,
    webhook_url: str,
    *,
    redirect_url: str | None = None,
) -> dict[str, Any]:
    """The manifest to POST to GitHub's new-app page.

    Args:
        url: the App's home page.
        webhook_url: where deliveries go; must be reachable from GitHub.
        redirect_url: where GitHub sends the browser back to, with the code for `convert_manifest`.
    """
    manifest: dict[str, Any] = {
        "name": name,
        "url": url,
        "description": DESCRIPTION,
        "hook_attributes": {"url": webhook_url, "active": True},
        "public": False,
        "default_permissions": dict(PERMISSIONS),
        "default_events": list(EVENTS),
    }
    if redirect_url is not None:
        manifest["redirect_url"] = redirect_url
    return manifest


def convert_manifest(
    code: str, api_url: str, *, transport: httpx.BaseTransport | None = None
) -> Credentials:
    """Trade the code that GitHub sent back for the new App's credentials; works once, within an hour.

    Raises:
        UserError: the code is unknown, used or too old.
    """
    with new_http(transport=transport) as http:
        writer = Writer(Nobody(), api_url=api_url, http=http, backoff=Backoff())
        try:
            answer = writer.send(
                "POST",
                f"/app-manifests/{quote(code, safe='')}/conversions",
                doing="finish making the App",
                permission="none",
            )
        except (GiveUp, Ignore) as error:
            raise UserError(
                "GitHub does not know this code: it works once, within an hour; start the set-up again"
            ) from error
    return _credentials(answer.body)


def _credentials(body: object) -> Credentials:
    return Credentials(
        app_id=need(body, "id", int),
        slug=need(body, "slug", str),
        name=need(body, "name", str),
        html_url=may(body, "html_url", str, ""),
        client_id=need(body, "client_id", str),
        client_secret=need(body, "client_secret", str),
        webhook_secret=may(body, "webhook_secret", str, ""),
        private_key=need(body, "pem", str),
    )
