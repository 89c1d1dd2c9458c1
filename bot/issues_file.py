"""Reads issues from a JSON Lines file, gzipped or not; says which line is wrong and why.

The one reader of such files, for the demo, the replay, the benchmarks and training.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.core.provenance import AT_CREATION
from bot.core.types import ActorKind, LabelEvent
from bot.errors import UserError

FORMAT = "each line must be a JSON object with title, body and labels, the file plain or gzip"


@dataclass(frozen=True, slots=True)
class FiledIssue:
    """An issue of a file: what was filed, and the labels it ended up with."""

    repo: str
    number: int
    title: str
    body: str
    labels: tuple[str, ...]
    created_at: datetime | None
    closed_at: datetime | None
    author: str
    association: str
    events: tuple[LabelEvent, ...] = ()
    """Who set and removed which label, where the file tells."""
    as_filed: bool | None = None
    """Whether title and body are what was filed; None where the file does not tell."""


def read_issues(
    path: Path, *, repo: str | None = None, as_listed: bool = False
) -> list[FiledIssue]:
    """The issues of a file, pull requests left out, in time order (by number or order without times),
    or in the order of the file if `as_listed`.

    Raises:
        UserError: the file cannot be read, a line is not an issue, or no issue is left.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; {FORMAT}")
    every = list(_parse(path))
    if not every:
        raise UserError(f"{path} has no issues; {FORMAT}")
    found = [issue for issue in every if repo is None or issue.repo == repo]
    if not found:
        there = ", ".join(sorted({issue.repo for issue in every}))
        raise UserError(f"{path} has no issues of {repo}; it has some of {there[:200]}")
    return found if as_listed else sorted(found, key=_order(found))


def by_repository(issues: list[FiledIssue]) -> dict[str, list[FiledIssue]]:
    """The same issues, one list per repository, order kept."""
    groups: dict[str, list[FiledIssue]] = {}
    for issue in issues:
        groups.setdefault(issue.repo, []).append(issue)
    return groups


def _order(issues: list[FiledIssue]) -> Any:
    if all(issue.created_at for issue in issues):
        return lambda issue: (issue.created_at, issue.number)
    if all(issue.number for issue in issues):
        return lambda issue: issue.number
    return lambda _: 0


def _parse(path: Path) -> Iterator[FiledIssue]:
    number = 0
    try:
        with _open(path) as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    issue = _issue(line, f"{path}, line {number}")
                    if issue is not None:
                        yield issue
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}, after line {number}: not UTF-8 text ({error.reason}); {FORMAT}"
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: broken after line {number} ({error}); copy it again") from error


def _open(path: Path) -> Any:
    """By content, not by name: a gzip file starts with two known bytes, and some editors mark UTF-8."""
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    open_text: Any = gzip.open if packed else open
    return open_text(path, "rt", encoding="utf-8-sig")


def _issue(line: str, where: str) -> FiledIssue | None:
    try:
        row = json.loads(line)
        if "\\ud" in line.lower():  # half of a character, where a crawler cut one: nothing takes it
            row = json.loads(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace"))
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not JSON ({error.msg} at column {error.colno})") from None
    if not isinstance(row, dict):
        raise UserError(f"{where}: expected a JSON object, got {type(row).__name__}")
    if row.get("is_pr"):
        return None
    title, body = row.get("title") or "", row.get("body") or ""
    if not (isinstance(title, str) and isinstance(body, str)):
        raise UserError(f"{where}: title and body must be text")
    return FiledIssue(
        repo=str(row.get("repo") or "local/issues"),
        number=_number(row.get("number"), where),
        title=title,
        body=body,
        labels=_labels(row.get("labels"), where),
        created_at=_time(row.get("created_at"), where),
        closed_at=_time(row.get("closed_at"), where),
        author=str(row.get("author") or "someone"),
        association=str(row.get("author_association") or "NONE"),
        events=_events(row, where),
        as_filed=row["as_filed"] if isinstance(row.get("as_filed"), bool) else None,
    )


def _events(row: dict[str, Any], where: str) -> tuple[LabelEvent, ...]:
    found = row.get("label_events") or []
    if not isinstance(found, list) or not all(isinstance(event, dict) for event in found):
        raise UserError(f"{where}: label_events must be a list of objects")
    told = [event for event in found if event.get("event", "labeled") in ("labeled", "unlabeled")]
    return tuple(_event(event, row, where) for event in told)


def _event(event: dict[str, Any], row: dict[str, Any], where: str) -> LabelEvent:
    label, at = event.get("label"), _time(event.get("created_at"), where)
    if not isinstance(label, str) or at is None:
        raise UserError(f"{where}: an event of label_events needs a label and created_at")
    added, actor = event.get("event", "labeled") == "labeled", str(event.get("actor") or "someone")
    filed = _time(row.get("created_at"), where)
    along = added and actor == row.get("author") and filed is not None and at - filed <= AT_CREATION
    kind: ActorKind = "bot" if event.get("actor_is_bot") else "form" if along else "human"
    return LabelEvent(label=label, added=added, actor=actor, actor_kind=kind, at=at)


def _number(value: object, where: str) -> int:
    if value is None:
        return 0
    if not isinstance(value, int):
        raise UserError(f"{where}: number must be a whole number")
    return value


def _labels(value: object, where: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise UserError(f"{where}: labels must be a list of names")
    return tuple(dict.fromkeys(value))


def _time(value: object, where: str) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        raise UserError(f"{where}: {value!r} is no ISO 8601 time") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
