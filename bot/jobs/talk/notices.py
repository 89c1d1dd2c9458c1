"""One comment that says what is wrong with a rules file, edited in place when that changes.

It goes to the next issue that is opened: the first one that the broken file could have mattered for. An
issue of its own would be louder, and a comment on the commit needs a permission that we do not ask for.
In a dry run nothing is said, nor on the silent share; a permission that is missing is for the owner's
status, not for a comment.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot.core import wording
from bot.core.rules import parse_rules
from bot.errors import Ignore
from bot.github.limits import PermissionMissing
from bot.jobs import queue
from bot.jobs.context import Context
from bot.jobs.served import NOT_SERVED, served
from bot.jobs.turn import NotYet, Turn
from bot.store import answers, repositories, silence
from bot.store.tables import Repository

MARKER = "rules"


def request_notice(session: Session, repository_id: int, *, number: int | None = None) -> None:
    """Have it said, where there is something to say; `number`: the issue that was just opened."""
    row = repositories.get(session, repository_id)
    place = _place(session, row, number) if row is not None else None
    if place is None:
        return
    queue.defer(
        session,
        queue.TASK_NOTICE,
        lock=queue.issue_lock(repository_id, place),
        queueing_lock=f"notice/{repository_id}",
        repository_id=repository_id,
        number=place,
    )


def tell_of_rules(
    context: Context, *, repository_id: int, number: int, moment: float | None = None
) -> str:
    """Say what there is to say now; returns the outcome in words."""
    with context.database.session() as session:
        row = served(session, repository_id)
        place = _place(session, row, number)
        error, full_name, installation_id = _error(row), row.full_name, row.installation_id
    if place is None:
        return "nothing to say about the rules"
    turn = Turn(context, installation_id, moment=moment)
    try:
        context.client(installation_id).comment(
            full_name,
            place,
            wording.rules_broken(error) if error else wording.RULES_MENDED,
            marker=MARKER,
            post=bool(error),
            before_write=turn.notifying,
        )
    except NotYet:
        return turn.park(
            queue.TASK_NOTICE,
            lock=queue.issue_lock(repository_id, number),
            key=f"notice/{repository_id}/again",
            repository_id=repository_id,
            number=number,
        )
    except Ignore:  # the issue is gone, and what was said there with it: the next one is to hear it
        with context.database.session() as session:
            answers.save_notice(session, repository_id, number=place, error="")
        raise
    with context.database.session() as session:
        answers.save_notice(session, repository_id, number=place, error=error)
    return "said that the rules are broken" if error else "said that the rules are mended"


def _place(session: Session, row: Repository, number: int | None) -> int | None:
    """The issue on which there is something new to say; None where there is nothing, or no place yet."""
    if row.status in NOT_SERVED or parse_rules(row.rules_text or "").mode == "dry-run":
        return None
    error, notice = _error(row), answers.notice(session, row.id)
    before = notice.error if notice is not None else ""
    if error == before:
        return None
    if notice is not None and before:
        return notice.number
    kept = number is not None and silence.is_kept(session, row.id, number)
    return None if kept else number


def _error(row: Repository) -> str:
    """What is wrong with the file itself; "" where nothing is."""
    error = row.rules_error or ""
    return "" if PermissionMissing.WORDS in error else error
