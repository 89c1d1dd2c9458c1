"""The database as the rest sees it: a URL, and sessions that are one transaction each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from bot.errors import UserError
from bot.store.embedded import EmbeddedServer

OLDEST_SERVER = 150000
DATABASE_NAME = "labelwright"


class Database:
    """An open database. `url` is what libpq, psycopg and the job engine take."""

    def __init__(self, url: URL, *, server: EmbeddedServer | None = None) -> None:
        self.url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self.engine: Engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=10,
            hide_parameters=True,  # they hold issue texts, and errors are logged
        )
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._server = server

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on any exception."""
        with self._sessions.begin() as session:
            yield session

    @contextmanager
    def alone(self, kind: int, key: int) -> Iterator[bool]:
        """Whether nobody else is at this piece of work (both: 32 bits, signed), for the time of the block.

        PostgreSQL holds it with the connection, so that whoever dies lets go; whoever ends says so, for the
        server notices a closed connection late.
        """
        connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # closed for good afterwards: a pool would keep the lock
        with closing(connection):
            of = {"kind": kind, "key": key}
            mine = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:kind, :key)"), of))
            try:
                yield mine
            finally:
                if mine:
                    with suppress(OperationalError):  # the connection is gone, and the lock with it
                        connection.execute(text("SELECT pg_advisory_unlock(:kind, :key)"), of)

    def close(self) -> None:
        """Drop the connections; stop the embedded server if nobody else uses it."""
        self.engine.dispose()
        if self._server is not None:
            self._server.close()
            self._server = None


def open_database(data_dir: Path, url: str | None) -> Database:
    """The database that `url` names, or the embedded one under `data_dir`, started if need be.

    Raises:
        UserError: the URL is no PostgreSQL URL, or the server is out of reach, too old, or
            without pgvector.
    """
    if url is not None:
        database = Database(parse_url(url))
        _check_server(database.url)
        return database
    server = EmbeddedServer(data_dir)
    try:
        create_if_missing(server.url("postgres"), DATABASE_NAME)
        return Database(make_url(server.url(DATABASE_NAME)), server=server)
    except BaseException:
        server.close()
        raise


def parse_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UserError(
            "DATABASE_URL: not a URL; write postgresql://user:password@host/name"
        ) from None
    if parsed.drivername.split("+")[0] not in ("postgresql", "postgres"):
        raise UserError(
            f"DATABASE_URL: {parsed.drivername} is not supported; write postgresql://..."
        )
    return parsed


def create_if_missing(admin_url: str, name: str) -> None:
    """Create the database `name`; several processes may try at once."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        if found.fetchone() is not None:
            return
        statement = psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name))
        try:
            connection.execute(statement)
        except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            return


def _check_server(url: str) -> None:
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            version = connection.info.server_version
            found = connection.execute(
                "SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"
            ).fetchone()
    except psycopg.OperationalError as error:
        raise UserError(f"DATABASE_URL: cannot connect: {str(error).strip()}") from error
    if version < OLDEST_SERVER:
        raise UserError(
            f"DATABASE_URL: PostgreSQL 15 or newer is needed, this is {version // 10000}"
        )
    if found is None:
        raise UserError("DATABASE_URL: the server lacks pgvector; install it there first")
