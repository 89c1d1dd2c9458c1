"""Bodies of webhooks as GitHub sends them, and what is made of one."""

from __future__ import annotations

import json
from typing import Any

from bot.github.events import parse_event
from bot.github.payloads import AppIdentity

US = AppIdentity(id=77, slug="labelwright")
AT = {"created_at": "2026-05-01T10:00:00Z"}


def user(login: str = "ada", kind: str = "User") -> dict[str, Any]:
    return {"login": login, "id": 5, "type": kind}


def issue(**changes: Any) -> dict[str, Any]:
    plain = {
        "id": 901,
        "number": 3,
        "title": "It crashes",
        "body": None,
        "user": user(),
        "labels": [{"id": 11, "name": "bug", "color": "d73a4a"}],
        "state": "open",
        "locked": False,
        "created_at": "2026-05-01T10:00:00Z",
        "updated_at": "2026-05-01T10:05:00Z",
        "closed_at": None,
        "author_association": "CONTRIBUTOR",
    }
    return {**plain, **changes}


def payload(action: str | None = None, **more: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "installation": {"id": 42, "account": {"login": "acme"}},
        "repository": {
            "id": 7,
            "full_name": "acme/widget",
            "private": True,
            "default_branch": "main",
        },
        "sender": user(),
    }
    if action is not None:
        plain["action"] = action
    return {**plain, **more}


def parsed(event: str, body: dict[str, Any], us: AppIdentity | None = US) -> Any:
    return parse_event(event, json.dumps(body).encode(), us=us)
