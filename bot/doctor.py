"""Checks what an operator can get wrong, one finding a part, each saying what to do. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bot.classify.bundle import read_bundle
from bot.errors import LabelwrightError
from bot.github.app import AppAuth
from bot.github.manifest import PERMISSIONS
from bot.settings import Settings
from bot.store import bundles
from bot.store.bundles import Serving
from bot.store.engine import Database, open_database
from bot.store.migrate import is_migrated

LEVELS = ("read", "write", "admin")
"""What GitHub grants, each with all before it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One part, whether it is fine, and what is seen or what to do."""

    what: str
    ok: bool
    says: str


def examine(settings: Settings) -> list[Finding]:
    """Every check, in the order in which one would set the parts up."""
    checks: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("webhook secret", _secret),
        ("bundle", _bundle),
        ("database", _database),
        ("GitHub App", _github),
    )
    return [_finding(what, check, settings) for what, check in checks]


def _finding(what: str, check: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(what, True, check(settings))
    except LabelwrightError as error:
        return Finding(what, False, str(error))


def _secret(settings: Settings) -> str:
    return f"{len(settings.require_webhook_secrets())} in force"


def _bundle(settings: Settings) -> str:
    """What serves: the champion, and the bundle of the settings while none was ever promoted."""
    if (champion := _champion(settings)) is not None:
        return _whole(champion)
    manifest = read_bundle(settings.bundle_dir).manifest
    return f"{manifest.name} at {settings.bundle_dir}, every hash right"


def _champion(settings: Settings) -> Serving | None:
    """None where there is none, or a database that does not tell: that is a finding of its own."""
    with suppress(LabelwrightError):
        database = open_database(settings.data_dir, settings.database_url)
        try:
            if is_migrated(database):
                with database.session() as session:
                    found = bundles.serving(session)
                return next((one for one in found if one.state == "champion"), None)
        finally:
            database.close()
    return None


def _database(settings: Settings) -> str:
    database = open_database(settings.data_dir, settings.database_url)
    try:
        if not is_migrated(database):
            raise LabelwrightError(
                "empty or of another version; run `labelwright migrate`, or `up`, which does it first"
            )
        served = _served(database)
    finally:
        database.close()
    what = "reached and up to date" + ("" if settings.database_url else " (embedded)")
    return "; ".join([what, *served])


def _served(database: Database) -> list[str]:
    """What else serves somewhere, or comes next; the files of each must be whole on this machine too."""
    with database.session() as session:
        found = bundles.serving(session)
    return [_whole(one) for one in found if one.state != "champion"]


def _whole(one: Serving) -> str:
    manifest = read_bundle(Path(one.directory)).manifest
    if manifest.bundle_id != one.bundle:
        raise LabelwrightError(f"{one.directory} holds {manifest.bundle_id}, not {one.bundle}")
    return f"{one.state} {one.name} ({one.bundle}) serves {one.repositories} repositories"


def _github(settings: Settings) -> str:
    with AppAuth(
        settings.require_app_id(), settings.private_key, api_url=settings.github_api_url
    ) as auth:
        slug = auth.identity().slug
        installed = auth.installations()
    lacking = {
        f"{found.account}: {name}: {level}"
        for found in installed
        for name, level in PERMISSIONS.items()
        if not _grants(found.permissions.get(name), level)
    }
    if lacking:
        raise LabelwrightError(f"grant what is missing: {'; '.join(sorted(lacking))}")
    suspended = sum(found.suspended for found in installed)
    told = f", {suspended} suspended" if suspended else ""
    return f"{slug}, installed on {len(installed)} accounts{told}"


def _grants(granted: str | None, needed: str) -> bool:
    return granted in LEVELS[LEVELS.index(needed) :]
