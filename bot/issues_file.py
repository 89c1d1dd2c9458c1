"""Reads issues from a JSON Lines file, gzipped or not; says which line is wrong and why."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.errors import UserError


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


def read_issues(path: Path, *, repo: str | None = None) -> list[FiledIssue]:
    """The issues of a file, pull requests left out, in time order (by number or order without times).

    Raises:
        UserError: the file cannot be read, a line is not an issue, or no issue is left.
    """
    found = [issue for issue in _parse(path) if repo is None or issue.repo == repo]
    if not found:
        where = f"{path} has no issues" + (f" of {repo}" if repo else "")
        raise UserError(f"{where}; each line must be a JSON object with title, body and labels")
    return sorted(found, key=_order(found))


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
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for line_number, line in enumerate(lines, start=1):
                if line.strip():
                    issue = _issue(line, f"{path}, line {line_number}")
                    if issue is not None:
                        yield issue
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read it as JSON Lines ({error})") from error


def _issue(line: str, where: str) -> FiledIssue | None:
    try:
        row = json.loads(line)
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
    )


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
