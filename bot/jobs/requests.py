"""Work that other work asks for: meeting a repository, refitting its head. Asked twice, done once."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.orm import Session

from bot.github.payloads import RepositoryRef
from bot.jobs import queue
from bot.store import repositories, touched

REFIT_DEBOUNCE = 5.0
"""Seconds that a refit waits for more corrections: maintainers correct in bursts."""
WHOLE_DEBOUNCE = 900.0
"""Seconds from the first correction to a fit of the whole head, cuts and calibration included."""
DAILY, CORRECTED = "daily", "corrections"
AUTOMATIC = frozenset({DAILY, CORRECTED})
"""Reasons to fit a whole head that give way to a rollback; others change what there is to learn."""


def request_onboarding(session: Session, installation_id: int, repository: RepositoryRef) -> None:
    """Meet a repository: store it and have its history read."""
    repositories.upsert(
        session,
        id=repository.id,
        installation_id=installation_id,
        full_name=repository.full_name,
        private=repository.private,
    )
    name = f"onboard/{repository.id}"
    queue.defer(
        session,
        queue.TASK_ONBOARD,
        lock=name,
        queueing_lock=name,
        queue=queue.HISTORY,
        repository_id=repository.id,
    )


def request_harvest(session: Session, repository_id: int) -> None:
    """Have the label events read that no webhook told; never while the history itself is read."""
    queue.defer(
        session,
        queue.TASK_HARVEST,
        lock=f"onboard/{repository_id}",
        queueing_lock=f"harvest/{repository_id}",
        queue=queue.HISTORY,
        repository_id=repository_id,
    )


def request_learning(session: Session, repository_id: int, *, reason: str) -> None:
    """Have a repository's head fitted on all that is known; one fit at a time, one waiting at most. The
    daily one waits apart, for it may come to nothing: see `AUTOMATIC`."""
    name = _learning(repository_id)
    queue.defer(
        session,
        queue.TASK_LEARN,
        lock=name,
        queueing_lock=f"{name}/{reason}" if reason in AUTOMATIC else name,
        queue=queue.HISTORY,
        repository_id=repository_id,
        reason=reason,
    )


def request_refit(
    session: Session, repository_id: int, *, labels: Collection[str], reason: str
) -> None:
    """Have the labels that a correction touched learned within seconds, and the whole head later.

    However many ask meanwhile, one refit follows, of all the labels that any of them named.
    """
    touched.note(session, repository_id, labels, reason=reason)
    queue.defer(
        session,
        queue.TASK_REFIT,
        # The lock of a whole fit too: each starts from the head that the other left.
        lock=_learning(repository_id),
        queueing_lock=f"refit/{repository_id}",
        queue=queue.LEARNING,
        schedule_in=REFIT_DEBOUNCE,
        repository_id=repository_id,
    )


def request_whole(session: Session, repository_id: int) -> None:
    """Have the whole head fitted once the corrections of a while are in."""
    job = queue.Job(
        task=queue.TASK_LEARN,
        args={"repository_id": repository_id, "reason": CORRECTED},
        lock=_learning(repository_id),
        queueing_lock=f"learn-later/{repository_id}",
        queue=queue.HISTORY,
    )
    queue.park(session, job, after=WHOLE_DEBOUNCE, key=f"learn-later/{repository_id}")


def request_embedding(session: Session, repository_id: int, *, bundle: str) -> None:
    """Have the issues of a repository embedded with a bundle that takes over, behind all other work."""
    name = f"embed/{repository_id}"
    queue.defer(
        session,
        queue.TASK_EMBED,
        lock=name,
        queueing_lock=name,
        queue=queue.HISTORY,
        priority=-10,
        repository_id=repository_id,
        bundle=bundle,
    )


def request_swap(session: Session, repository_id: int, *, bundle: str) -> None:
    """Have a repository's head fitted for a bundle that takes over. Refits wait behind it, so it does
    not wait behind other repositories."""
    queue.defer(
        session,
        queue.TASK_SWAP,
        lock=_learning(repository_id),
        queueing_lock=f"swap/{repository_id}",
        queue=queue.HISTORY,
        priority=10,
        repository_id=repository_id,
        bundle=bundle,
    )


def _learning(repository_id: int) -> str:
    """The lock of all that changes a repository's head: each starts from what the other left."""
    return f"learn/{repository_id}"
