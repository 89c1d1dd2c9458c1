"""What the commands share: where they print, how they fail, how they reach settings and database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape

from bot.errors import LabelwrightError, RetryLater, UserError
from bot.log import configure_logging
from bot.settings import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from bot.store.engine import Database
    from bot.store.tables import Repository

console = Console()
errors = Console(stderr=True)

USER_ERROR_EXIT = 2


@contextmanager
def polite_errors() -> Iterator[None]:
    """Errors that we raise on purpose are one line for a person, not a trace."""
    try:
        yield
    except LabelwrightError as error:
        wait = f"; again in {error.after:.0f} s" if isinstance(error, RetryLater) else ""
        told = f"[bold red]error:[/] {escape(str(error))}{wait}"
        errors.print(told, highlight=False, soft_wrap=True)
        raise typer.Exit(USER_ERROR_EXIT) from None


def start() -> Settings:
    settings = load_settings()
    configure_logging(settings.log_level)
    return settings


def find_repository(session: Session, full_name: str) -> Repository:
    """Raises UserError, with the names that are known, where this one is not."""
    from bot.store import repositories

    found = repositories.by_name(session, full_name)
    if found is None:
        known = ", ".join(row.full_name for row in repositories.all_active(session)) or "none"
        raise UserError(f"No repository {full_name} is known here. Known: {known}")
    return found


@contextmanager
def open_store(settings: Settings) -> Iterator[Database]:
    """The database of the settings, brought to this version's tables, closed in the end."""
    from bot.store.engine import open_database
    from bot.store.migrate import migrate

    database = open_database(settings.data_dir, settings.database_url)
    try:
        migrate(database)
        yield database
    finally:
        database.close()
