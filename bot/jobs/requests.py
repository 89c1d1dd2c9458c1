"""Work that other work asks for: meeting a repository, refitting its head. Asked twice, done once."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot.github.payloads import RepositoryRef
from bot.jobs import queue
from bot.store import repositories


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
        queue=queue.LEARNING,
        repository_id=repository.id,
    )


def request_learning(session: Session, repository_id: int, *, reason: str) -> None:
    """Have a repository's head fitted on all that is known; one fit at a time, one waiting at most."""
    name = f"learn/{repository_id}"
    queue.defer(
        session,
        queue.TASK_LEARN,
        lock=name,
        queueing_lock=name,
        queue=queue.LEARNING,
        repository_id=repository_id,
        reason=reason,
    )
