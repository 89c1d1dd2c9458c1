"""What the receiver reads of a delivery: headers and a few ids. Pure; refuses what it cannot read.

The payload was written by strangers: nothing of it is taken that is not of the expected kind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from bot.jobs import queue
from bot.store.inbox import Arrival

EVENTS = frozenset(
    {
        "installation",
        "installation_repositories",
        "issue_comment",
        "issues",
        "label",
        "push",
        "repository",
    }
)
"""Events that become jobs. All others are remembered as ignored."""

TARGET = "x-github-hook-installation-target-id"
DELIVERY = "x-github-delivery"
EVENT = "x-github-event"

_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,100}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)


class Malformed(ValueError):
    """The message is for whoever sent the delivery."""


def read(headers: Mapping[str, str], body: bytes) -> Arrival:
    """A verified delivery as the store takes it.

    Args:
        headers: Names in lower case.
    Raises:
        Malformed: a header is missing or odd, or the body is no JSON object.
    """
    event = _header(headers, EVENT, _WORD)
    guid = _header(headers, DELIVERY, _WORD)
    target = int(_header(headers, TARGET, _NUMBER))
    payload = parse(body)
    action = payload.get("action")
    installation = _id(payload, "installation", "id")
    return Arrival(
        target_id=target,
        guid=guid,
        event=event,
        action=action if isinstance(action, str) and _WORD.fullmatch(action) else None,
        installation_id=installation,
        body=body,
        task=queue.TASK_DELIVERY if event in EVENTS else None,
        queue=queue.LIVE,
        lock=_lock(payload, installation),
    )


def parse(body: bytes) -> Mapping[str, Any]:
    """Strict JSON in UTF-8, an object.

    Raises:
        Malformed: it is something else.
    """
    try:
        payload = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        hint = (
            "; set the webhook's content type to application/json"
            if body[:8] == b"payload="
            else ""
        )
        raise Malformed(f"the body is not JSON{hint}") from error
    if not isinstance(payload, dict):
        raise Malformed("the body is not a JSON object")
    return payload


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _header(headers: Mapping[str, str], name: str, shape: re.Pattern[str]) -> str:
    value = headers.get(name)
    if value is None:
        raise Malformed(f"the header {name} is missing")
    if not shape.fullmatch(value):
        raise Malformed(f"the header {name} is not what GitHub sends")
    return value


def _lock(payload: Mapping[str, Any], installation: int | None) -> str | None:
    """Jobs of one issue run one after the other, others in the order of their installation."""
    repository, number = _id(payload, "repository", "id"), _id(payload, "issue", "number")
    if repository is not None and number is not None:
        return queue.issue_lock(repository, number)
    return queue.installation_lock(installation) if installation is not None else None


def _id(payload: Mapping[str, Any], *path: str) -> int | None:
    value: Any = payload
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63
    return value if fits else None
