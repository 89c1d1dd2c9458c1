"""Rows that tests of the store begin with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from bot.core.types import Issue
from bot.store import installations, repositories

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


def add_repository(session: Session) -> int:
    """Acme/Widget, number 70, of installation 7."""
    installations.upsert(session, id=7, account="acme")
    repositories.upsert(session, id=70, installation_id=7, full_name="Acme/Widget", private=True)
    return 70


def an_issue(number: int = 1, **changes: object) -> Issue:
    values: dict[str, object] = {
        "number": number,
        "title": "It breaks",
        "body": "When I click",
        "labels": frozenset({"bug"}),
        "author": "ada",
        "author_is_bot": False,
        "author_association": "NONE",
        "created_at": NOW + timedelta(minutes=number),
        "closed_at": None,
        "state": "open",
        "locked": False,
        "is_pull_request": False,
        "github_id": 1000 + number,
    }
    return Issue(**{**values, **changes})  # type: ignore[arg-type]
