"""Runs in the store: tries that stay on record, one ending, one process at a time."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from bot.errors import UserError
from bot.store import runs
from bot.store.engine import Database


@pytest.fixture
def run(database: Database) -> int:
    with database.session() as session:
        return runs.create(
            session, reason="weekly", launcher="agent", directory=Path("x"), snapshot="abc"
        )


def test_an_unknown_run_is_named(database: Database) -> None:
    with database.session() as session, pytest.raises(UserError, match="no run 77"):
        runs.get(session, 77)


def test_runs_that_came_to_the_gate_are_counted(database: Database, tmp_path: Path) -> None:
    """A try stays on record, whatever came after it, and another look at it changes nothing."""
    tried: dict[str, Any] = {"tried": True, "alpha": 0.01}
    with database.session() as session:
        ids = [
            runs.create(session, reason="r", launcher="local", directory=tmp_path, snapshot="s")
            for _ in range(4)
        ]
        runs.note_verdict(session, ids[0], tried)
        runs.finish(session, ids[0], "kept", "no gain")
        runs.finish(session, ids[1], "failed", "NaN")
        runs.note_verdict(session, ids[2], {"tried": False})
        runs.note_verdict(session, ids[2], tried)
        runs.note_verdict(session, ids[2], {"tried": False})
        runs.finish(session, ids[2], "failed", "another takes over\x00")
    with database.session() as session:
        assert [row.id for row in runs.finished(session)] == [ids[0], ids[2]]
        assert [row.report for row in runs.finished(session)] == [tried, tried]
        assert [row.id for row in runs.newest(session, limit=2)] == ids[:1:-1]
        assert runs.unfinished(session, launcher="local") == [ids[3]]
        assert runs.unfinished(session, launcher="agent") == []


def test_a_run_ends_once(database: Database, run: int, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), database.session() as session:
        runs.finish(session, run, "promoted", "better")
        runs.finish(session, run, "failed", "too late")
    with database.session() as session:
        row = runs.get(session, run)
    assert (row.status, row.outcome) == ("promoted", "better")
    assert "too late" not in caplog.text


def test_one_process_at_a_time_brings_a_run_on(database: Database, run: int) -> None:
    with runs.driving(database, run) as mine, runs.driving(database, run) as theirs:
        assert (mine, theirs) == (True, False)
        with runs.driving(database, run + 1) as another:
            assert another
    with runs.driving(database, run) as again:
        assert again


def test_who_ends_lets_go_before_the_connection_closes(database: Database, run: int) -> None:
    """A server notices a closed connection late: the next process would take the run for driven."""
    free: list[bool] = []

    def closing(*_: object) -> None:
        if not free:
            free.append(False)  # what asks is closed too
            with runs.driving(database, run) as mine:
                free[0] = mine

    event.listen(database.engine, "close_detached", closing)
    with runs.driving(database, run):
        pass
    assert free == [True]
