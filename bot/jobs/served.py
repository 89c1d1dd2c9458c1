"""Whom we serve: the repositories that installed the App and are neither paused nor gone."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot.errors import Ignore
from bot.store import repositories
from bot.store.tables import Repository

NOT_SERVED = ("paused", "removed")


def served(session: Session, repository_id: int) -> Repository:
    """The row of a repository that we serve.

    Raises:
        Ignore: we do not know it, or it is paused or removed.
    """
    repository = repositories.get(session, repository_id)
    if repository is None or repository.status in NOT_SERVED:
        raise Ignore(f"repository {repository_id} is not served")
    return repository
