"""A made-up repository in the store, as years of work leave it, and what tasks need to learn from it.

The last fifth of its issues was decided on, label by label, and people corrected some of that. Vectors are
made up with the issues, so that no encoder runs; nothing here speaks to GitHub.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
import psutil
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from benchmarks.head import DIM, Made, make_repository
from bot.classify.encoder import Encoder
from bot.classify.registry import EncoderCache, HeadCache
from bot.classify.seen import UNKNOWN, Provenance
from bot.core.label_text import label_text
from bot.core.types import LabelEvent, RepositoryLabel
from bot.github.app import AppAuth
from bot.jobs.context import Context
from bot.jobs.learning.taught import record_events
from bot.store import installations, labels, repositories, vectors
from bot.store.connection import raw_connection
from bot.store.engine import Database, open_database
from bot.store.migrate import migrate

REPOSITORY = 70
APART = timedelta(hours=1)
"""Between two issues."""
ARRIVED = 0.2
"""Share of the issues that came after the installation."""
SETTLING = 24 * 8
"""Issues of the last days: too new for the absence of a label to mean anything."""
CORRECTED = 300
"""Labels of ours that people took off so far."""
OPEN = 40
"""Labels of ours that nobody touched, for the benchmark to correct."""

LABELS = "labels.npz"
_UNTOUCHED = """
    SELECT issue_id, label FROM effects e WHERE NOT EXISTS (
        SELECT FROM label_events WHERE issue_id = e.issue_id AND label = e.label AND NOT added
    ) ORDER BY id
"""
_ISSUES = (
    "id, repository_id, number, github_id, title, body, as_filed, author, author_is_bot,"
    " author_association, state, locked, is_pull_request, created_at, labels"
)
_EVENTS = "issue_id, label, added, actor, actor_kind, at, github_id, source"
_DECISIONS = "id, issue_id, label, action, reason, probability, bundle, decided_at"
_EFFECTS = "issue_id, decision_id, kind, label, status, created_at, done_at"


@dataclass(frozen=True, slots=True)
class MadeEncoder:
    """Knows the vectors of the labels; stands in for an encoder that has embedded every issue."""

    known: dict[str, NDArray[np.float32]]
    bundle_id: str = "made-up"
    backend: str = "int8"
    text_version: int = 1
    dim: int = DIM
    provenance: Provenance = UNKNOWN
    """Nothing of it was learned from."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self.known[text] for text in texts])


@dataclass(frozen=True, slots=True)
class Filled:
    """`ours`: issues that bear a label which we set, wrongly, and that nobody touched: (id, label)."""

    context: Context
    ours: Sequence[tuple[int, str]]


@contextmanager
def filled(*, issues: int, labels: int, words: int) -> Iterator[Filled]:
    """The repository in a database of its own. A process that ends makes it, so that the memory of this one
    is a worker's."""
    with TemporaryDirectory() as folder:
        sizes = {"issues": issues, "labels": labels, "words": words}
        process = get_context("spawn").Process(target=_prepare, args=(folder,), kwargs=sizes)
        process.start()
        process.join()
        if process.exitcode:
            raise RuntimeError("the repository could not be made; see above")
        database = open_database(Path(folder), None)
        try:
            yield Filled(_context(database, Path(folder)), _ours(database))
        finally:
            database.close()


def database_seconds(context: Context) -> float:
    """Processor seconds that the server spent on our connections, of those that are still open."""
    with context.database.session() as session:
        backends = session.scalars(text("SELECT pid FROM pg_stat_activity WHERE pid IS NOT NULL"))
        spent = [psutil.Process(pid).cpu_times() for pid in backends if psutil.pid_exists(pid)]
    return float(sum(one.user + one.system for one in spent))


def correct(filled: Filled, which: Iterable[tuple[int, str]]) -> None:
    """People take these labels off again, as a webhook tells it; each a person of their own, for one who
    takes off ten in seconds does not look at them."""
    at = datetime.now(UTC).replace(microsecond=0)
    for turn, (issue_id, label) in enumerate(which):
        removed = LabelEvent(
            label, False, f"ada{issue_id}", "human", at - timedelta(seconds=2 * turn)
        )
        with filled.context.database.session() as session:
            take_off = text(
                "UPDATE issues SET labels = array_remove(labels, :label) WHERE id = :id"
            )
            session.execute(take_off, {"label": label, "id": issue_id})
            record_events(session, REPOSITORY, {issue_id: [removed]}, source="webhook")


def _prepare(folder: str, *, issues: int, labels: int, words: int) -> None:
    made = make_repository(issues=issues, labels=labels, words=words, seed=0)
    named = {label_text(one): row for one, row in zip(made.specs, made.label_vectors, strict=True)}
    np.savez(Path(folder) / LABELS, **named)
    database = open_database(Path(folder), None)
    migrate(database)
    with database.session() as session:
        _fill(session, made)
    with database.engine.connect() as plain:
        plain.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")
    database.close()


