"""Brings a database to the newest schema: ours through Alembic, the job engine's beside it.

Safe to run at every start, from many processes at once. Never goes back.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from procrastinate.schema import SchemaManager

from bot.store.engine import Database

ADVISORY_LOCK = 0x1ABE1


def migrate(database: Database) -> None:
    """Alembic to head, the extension and the queue with it. Waits for whoever migrates already."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))
        _upgrade_tables(database)
        _upgrade_queue(connection)


def is_migrated(database: Database) -> bool:
    """Whether this database has the schema that this code expects."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == _head_revision()


def alembic_config() -> Config:
    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@cache
def _head_revision() -> str | None:
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def _upgrade_tables(database: Database) -> None:
    config = alembic_config()
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _upgrade_queue(connection: psycopg.Connection) -> None:
    """A new database gets the engine's schema whole; an older one the changes that it lacks."""
    known = {name for (name,) in connection.execute("SELECT name FROM queue_migrations")}
    missing = [path for path in _queue_changes() if path.name not in known]
    if not missing:
        return
    with connection.transaction():
        if known:
            for path in missing:
                _execute_script(connection, path.read_text(encoding="utf-8"))
        else:
            _execute_script(connection, SchemaManager.get_schema())
        _execute_script(connection, _our_part_of_the_queue())
        connection.cursor().executemany(
            "INSERT INTO queue_migrations (name) VALUES (%s)", [(path.name,) for path in missing]
        )


def _queue_changes() -> list[Path]:
    return sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))


def _our_part_of_the_queue() -> str:
    return (resources.files("bot.store") / "queue.sql").read_text(encoding="utf-8")


def _execute_script(connection: psycopg.Connection, script: str) -> None:
    connection.execute(script.encode())
