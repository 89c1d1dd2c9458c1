"""Bundles as versions: which one serves where, how the next one takes over, how the last one comes back.

What serves a repository is its own head, one row; these rows say which bundle all of them are moving to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from bot.store import refits
from bot.store.tables import Bundle, Head, Repository, Run, Vector

LOCK = 0x6C77_6275  # "lwbu"
IDLE = ("paused", "removed")
"""Repositories that nobody moves from one bundle to another."""

_SERVED_LAST = text(
    """
    SELECT DISTINCT ON (heads.repository_id) heads.repository_id, heads.id
    FROM heads LEFT JOIN (
        SELECT head_after, max(id) AS attempt FROM refits WHERE swapped GROUP BY head_after
    ) AS served ON served.head_after = heads.id
    WHERE heads.bundle = :bundle AND heads.artefact IS NOT NULL
    ORDER BY heads.repository_id, served.attempt DESC NULLS LAST, heads.version DESC
    """
)


@dataclass(frozen=True, slots=True)
class Serving:
    """A bundle, and how many repositories it serves now."""

    bundle: str
    name: str
    state: str
    directory: str
    repositories: int


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A bundle that no longer serves, what serves instead, and the repositories that went back to it."""

    gone: Bundle
    instead: Bundle
    repositories: list[int]


def lock(session: Session) -> None:
    """One at a time changes which bundle is what, until its transaction ends."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


def get(session: Session, bundle: str) -> Bundle | None:
    return session.get(Bundle, bundle, populate_existing=True)


def champion(session: Session) -> Bundle | None:
    """What serves, or serves until the challenger has taken over; None before the first promotion."""
    return _in_state(session, "champion")


def challenger(session: Session) -> Bundle | None:
    """What is taking over; None while no promotion runs."""
    return _in_state(session, "challenger")


def previous(session: Session) -> Bundle | None:
    """What the champion replaced, while one can go back to it."""
    return _in_state(session, "previous")


def newest(session: Session) -> list[Bundle]:
    return list(session.scalars(select(Bundle).order_by(Bundle.added_at.desc(), Bundle.id)))


def add(
    session: Session, bundle: str, *, name: str, directory: str, state: str, run_id: int | None
) -> Bundle:
    """A bundle in its place on disk; one that was retired long ago comes as if new."""
    row = session.merge(
        Bundle(
            id=bundle,
            name=name,
            directory=directory,
            state=state,
            run_id=run_id,
            outcome="",
            taken_back=False,
            watch={},
            added_at=func.now(),
            promoted_at=func.now() if state == "champion" else None,
        )
    )
    session.flush()
    return row


def serving(session: Session) -> list[Serving]:
    """Every bundle that serves, or is about to; the champion first."""
    counts = dict(
        session.execute(
            select(Head.bundle, func.count())
            .join(Repository, Repository.head_id == Head.id)
            .where(Repository.status != "removed")
            .group_by(Head.bundle)
        ).all()
    )
    rows = sorted(newest(session), key=lambda row: (row.state != "champion", row.state))
    return [
        Serving(row.id, row.name, row.state, row.directory, counts.get(row.id, 0))
        for row in rows
        if row.state != "retired" or counts.get(row.id)
    ]


def behind(session: Session, bundle: str) -> list[int]:
    """Repositories that another bundle serves; those without a head will be learned anyway."""
    statement = (
        select(Repository.id)
        .join(Head, Head.id == Repository.head_id)
        .where(Repository.status.not_in(IDLE), Head.bundle != bundle)
    )
    return list(session.scalars(statement.order_by(Repository.id)))


def served_by(session: Session, bundle: str) -> list[int]:
    """Repositories whose head this bundle's vectors fitted."""
    statement = select(Repository.id).join(Head, Head.id == Repository.head_id)
    return list(session.scalars(statement.where(Head.bundle == bundle).order_by(Repository.id)))