def _context(database: Database, folder: Path) -> Context:
    with np.load(folder / LABELS) as found:
        encoder = MadeEncoder(dict(found))
    return Context(
        database=database,
        auth=cast(AppAuth, None),
        encoders=EncoderCache(cast(Encoder, encoder)),
        heads=HeadCache(),
        settling_days=7.0,
        write_interval=0.0,
    )


def _ours(database: Database) -> list[tuple[int, str]]:
    with database.session() as session:
        return [(row.issue_id, row.label) for row in session.execute(text(_UNTOUCHED))]


def _fill(session: Session, made: Made) -> None:
    story = _Story(made)
    installations.upsert(session, id=7, account="bench")
    repositories.upsert(
        session, id=REPOSITORY, installation_id=7, full_name="bench/tracker", private=False
    )
    found = [RepositoryLabel(n, spec.name, "") for n, spec in enumerate(made.specs, 1)]
    labels.sync(session, REPOSITORY, found)
    connection = raw_connection(session)
    for table, columns, rows in story.tables():
        copy_in = f"COPY {table} ({columns}) FROM STDIN"
        with connection.cursor() as cursor, cursor.copy(copy_in) as copy:
            for row in rows:
                copy.write_row(row)
        if columns.startswith("id,"):
            newest = f"SELECT setval('{table}_id_seq', (SELECT max(id) FROM {table}))"
            connection.execute(newest)
    key: dict[str, Any] = {"bundle": "made-up", "backend": "int8", "text_version": 1}
    vectors.save(session, enumerate(made.history.vectors, 1), **key)


class _Story:
    """What happened in the repository, as rows of its tables. Issue n of the history has the id n + 1."""

    def __init__(self, made: Made) -> None:
        self._made = made
        self._names = [spec.name for spec in made.specs]
        count = len(made.history.texts)
        now = datetime.now(UTC).replace(microsecond=0)
        self._filed = [now - APART * (count - n) for n in range(count)]
        self._arrived = range(round(count * (1 - ARRIVED)), count)
        self._wrong = self._mistakes()

    def tables(self) -> Iterator[tuple[str, str, Iterable[Sequence[Any]]]]:
        """(table, columns, rows)"""
        yield "issues", _ISSUES, self._issues()
        yield "label_events", _EVENTS, self._events()
        yield "decisions", _DECISIONS, self._decisions()
        yield "effects", _EFFECTS, self._effects()

    def _mistakes(self) -> list[tuple[int, int]]:
        """(row, column) of labels that we set wrongly, spread over what arrived and has settled."""
        known = self._made.history.known
        told = [row for row in self._arrived if (known[row] < 0).any()]
        told = told[:-SETTLING] or told
        spread = np.linspace(0, len(told) - 1, min(CORRECTED + OPEN, len(told))).astype(int)
        found = []
        for turn, place in enumerate(spread):
            refused = np.flatnonzero(known[told[place]] < 0)
            found.append((told[place], int(refused[turn % len(refused)])))
        return found

    def _issues(self) -> Iterator[Sequence[Any]]:
        standing = {row: self._names[column] for row, column in self._wrong[-OPEN:]}
        for row, told in enumerate(self._made.history.texts):
            bears = [self._names[j] for j in np.flatnonzero(self._made.history.known[row] > 0)]
            bears += [standing[row]] if row in standing else []
            yield (
                row + 1, REPOSITORY, row + 1, 10**6 + row, told.title, told.body, True, "bob",
                False, "NONE", "open", False, False, self._filed[row], bears,
            )  # fmt: skip

    def _events(self) -> Iterator[Sequence[Any]]:
        for row, column in np.argwhere(self._made.history.known > 0):
            at = self._filed[row] + timedelta(minutes=20)
            yield row + 1, self._names[column], True, "ada", "human", at, None, "history"
        for turn, (row, column) in enumerate(self._wrong):
            at, name = self._filed[row], self._names[column]
            yield row + 1, name, True, "us[bot]", "us", at + timedelta(seconds=5), None, "effect"
            if turn < len(self._wrong) - OPEN:
                at += timedelta(hours=5)
                yield row + 1, name, False, "ada", "human", at, None, "webhook"

    def _decisions(self) -> Iterator[Sequence[Any]]:
        wrong = set(self._wrong)
        for number, (row, column) in enumerate(self._pairs(), 1):
            action = "apply" if (row, column) in wrong else "abstain"
            at = self._filed[row] + timedelta(seconds=4)
            yield number, row + 1, self._names[column], action, "below", 0.3, "made-up", at

    def _effects(self) -> Iterator[Sequence[Any]]:
        wrong = set(self._wrong)
        for number, (row, column) in enumerate(self._pairs(), 1):
            if (row, column) in wrong:
                at = self._filed[row] + timedelta(seconds=5)
                yield row + 1, number, "add", self._names[column], "done", at, at

    def _pairs(self) -> Iterator[tuple[int, int]]:
        """Everything that was decided on."""
        for row in self._arrived:
            for column in range(len(self._names)):
                yield row, column
