"""What learning reads of a repository's issues: all but their texts, which are read for those few that it
has not met before. Leaves out what teaches nothing: pull requests, spam, what is gone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from bot.core.evidence import NOT_TEACHING
from bot.store.connection import raw_connection

_OUTLINES = """
    SELECT id, number, author_association, created_at, labels,
        hashtextextended(title || chr(31) || body, 0)
    FROM issues
    WHERE repository_id = %s AND NOT is_pull_request AND NOT state = ANY(%s)
    ORDER BY created_at, number
"""
_TEXTS = "SELECT id, title, body FROM issues WHERE id = ANY(%s)"
_HELD = f"{_TEXTS} FOR SHARE SKIP LOCKED"


@dataclass(frozen=True, slots=True)
class Outline:
    """An issue without its text; `text` is another number when title or body is another."""

    id: int
    number: int
    author_association: str
    created_at: datetime
    labels: frozenset[str]
    text: int


def of_repository(session: Session, repository_id: int) -> list[Outline]:
    """Oldest first."""
    with raw_connection(session).cursor(binary=True) as cursor:
        rows = cursor.execute(_OUTLINES, (repository_id, list(NOT_TEACHING)))
        return [
            Outline(id_, number, association, at, frozenset(labels), text)
            for id_, number, association, at, labels, text in rows
        ]


def texts(session: Session, issue_ids: Collection[int]) -> dict[int, tuple[str, str]]:
    """Issue id -> title and body, in no order."""
    rows = raw_connection(session).execute(_TEXTS, (list(issue_ids),))
    return {id_: (title, body) for id_, title, body in rows}


def unchanged(session: Session, read: Mapping[int, tuple[str, str]]) -> set[int]:
    """Those of the issues (id -> title and body, as read before) whose text is still this, and stays so until
    the transaction ends. One that somebody is about to write is left out, rather than waited for."""
    rows = raw_connection(session).execute(_HELD, (list(read),))
    return {id_ for id_, title, body in rows if read[id_] == (title, body)}
