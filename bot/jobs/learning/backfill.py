"""Learning a repository here and now, from the command line instead of from a webhook."""

from __future__ import annotations

from collections.abc import Callable

from bot.errors import UserError
from bot.github.app import InstallationInfo
from bot.github.payloads import RepositoryRef
from bot.jobs.context import Context
from bot.jobs.learning.learn import learn_repository
from bot.jobs.learning.onboarding import read_history
from bot.store import installations, repositories


def backfill_now(context: Context, full_name: str, *, say: Callable[[str], None]) -> None:
    """Read the history of `owner/name` and fit its head; `say` is told of each step.

    Raises:
        UserError: the App is not installed on that repository.
    """
    installation, repository = _find(context, full_name)
    with context.database.session() as session:
        installations.upsert(
            session,
            id=installation.id,
            account=installation.account,
            write_interval=context.write_interval,
        )
        repositories.upsert(
            session,
            id=repository.id,
            installation_id=installation.id,
            full_name=repository.full_name,
            private=repository.private,
        )
    say(read_history(context, repository_id=repository.id))
    say(learn_repository(context, repository_id=repository.id, reason="backfill"))


def _find(context: Context, full_name: str) -> tuple[InstallationInfo, RepositoryRef]:
    seen = []
    for installation in context.auth.installations():
        if installation.suspended:
            continue
        for repository in context.auth.installation_repositories(installation.id):
            if repository.full_name.casefold() == full_name.casefold():
                return installation, repository
            seen.append(repository.full_name)
    listed = ", ".join(sorted(seen)) or "nowhere yet"
    raise UserError(f"the App is not installed on {full_name}; it is installed on: {listed}")
