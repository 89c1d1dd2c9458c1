"""Refits: what was tried, whether it serves, and why. A rollback is one, and pins what it brought back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.errors import UserError
from bot.store import heads, repositories, touched
from bot.store.tables import Head, Refit, Repository

Kind = Literal["labels", "whole", "rollback"]


def record(
    session: Session,
    repository_id: int,
    *,
    kind: Kind,
    labels: Collection[str],
    before: int | None,
    after: int | None,
    swapped: bool,
    reason: str,
    report: Mapping[str, Any],
    seconds: float,
) -> None:
    """Store what came of an attempt; `before`, `after`: ids of heads, `after` None if none was kept."""
    session.add(
        Refit(
            repository_id=repository_id,
            kind=kind,
            labels=list(labels),
            head_before=before,
            head_after=after,
            swapped=swapped,
            reason=reason,
            report=heads.without_nan(report),
            seconds=seconds,
        )
    )
    session.flush()


def of_repository(session: Session, repository_id: int) -> list[Refit]:
    """All attempts, newest first."""
    statement = select(Refit).where(Refit.repository_id == repository_id)
    return list(session.scalars(statement.order_by(Refit.id.desc())))


def of_head(session: Session, head_id: int) -> Refit | None:
    """The attempt that made this head; None for heads from before attempts were kept."""
    statement = select(Refit).where(Refit.head_after == head_id, Refit.kind != "rollback")
    return session.scalars(statement.order_by(Refit.id).limit(1)).first()


def pinned(session: Session, repository_id: int) -> Head | None:
    """The head that a rollback brought back, while nobody has taught the repository anything since.

    A pin holds against fits of what was known when somebody rolled back: the daily one, and one that
    was already under way. The first correction after the rollback ends it, and so does a change of
    labels, rules or encoder.
    """
    statement = select(Refit).where(Refit.repository_id == repository_id, Refit.swapped)
    latest = session.scalars(statement.order_by(Refit.id.desc()).limit(1)).first()
    if latest is None or latest.kind != "rollback" or latest.head_after is None:
        return None
    return session.get(Head, latest.head_after)


def roll_back(session: Session, repository: Repository, version: int | None) -> Head:
    """Let an earlier version serve again; the one that served before the present one if none is named.

    Raises:
        UserError: there is no such version, it was pruned, it serves already or fits another encoder.
    """
    repository = repositories.lock(session, repository.id)
    known = {head.version: head for head in heads.versions(session, repository.id)}
    serving = next((head for head in known.values() if head.id == repository.head_id), None)
    if serving is None:
        raise UserError(f"{repository.full_name} has no head that serves: nothing to roll back")
    chosen = known.get(version) if version is not None else _previous(session, serving, known)
    usable = heads.kept(session, repository.id) - {serving.version}
    if chosen is None or chosen.version not in usable or not _fits(chosen, serving):
        raise UserError(_refusal(repository.full_name, version, chosen, serving, known, usable))
    repositories.activate_head(session, repository.id, chosen.id)
    touched.take(session, touched.waiting(session, repository.id))
    record(
        session,
        repository.id,
        kind="rollback",
        labels=(),
        before=serving.id,
        after=chosen.id,
        swapped=True,
        reason=f"rolled back from version {serving.version} by hand",
        report={},
        seconds=0.0,
    )
    return chosen


def _previous(session: Session, serving: Head, known: Mapping[int, Head]) -> Head | None:
    """What served before; the version before where nobody wrote that down."""
    statement = select(Refit.head_before).where(Refit.head_after == serving.id, Refit.swapped)
    before = session.scalars(statement.order_by(Refit.id.desc()).limit(1)).first()
    by_id = {head.id: head for head in known.values()}
    older = [version for version in known if version < serving.version]
    return by_id.get(before or 0) or known.get(max(older, default=0))


def _fits(chosen: Head, serving: Head) -> bool:
    return (chosen.bundle, chosen.backend) == (serving.bundle, serving.backend)


def _refusal(
    full_name: str,
    version: int | None,
    chosen: Head | None,
    serving: Head,
    known: Mapping[int, Head],
    usable: Collection[int],
) -> str:
    good = sorted(v for v in usable if _fits(known[v], serving))
    others = ", ".join(map(str, good)) or "none"
    choice = f"Versions it can go back to: {others}; {serving.version} serves."
    if chosen is None:
        what = "no earlier version" if version is None else f"no version {version}"
        return f"{full_name} has {what}. {choice}"
    if chosen.id == serving.id:
        return f"Version {chosen.version} of {full_name} serves already. {choice}"
    if not _fits(chosen, serving):
        return (
            f"Version {chosen.version} of {full_name} was fitted for another encoder. {choice}"
            " `labelwright models demote` goes back to the bundle before, everywhere."
        )
    return f"Version {chosen.version} of {full_name} is no longer kept. {choice}"
