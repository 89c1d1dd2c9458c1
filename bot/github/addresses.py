"""Paths of the REST API, with every part escaped. Refuses what is no `owner/name`, and parts that every
client and server on the way would resolve to another path, whatever the escape."""

from __future__ import annotations

import re
from urllib.parse import quote

from bot.errors import GiveUp

_FULL_NAME = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")

_NOWHERE = ("", ".", "..")


def can_address(name: str) -> bool:
    """Whether a thing of this name has an address of its own; a label called `.` has none."""
    return name not in _NOWHERE


def in_repository(full_name: str, *parts: str | int) -> str:
    """`/repos/owner/name/part/...`; a slash in a part stays inside that part."""
    if _FULL_NAME.fullmatch(full_name) is None or ".." in full_name.split("/"):
        raise GiveUp(f"{full_name[:100]!r} is no owner/name")
    if not all(can_address(str(part)) for part in parts):
        raise GiveUp(f"there is no address for a name like {'/'.join(map(str, parts))[:100]!r}")
    return "/".join([f"/repos/{full_name}", *(quote(str(part), safe="") for part in parts)])


def of_issue(full_name: str, number: int, *parts: str | int) -> str:
    """`/repos/owner/name/issues/3/part/...`"""
    return in_repository(full_name, "issues", number, *parts)
