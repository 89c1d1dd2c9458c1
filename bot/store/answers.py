"""What people say to us: commands in comments, and answers to our suggestions. Facts, each stored once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Double, cast, exists, extract, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from bot.core.evidence import NOT_TEACHING
from bot.store.tables import Answer, Asked, Decision, Effect, Issue, Notice, Poll, Repository

Verdict = Literal["approved", "dismissed", "void"]
Source = Literal["native", "comment"]
Ended = Literal["done", "refused"]
SOURCES: tuple[Source, ...] = ("native", "comment")

IN_COMMENT = "in a comment"
"""Detail of a suggestion that stands in a comment of ours, and not in GitHub's own list."""

WINDOW = timedelta(days=14)
"""How long a suggestion is looked after; then nobody is likely to answer."""
FIRST_LOOK = 20 * 60
"""Seconds after which a new suggestion is looked at; later ones come ever more seldom, with its age."""
SELDOM = 0.25
"""A suggestion is looked at again when this part of its age has passed since the last look."""


@dataclass(frozen=True, slots=True)
class Open:
    """A suggestion that nobody has answered yet."""

    effect_id: int
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class InComment:
    """A suggestion as our comment lists it; `verdict` is None while nobody has answered."""

    label: str
    reason: str
    verdict: str | None


@dataclass(frozen=True, slots=True)
class Due:
    """An issue whose suggestions are to be looked at."""

    issue_id: int
    number: int
    repository_id: int
    full_name: str
    installation_id: int


# -- commands ---------------------------------------------------------------------------------------------


def ask(session: Session, issue_id: int, *, comment_id: int, actor: str) -> Asked:
    """The row of a comment with commands, new or found."""
    values = {"issue_id": issue_id, "github_id": comment_id, "actor": actor}
    session.execute(insert(Asked).values(values).on_conflict_do_nothing())
    found = select(Asked).where(Asked.issue_id == issue_id, Asked.github_id == comment_id)
    return session.scalars(found).one()


def progress(session: Session, asked_id: int, *, done: int, said: Sequence[str]) -> None:
    """So many of its commands were carried out, and this is there to say of them."""
    row = session.get_one(Asked, asked_id)
    row.done, row.said, row.turn_at = done, list(said), None


def wait_for(session: Session, asked_id: int, turn_at: datetime | None) -> None:
    """Its next write has this turn."""
    session.get_one(Asked, asked_id).turn_at = turn_at


def overtaken(session: Session, issue_id: int, comment_id: int) -> bool:
    """Whether a later comment's commands on the issue were carried out already: GitHub counts ids up."""
    later = Asked.issue_id == issue_id, Asked.github_id > comment_id, Asked.done > 0
    return session.scalar(select(Asked.id).where(*later).limit(1)) is not None


def close(session: Session, asked_id: int, *, status: Ended) -> None:
    row = session.get_one(Asked, asked_id)
    row.status, row.turn_at = status, None


def was_refused(session: Session, repository_id: int, actor: str) -> bool:
    """Whether this person was told before, anywhere in the repository, that commands are not for them."""
    found = (
        select(Asked.id)
        .join(Issue, Issue.id == Asked.issue_id)
        .where(
            Issue.repository_id == repository_id, Asked.actor == actor, Asked.status == "refused"
        )
    )
    return session.scalar(found.limit(1)) is not None


# -- answers to suggestions -------------------------------------------------------------------------------


def open_suggestions(session: Session, issue_id: int, source: Source) -> list[Open]:
    """Suggestions on an issue that wait for an answer, oldest first; of a label the latest only."""
    statement = (
        select(Effect.id, Effect.label, Decision.reason)
        .outerjoin(Decision, Decision.id == Effect.decision_id)
        .where(Effect.issue_id == issue_id, *_waiting(source))
        .order_by(Effect.id)
    )
    latest = {
        row.label: Open(row.id, row.label, row.reason or "") for row in session.execute(statement)
    }
    return list(latest.values())


