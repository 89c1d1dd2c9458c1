"""What the commands share: where they print, how they fail, how they reach settings and database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape

from bot.errors import LabelwrightError
from bot.log import configure_logging
from bot.settings import Settings, load_settings

if TYPE_CHECKING:
    from bot.store.engine import Database

console = Console()
errors = Console(stderr=True)

USER_ERROR_EXIT = 2


@contextmanager
def polite_errors() -> Iterator[None]:
    """Errors that we raise on purpose are one line for a person, not a trace."""
    try:
        yield
    except LabelwrightError as error:
        errors.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(USER_ERROR_EXIT) from None


def start() -> Settings:
    settings = load_settings()
    configure_logging(settings.log_level)
    return settings


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
