"""Issues as last seen, with their text as filed where it is known."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import ColumnElement, case, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.core import types
from bot.store.tables import Issue, Vector

_ALWAYS_FRESH = (
    "author_association",
    "state",
    "locked",
    "closed_at",
    "labels",
)

_FOR_GOOD = ("deleted", "transferred")
"""States that do not end: what is told after them was sent before."""


@dataclass(frozen=True, slots=True)
class StoredIssue:
    """An issue as the store knows it; `as_filed` says whether the text is what was first written."""

    id: int
    number: int
    title: str
    body: str
    as_filed: bool
    author: str
    author_is_bot: bool
    author_association: str
    state: str
    locked: bool
    is_pull_request: bool
    created_at: datetime
    closed_at: datetime | None
    labels: frozenset[str]


def upsert(session: Session, repository_id: int, issue: types.Issue, *, as_filed: bool) -> int:
    """Store what GitHub says of an issue. Text as filed is never overwritten, not even by itself; nor is
    anything by what GitHub said before; what has left stays gone.

    Returns:
        The id of the issue in the store.
    """
    _forget_vectors(session, repository_id, issue)
    statement = insert(Issue).values(
        repository_id=repository_id,
        number=issue.number,
        github_id=issue.github_id,
        title=issue.title,
        body=issue.body,
        as_filed=as_filed,
        author=issue.author,
        author_is_bot=issue.author_is_bot,
        author_association=issue.author_association,
        state=issue.state,
        locked=issue.locked,
        is_pull_request=issue.is_pull_request,
        created_at=issue.created_at,
        closed_at=issue.closed_at,
        updated_at=issue.updated_at,
        labels=sorted(issue.labels),
    )
    new = statement.excluded
    # What tells the text as filed tells the opening: in one second everything else came after it.
    late = or_(
        new.updated_at < Issue.updated_at, new.as_filed & (new.updated_at == Issue.updated_at)
    )
    gone = or_(Issue.state.in_(_FOR_GOOD), late)
    fixed = or_(Issue.as_filed, ~new.as_filed & late)
    fresh = {name: case((gone, Issue.__table__.c[name]), else_=new[name]) for name in _ALWAYS_FRESH}
    text = {
        name: case((fixed, Issue.__table__.c[name]), else_=new[name]) for name in ("title", "body")
    }
    known = {
        "as_filed": Issue.as_filed | new.as_filed,
        "updated_at": func.greatest(Issue.updated_at, new.updated_at),
    }
    returned = session.execute(
        statement.on_conflict_do_update(
            index_elements=["repository_id", "number"],
            set_={**fresh, **text, **known},
        ).returning(Issue.id)
    )
    return returned.scalar_one()


def _forget_vectors(session: Session, repository_id: int, issue: types.Issue) -> None:
    """Of a text that gives way to another one; without a vector it is embedded anew. The issue is locked
    first, so that who keeps a vector of the old text at this moment has done so or will not."""
    changed = select(Issue.id).where(
        Issue.repository_id == repository_id,
        Issue.number == issue.number,
        ~Issue.as_filed,
        or_(Issue.title != issue.title, Issue.body != issue.body),
    )
    for issue_id in session.scalars(changed.with_for_update(key_share=True)).all():
        session.execute(delete(Vector).where(Vector.issue_id == issue_id))


def get(session: Session, issue_id: int) -> StoredIssue | None:
    return next(_stored(session, Issue.id == issue_id), None)


def by_number(session: Session, repository_id: int, number: int) -> StoredIssue | None:
    return next(
        _stored(session, (Issue.repository_id == repository_id) & (Issue.number == number)), None
    )


def history(session: Session, repository_id: int) -> list[StoredIssue]:
    """All issues of a repository, oldest first. Pull requests are among them, marked."""
    return list(_stored(session, Issue.repository_id == repository_id))


def _stored(session: Session, condition: ColumnElement[bool]) -> Iterator[StoredIssue]:
    names = [field.name for field in fields(StoredIssue)]
    statement = select(*(Issue.__table__.c[name] for name in names)).where(condition)
    for row in session.execute(statement.order_by(Issue.created_at, Issue.number)).mappings():
        yield StoredIssue(**{**row, "labels": frozenset(row["labels"])})


def ids_by_number(
    session: Session, repository_id: int, numbers: Collection[int] | None = None
) -> dict[int, int]:
    """Number on GitHub -> id in the store, of these issues of a repository or, by default, of all."""
    found = select(Issue.number, Issue.id).where(Issue.repository_id == repository_id)
    if numbers is not None:
        found = found.where(Issue.number.in_(numbers))
    return {row.number: row.id for row in session.execute(found)}