def in_comment(session: Session, issue_id: int) -> list[InComment]:
    """All suggestions that our comment on an issue lists, oldest first, each label once."""
    statement = (
        select(Effect.label, Decision.reason, Answer.verdict)
        .outerjoin(Decision, Decision.id == Effect.decision_id)
        .outerjoin(Answer, Answer.effect_id == Effect.id)
        .where(
            Effect.issue_id == issue_id,
            Effect.kind == "suggest",
            Effect.status == "done",
            Effect.detail == IN_COMMENT,
        )
        .order_by(Effect.id)
    )
    rows = (InComment(row[0], row[1] or "", row[2]) for row in session.execute(statement))
    return list({one.label: one for one in rows}.values())


def void(session: Session, issue_id: int, names: Collection[str]) -> None:
    """Nobody can answer these suggestions any more."""
    for source in SOURCES:
        for one in open_suggestions(session, issue_id, source):
            if one.label in names:
                now = datetime.now(UTC)
                answer(session, one.effect_id, verdict="void", actor="", source=source, at=now)


def answer(
    session: Session,
    effect_id: int,
    *,
    verdict: Verdict,
    actor: str,
    source: Source,
    at: datetime,
) -> bool:
    """Keep the first answer to a suggestion. False where there was one."""
    values = {
        "effect_id": effect_id,
        "verdict": verdict,
        "actor": actor,
        "source": source,
        "at": at,
    }
    statement = insert(Answer).values(values).on_conflict_do_nothing().returning(Answer.effect_id)
    return session.execute(statement).first() is not None


def due(session: Session, *, most: int) -> list[Due]:
    """Issues whose native suggestions are to be looked at now, the longest unseen first."""
    oldest = func.min(Effect.done_at)
    seen = func.coalesce(Poll.polled_at, oldest)
    wait = func.greatest(SELDOM * _seconds_since(oldest), FIRST_LOOK)
    statement = (
        select(
            Issue.id.label("issue_id"),
            Issue.number,
            Repository.id.label("repository_id"),
            Repository.full_name,
            Repository.installation_id,
        )
        .join(Effect, Effect.issue_id == Issue.id)
        .join(Repository, Repository.id == Issue.repository_id)
        .outerjoin(Poll, Poll.issue_id == Issue.id)
        .where(
            *_waiting("native"),
            Effect.done_at > func.now() - WINDOW,
            Repository.status.not_in(["paused", "removed"]),
            Issue.state.not_in(NOT_TEACHING),
        )
        .group_by(Issue.id, Repository.id, Poll.polled_at)
        .having(_seconds_since(seen) >= wait)
        .order_by(seen)
        .limit(most)
    )
    return [Due(**row) for row in session.execute(statement).mappings()]


def _seconds_since(moment: ColumnElement[Any]) -> ColumnElement[float]:
    return cast(extract("epoch", func.now() - moment), Double)


def looked(session: Session, issue_id: int) -> None:
    """Its suggestions were looked at now."""
    statement = insert(Poll).values(issue_id=issue_id)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["issue_id"], set_={"polled_at": func.clock_timestamp()}
        )
    )


def _waiting(source: Source) -> tuple[ColumnElement[bool], ...]:
    """Conditions on an effect: a suggestion that was made, in this way, and not answered."""
    commented = Effect.detail == IN_COMMENT
    return (
        Effect.kind == "suggest",
        Effect.status == "done",
        commented if source == "comment" else ~commented,
        ~exists().where(Answer.effect_id == Effect.id),
    )


# -- the notice about the rules ---------------------------------------------------------------------------


def notice(session: Session, repository_id: int) -> Notice | None:
    return session.get(Notice, repository_id)


def save_notice(session: Session, repository_id: int, *, number: int, error: str) -> None:
    """Our comment about the rules stands on this issue and names this error."""
    values = {"number": number, "error": error}
    statement = insert(Notice).values(repository_id=repository_id, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["repository_id"], set_=values))
