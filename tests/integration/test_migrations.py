"""The schema that migrations build is the schema that the models describe."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import make_url

import bot.store.tables  # noqa: F401 - registers the models
from bot.store import migrate as migrate_module
from bot.store.base import Base
from bot.store.engine import Database, create_if_missing
from bot.store.migrate import is_migrated, migrate


def ours(name: str | None, kind: str, parents: object) -> bool:
    """The job engine's tables and Alembic's own are not described by our models."""
    return not (
        kind == "table"
        and name is not None
        and (name.startswith("procrastinate_") or name == "alembic_version")
    )


@pytest.fixture
def empty(database: Database) -> Iterator[Database]:
    name = f"{make_url(database.url).database}_empty"
    create_if_missing(database.url, name)
    opened = Database(make_url(database.url).set(database=name))
    yield opened
    opened.close()
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_models_and_migrations_agree(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_name": ours,
                "compare_type": True,
                "compare_server_default": True,
                "target_metadata": Base.metadata,
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_names_follow_the_convention(database: Database) -> None:
    with psycopg.connect(database.url) as connection:
        names = {
            name
            for (name,) in connection.execute(
                "SELECT conname FROM pg_constraint WHERE contype = 'c'"
                " AND conrelid::regclass::text NOT LIKE 'procrastinate%'"
                " AND connamespace = 'public'::regnamespace"
            )
        }
    declared = {
        constraint.name
        for table in Base.metadata.tables.values()
        for constraint in table.constraints
        if type(constraint).__name__ == "CheckConstraint"
    }
    assert names == {str(name) for name in declared}


def test_migrate_again_changes_nothing(database: Database) -> None:
    before = schema_of(database)
    migrate(database)
    assert schema_of(database) == before
    assert is_migrated(database)


def test_an_empty_database_is_not_migrated(empty: Database) -> None:
    assert not is_migrated(empty)


def migrate_by_url(url: str) -> None:
    database = Database(make_url(url))
    migrate(database)
    database.close()


def test_several_processes_migrate_at_once(empty: Database) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=migrate_by_url, args=(empty.url,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert is_migrated(empty)


def test_the_changes_of_a_newer_queue_are_applied_once(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = tmp_path / "99.00.00_01_pre_newer.sql"
    newer.write_text("CREATE TABLE procrastinate_newer (id int); SELECT 1;")
    known = migrate_module._queue_changes()
    monkeypatch.setattr(migrate_module, "_queue_changes", lambda: [*known, newer])
    migrate(database)
    migrate(database)
    with psycopg.connect(database.url) as connection:
        rows = connection.execute("SELECT count(*) FROM procrastinate_newer").fetchall()
    assert rows == [(0,)]


def schema_of(database: Database) -> list[tuple[object, ...]]:
    with psycopg.connect(database.url) as connection:
        return (
            connection.execute(
                "SELECT table_name, column_name, data_type FROM information_schema.columns"
                " WHERE table_schema = 'public' ORDER BY 1, 2"
            ).fetchall()
            + connection.execute("SELECT name, applied_at FROM queue_migrations").fetchall()
        )
