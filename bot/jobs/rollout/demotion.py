"""Between two bundles: which repositories are left to move, and the way back. Touches no model, so that
the scheduler and the command line do it at once."""

from __future__ import annotations

import logging

from sqlalchemy.orm import Session

from bot.errors import UserError
from bot.jobs.requests import request_embedding, request_learning
from bot.store import bundles
from bot.store.engine import Database

log = logging.getLogger(__name__)


def demote(database: Database, *, why: str, bundle: str | None = None) -> str:
    """Let every repository be served by the bundle before again, from the next issue on; what people
    taught since is learned in the background. `bundle`: the one that is meant, if any; another one that
    came meanwhile stays.

    Raises:
        UserError: there is none to go back to.
    """
    with database.session() as session:
        back = bundles.take_back(session, why=why, bundle=bundle)
        if back is None and bundle is not None:
            return f"{bundle} was taken back or replaced meanwhile: what serves stays."
        if back is None:
            raise UserError("No bundle served before the one that serves: nothing to go back to")
        for repository_id in back.repositories:
            request_learning(session, repository_id, reason=f"taught since {back.gone.id} served")
        resume(session)
    told = (
        f"{back.instead.name} ({back.instead.id}) serves {len(back.repositories)} repositories again;"
        f" {back.gone.name} ({back.gone.id}) is retired: {why}."
    )
    log.warning(told)
    return told


def resume(session: Session) -> int:
    """Ask for what is left to do until one bundle serves everywhere; how many repositories that is."""
    target = bundles.challenger(session) or bundles.champion(session)
    left = bundles.behind(session, target.id) if target else []
    for repository_id in left:
        request_embedding(session, repository_id, bundle=target.id if target else "")
    crown(session)
    return len(left)


def crown(session: Session) -> None:
    if (new := bundles.crown(session)) is not None:
        log.info("%s (%s) serves everywhere now", new.name, new.id)
