"""How far the issue events of each repository are read, so that a harvest goes on where the last ended."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy.orm import Session

from bot.store.tables import Harvest


@dataclass(frozen=True, slots=True)
class Progress:
    """All events up to `seen` (GitHub's id) are stored. `cursor`: the next page of a walk that did not
    end, which began at `newest`. `etag`: of the first page of that walk, or of the last that ended."""

    seen: int | None = None
    etag: str | None = None
    cursor: str | None = None
    newest: int | None = None


def progress(session: Session, repository_id: int) -> Progress:
    row = session.get(Harvest, repository_id)
    return Progress() if row is None else Progress(row.seen, row.etag, row.cursor, row.newest)


def save(session: Session, repository_id: int, reached: Progress) -> None:
    session.merge(Harvest(repository_id=repository_id, **asdict(reached)))
    session.flush()
