"""A repository moves to the bundle that takes over: its issues are embedded, its head is fitted on them,
its row swaps. Resumed wherever it was stopped."""

from __future__ import annotations

import logging

from bot.classify.encoder import Encoder
from bot.errors import Ignore, UserError
from bot.jobs.context import Context, key_of
from bot.jobs.learning import past as pasts
from bot.jobs.learning.features import embed
from bot.jobs.learning.learn import learn_repository
from bot.jobs.requests import request_embedding, request_swap
from bot.jobs.rollout.demotion import crown, demote
from bot.jobs.served import served
from bot.store import bundles, outlines, repositories, vectors
from bot.store.tables import Head

log = logging.getLogger(__name__)

SLICE = 512
"""Issues embedded by one job, some 15 seconds: then other work of that queue has its turn."""


def embed_repository(context: Context, *, repository_id: int, bundle: str) -> str:
    """Embed the next issues of a repository with a bundle that takes over; its swap follows the last.

    Raises:
        Ignore: the bundle was taken back, or the repository is not served.
    """
    encoder = _open(context, bundle)
    with context.database.session() as session:
        full_name = served(session, repository_id).full_name
        found = outlines.of_repository(session, repository_id)
        missing = set(vectors.missing(session, [one.id for one in found], **key_of(encoder)))
    part = [issue for issue in found if issue.id in missing][:SLICE]
    embed(context, encoder, part)
    left = len(missing) - len(part)
    with context.database.session() as session:
        ask = request_embedding if left else request_swap
        ask(session, repository_id, bundle=bundle)
    return f"{len(part)} issues of {full_name} embedded for {bundle}, {left} left"


def swap_repository(context: Context, *, repository_id: int, bundle: str) -> str:
    """Fit the repository's head on the vectors of the bundle that takes over, and let it serve.

    Raises:
        Ignore: the bundle was taken back, or the repository is not served.
    """
    _open(context, bundle)
    with context.database.session() as session:
        head_id = served(session, repository_id).head_id
        head = session.get(Head, head_id) if head_id else None
        name = head.bundle if head else None
    if name == bundle:
        said = f"{bundle} serves repository {repository_id} already"
    else:
        reason = f"bundle {bundle} takes over"
        said = learn_repository(context, repository_id=repository_id, reason=reason, bundle=bundle)
    with context.database.session() as session:
        if head_id is not None and not pasts.read_past(session, repository_id).specs:
            # A head of labels that are gone: no new one can follow it, and nobody waits for one.
            repositories.drop_head(session, repository_id)
        crown(session)
    return said


def _open(context: Context, bundle: str) -> Encoder:
    """A challenger that a worker cannot open ends here: the champion goes on everywhere."""
    with context.database.session() as session:
        row = bundles.get(session, bundle)
        if row is None or row.state not in ("challenger", "champion"):
            raise Ignore(f"bundle {bundle} was taken back")
        try:
            return context.encoder_of(session, bundle)
        except UserError as error:
            if row.state == "champion":
                raise
            why = str(error)
    told = demote(context.database, why=f"a worker cannot use it: {why}", bundle=bundle)
    log.error(told)
    raise Ignore(told)
