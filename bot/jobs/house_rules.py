"""The rules in force for a repository: cached, revalidated by ETag, the last good ones when broken."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from bot.core.rules import Rules, parse_rules
from bot.errors import UserError
from bot.github.client import InstallationClient
from bot.github.contents import Contents, NotModified
from bot.github.limits import PermissionMissing
from bot.github.repository_events import RULES_PATH
from bot.jobs.context import Context
from bot.jobs.served import served
from bot.store import repositories

log = logging.getLogger(__name__)

FRESH = timedelta(minutes=5)
"""How long rules are trusted without asking; a push to the file shortens it to nothing."""
MODE = re.compile(
    r"""^mode[ \t]*:[ \t]*["']?(dry-run|suggest|apply)["']?[ \t]*(?:#.*)?$""", re.MULTILINE
)
LOUDNESS: Mapping[str, int] = {"dry-run": 0, "suggest": 1, "apply": 2}


def current_rules(
    context: Context, client: InstallationClient, repository_id: int, *, fresh: bool = False
) -> Rules:
    """The rules of the repository; reads the file when the cached copy is old or `fresh` asks for it."""
    with context.database.session() as session:
        row = served(session, repository_id)
        text, etag, full_name = row.rules_text, row.rules_etag, row.full_name
        checked_at = row.rules_checked_at
    if not fresh and checked_at is not None and datetime.now(UTC) - checked_at < FRESH:
        return parse_rules(text or "")
    found, error = _read(client, full_name, etag)
    if isinstance(found, NotModified):
        with context.database.session() as session:
            repositories.touch_rules(session, repository_id)
        return parse_rules(text or "")
    new_text, new_etag = (found.text, found.etag) if found is not None else ("", None)
    error = error or _error_of(new_text)
    if error is not None:
        log.warning("%s: the rules cannot be used, the last good ones stay: %s", full_name, error)
        new_text = quieter(text or "", broken=found.text if found is not None else "")
    with context.database.session() as session:
        repositories.save_rules(session, repository_id, text=new_text, etag=new_etag, error=error)
    return parse_rules(new_text)


def quieter(last_good: str, *, broken: str) -> str:
    """The last good rules, in the quieter mode that a broken file asks for: who wrote `mode: dry-run`
    beside a typo must not find labels on issues."""
    asked = MODE.search(broken)
    if asked is None or LOUDNESS[asked[1]] >= LOUDNESS[parse_rules(last_good).mode]:
        return last_good
    return f"{MODE.sub('', last_good).strip()}\nmode: {asked[1]}\n".lstrip()


def _read(
    client: InstallationClient, full_name: str, etag: str | None
) -> tuple[Contents | NotModified | None, str | None]:
    """The file, and why it could not be read; the status says it, the issue is labelled all the same."""
    try:
        return client.contents(full_name, RULES_PATH, etag=etag), None
    except (PermissionMissing, UserError) as error:
        return None, str(error)


def _error_of(text: str) -> str | None:
    try:
        parse_rules(text)
    except UserError as error:
        return str(error)
    return None
