"""A bundle takes over from the one that serves, repository by repository.

Published whole first; then, in the queue, each repository moves by itself (`bot.jobs.rollout.takeover`). The old
vectors and heads stay until the next promotion begins. Refuses two promotions at once.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from sqlalchemy.orm import Session

from bot.classify.bundle import Bundle
from bot.classify.publish import publish, usable
from bot.errors import UserError
from bot.jobs.rollout.demotion import resume
from bot.jobs.rollout.leftovers import is_old
from bot.store import bundles
from bot.store.engine import Database
from bot.store.tables import Bundle as StoredBundle

log = logging.getLogger(__name__)


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
    _clear_away(database, bundles_dir, but=configured)
    return f"{name} ({key}) takes over {count} repositories in the background."


def champion_dir(database: Database, configured: Path) -> Path:
    """Where the bundle is that serves; the one in the settings while none was ever promoted."""
    with database.session() as session:
        row = bundles.champion(session)
    return Path(row.directory) if row else configured


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
        usable(configured)
    except UserError as error:
        log.warning("there will be no way back from the first promotion: %s", error)
        return None
    bundle = publish(configured, bundles_dir)
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


def _clear_away(database: Database, bundles_dir: Path, *, but: Path) -> None:
    """Vectors, heads and files of bundles that nobody goes back to any more; copies that broke off."""
    with database.session() as session:
        gone = [Path(directory) for directory in bundles.prune(session)]
    gone = [one for one in gone if one.parent == bundles_dir.absolute() and one != but.absolute()]
    for directory in (*gone, *filter(is_old, bundles_dir.glob(".*-*"))):
        shutil.rmtree(directory, ignore_errors=True)
