"""A bundle takes over from the one that serves, repository by repository, and back in one step.

Published whole first; then, in the queue, each repository's issues are embedded with it, a head is
fitted on these vectors from all that people taught, and that repository's row swaps. The old vectors and
heads stay until the next promotion begins. Refuses two promotions at once.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from sqlalchemy.orm import Session

from bot.classify.bundle import Bundle
from bot.classify.encoder import Encoder
from bot.classify.publish import publish, usable
from bot.core.evidence import teaches
from bot.core.text import issue_text
from bot.errors import Ignore, UserError
from bot.jobs.context import Context, key_of
from bot.jobs.learn import embed, learn_repository
from bot.jobs.requests import request_embedding, request_learning, request_swap
from bot.jobs.served import served
from bot.store import bundles, issues, vectors
from bot.store.engine import Database
from bot.store.tables import Bundle as StoredBundle
from bot.store.tables import Head

log = logging.getLogger(__name__)

SLICE = 512
"""Issues embedded by one job, some 15 seconds: then other work of that queue has its turn."""


def promote(
    database: Database,
    bundle_dir: Path,
    *,
    bundles_dir: Path,
    configured: Path,
    run_id: int | None = None,
) -> str:
    """Let the bundle at `bundle_dir` take over; workers do it in the background. Asked again for the
    same bundle, it goes on.

    Args:
        bundles_dir: Where bundles live that workers serve; every worker must reach it by this path.
        configured: The bundle that serves while none was ever promoted.
        run_id: The retraining that made it.

    Returns:
        What happens now, in words.

    Raises:
        UserError: it must not serve, or another one is taking over. What serves goes on.
    """
    bundle = usable(bundle_dir)
    name, key = bundle.manifest.name, bundle.manifest.bundle_id
    with database.session() as session:
        champion = bundles.champion(session)
    if champion is None:
        champion = _register_configured(database, configured, bundles_dir)
    if champion is not None and champion.id == key:
        return f"{name} ({key}) serves already: there is nothing to do."
    published = publish(bundle_dir, bundles_dir)
    with database.session() as session:
        _challenge(session, published, run_id=run_id)
        count = resume(session)
    _clear_away(database, bundles_dir)
    return f"{name} ({key}) takes over {count} repositories in the background."


def demote(database: Database, *, why: str) -> str:
    """Let every repository be served by the bundle before again, from the next issue on; what people
    taught since is learned in the background.

    Raises:
        UserError: there is none to go back to.
    """
    with database.session() as session:
        back = bundles.take_back(session, why=why)
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


def champion_dir(database: Database, configured: Path) -> Path:
    """Where the bundle is that serves; the one in the settings while none was ever promoted."""
    with database.session() as session:
        row = bundles.champion(session)
    return Path(row.directory) if row else configured


def resume(session: Session) -> int:
    """Ask for what is left to do until one bundle serves everywhere; how many repositories that is."""
    target = bundles.challenger(session) or bundles.champion(session)
    left = bundles.behind(session, target.id) if target else []
    for repository_id in left:
        request_embedding(session, repository_id, bundle=target.id if target else "")
    _crown(session)
    return len(left)


def embed_repository(context: Context, *, repository_id: int, bundle: str) -> str:
    """Embed the next issues of a repository with a bundle that takes over; its swap follows the last.

    Raises:
        Ignore: the bundle was taken back, or the repository is not served.
    """
    encoder = _open(context, bundle)
    with context.database.session() as session:
        full_name = served(session, repository_id).full_name
        found = [
            issue
            for issue in issues.history(session, repository_id)
            if teaches(issue.state, is_pull_request=issue.is_pull_request)
        ]
        missing = set(vectors.missing(session, [one.id for one in found], **key_of(encoder)))
    part = [issue for issue in found if issue.id in missing][:SLICE]
    embed(context, encoder, part, [issue_text(issue.title, issue.body) for issue in part])
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
        _crown(session)
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
    told = demote(context.database, why=f"a worker cannot use it: {why}")
    log.error(told)
    raise Ignore(told)


def _crown(session: Session) -> None:
    if (new := bundles.crown(session)) is not None:
        log.info("%s (%s) serves everywhere now", new.name, new.id)


def _challenge(session: Session, bundle: Bundle, *, run_id: int | None) -> None:
    """Put the bundle on record as the one that takes over."""
    bundles.lock(session)
    running, key = bundles.challenger(session), bundle.manifest.bundle_id
    if running is not None and running.id != key:
        raise UserError(
            f"{running.name} ({running.id}) is taking over; wait until it serves everywhere, or take it"
            " back with `labelwright models demote`"
        )
    if running is None:
        bundles.clear_previous(session)
        _add(session, bundle, state="challenger", run_id=run_id)


def _register_configured(
    database: Database, configured: Path, bundles_dir: Path
) -> StoredBundle | None:
    """The first promotion puts what serves on record, as a copy that a later build leaves alone."""
    try:
        bundle = publish(configured, bundles_dir)
    except UserError as error:
        log.warning("nothing to go back to: %s", error)
        return None
    with database.session() as session:
        bundles.lock(session)
        if (found := bundles.champion(session)) is not None:
            return found
        return _add(session, bundle, state="champion", run_id=None)


def _add(session: Session, bundle: Bundle, *, state: str, run_id: int | None) -> StoredBundle:
    manifest = bundle.manifest
    return bundles.add(
        session,
        manifest.bundle_id,
        name=manifest.name,
        directory=str(bundle.directory.absolute()),
        state=state,
        run_id=run_id,
    )


def _clear_away(database: Database, bundles_dir: Path) -> None:
    """Vectors, heads and files of bundles that nobody goes back to any more."""
    with database.session() as session:
        gone = bundles.prune(session)
    for directory in map(Path, gone):
        if directory.parent == bundles_dir.absolute():
            shutil.rmtree(directory, ignore_errors=True)
