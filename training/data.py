"""Reads files of labelled issues: one JSON object a line, plain or gzip.

Refuses what it cannot read, naming file and line; never guesses at a broken row.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.core.text import issue_text
from bot.core.types import IssueText
from bot.errors import UserError

FORMAT = 'one JSON object a line with "title", "body", "labels" and "repo", plain or gzip'


@dataclass(frozen=True, slots=True)
class FiledIssue:
    """An issue of a file, with the labels its maintainers gave it (none: unlabelled, not negative)."""

    repo: str
    text: IssueText
    labels: frozenset[str]


def read_issues(path: Path) -> list[FiledIssue]:
    """All issues of a file, in its order; UserError if there is no such file, row or issue."""
    if not path.is_file():
        raise UserError(f"{path}: no such file. Give a file of issues: {FORMAT}.")
    issues = [_issue(row, where) for row, where in _rows(path)]
    if not issues:
        raise UserError(f"{path}: the file has no issues. Give {FORMAT}.")
    return issues


def _rows(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    number = 0
    try:
        with _open(path) as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _object(line, f"{path}, line {number}"), f"{path}, line {number}"
    except (EOFError, OSError, zlib.error) as error:
        raise UserError(f"{path}: broken after line {number} ({error}). Copy it again.") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}, after line {number}: not UTF-8 text ({error.reason}). Give {FORMAT}."
        ) from error


def _open(path: Path) -> Any:
    """By content, not by name: a gzip file starts with two known bytes."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rt", encoding="utf-8") if packed else path.open(encoding="utf-8")


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not JSON ({error.msg}). Give {FORMAT}.") from error
    if not isinstance(row, dict):
        raise UserError(f"{where}: {type(row).__name__} instead of an object. Give {FORMAT}.")
    return row


def _issue(row: dict[str, Any], where: str) -> FiledIssue:
    labels = row.get("labels") or []
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise UserError(f'{where}: "labels" must be a list of names.')
    return FiledIssue(
        repo=_text(row, "repo", where),
        text=issue_text(_text(row, "title", where), _text(row, "body", where)),
        labels=frozenset(labels),
    )


def _text(row: dict[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise UserError(f'{where}: "{key}" must be text, not {type(value).__name__}.')
    return value or ""