def save_watch(session: Session, bundle: str, figures: Mapping[str, Any]) -> None:
    """Keep what the watch saw last."""
    session.execute(update(Bundle).where(Bundle.id == bundle).values(watch=dict(figures)))


def crown(session: Session) -> Bundle | None:
    """Make the challenger the champion if it serves everywhere; None where it is not so far."""
    lock(session)
    new = challenger(session)
    if new is None or behind(session, new.id):
        return None
    old = champion(session)
    if old is not None:
        _set_state(session, old.id, "previous")
    _set_state(session, new.id, "champion", promoted_at=func.now())
    return get(session, new.id)


def clear_previous(session: Session) -> None:
    """A promotion begins: from now on one goes back to the champion, no further."""
    if (row := previous(session)) is not None:
        _set_state(session, row.id, "retired", outcome="replaced twice")


def take_back(session: Session, *, why: str, bundle: str | None = None) -> TakenBack | None:
    """Let every repository go back to the last head that served it on the bundle before: the champion
    while a promotion runs, the previous one otherwise. None where there is none, or where the newest is
    not the `bundle` that is meant. Waits for whoever is swapping a repository, and whoever comes later
    finds the bundle retired."""
    lock(session)
    gone = challenger(session) or champion(session)
    instead = previous(session) if gone is None or gone.state == "champion" else champion(session)
    if gone is None or instead is None or bundle not in (None, gone.id):
        return None
    _set_state(session, gone.id, "retired", outcome=why, taken_back=True)
    _set_state(session, instead.id, "champion")
    session.execute(select(Repository.id).order_by(Repository.id).with_for_update()).all()
    moved = _swap_back(session, gone.id, instead.id, why=why)
    if gone.run_id is not None:
        told = Run.outcome + f" Taken back: {why}"
        session.execute(update(Run).where(Run.id == gone.run_id).values(outcome=told))
    return TakenBack(gone, instead, moved)


def prune(session: Session) -> list[str]:
    """Drop vectors and heads of retired bundles that serve nobody; the rows of heads stay.

    Returns:
        Directories that nothing refers to any more.
    """
    in_use = select(Head.bundle).join(Repository, Repository.head_id == Head.id)
    wanted = Bundle.state == "retired", Bundle.id.not_in(in_use)
    found = list(session.scalars(select(Bundle).where(*wanted)))
    names = [row.id for row in found]
    session.execute(delete(Vector).where(Vector.bundle.in_(names)))
    session.execute(
        update(Head)
        .where(Head.bundle.in_(names))
        .values(artefact=None)
        .execution_options(synchronize_session=False)
    )
    return [row.directory for row in found]


def _swap_back(session: Session, gone: str, instead: str, *, why: str) -> list[int]:
    """Repositories of the bundle that is gone, given the head that they had on the other; those that
    never had one keep theirs until they are moved."""
    last = {row[0]: row[1] for row in session.execute(_SERVED_LAST, {"bundle": instead})}
    statement = (
        select(Repository.id, Repository.head_id)
        .join(Head, Head.id == Repository.head_id)
        .where(Head.bundle == gone, Repository.id.in_(list(last)))
    )
    moved = []
    for repository_id, head_id in session.execute(statement.order_by(Repository.id)).all():
        after = last[repository_id]
        values = {"head_id": after}
        session.execute(update(Repository).where(Repository.id == repository_id).values(values))
        refits.record(
            session,
            repository_id,
            kind="rollback",
            labels=(),
            before=head_id,
            after=after,
            swapped=True,
            reason=why,
            report={},
            seconds=0.0,
        )
        moved.append(repository_id)
    return moved


def _in_state(session: Session, state: str) -> Bundle | None:
    statement = select(Bundle).where(Bundle.state == state)
    return session.scalars(statement.execution_options(populate_existing=True)).one_or_none()


def _set_state(session: Session, bundle: str, state: str, **values: object) -> None:
    session.execute(
        update(Bundle)
        .where(Bundle.id == bundle)
        .values(state=state, **values)
        .execution_options(synchronize_session=False)
    )
