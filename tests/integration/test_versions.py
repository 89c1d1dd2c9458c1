"""`labelwright models list | show | rollback`: what an operator sees, and what they are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bot.cli import app, terminal
from bot.cli.terminal import USER_ERROR_EXIT
from bot.store import heads, refits, repositories
from bot.store.engine import Database
from tests.integration.stored import add_repository

Run = Callable[..., Result]

BUG = {
    "label": "bug",
    "positives": 40,
    "negatives": 60,
    "right": 19,
    "wrong": 1,
    "unknown": 2,
    "missed": 5,
    "apply_at": 0.83,
    "why_muted": "",
}
DOCS = {**BUG, "label": "docs", "apply_at": None, "why_muted": "sure of it on 2 past issues only"}
EXPECTATION = {"precision": 0.95, "coverage": 0.61, "labels": [BUG, DOCS]}


@pytest.fixture
def run(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Run:
    monkeypatch.setattr(terminal, "configure_logging", lambda level: None)
    monkeypatch.setenv("LABELWRIGHT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database.url)
    environment = {"COLUMNS": "200", "NO_COLOR": "1"}
    return lambda *words: CliRunner().invoke(app, ["models", *words], env=environment)


@pytest.fixture
def two_versions(database: Database) -> Database:
    """Version 1 of a whole fit, version 2 of a refit, and one attempt that was refused."""
    with database.session() as session:
        repository_id = add_repository(session)
        first = save(session, repository_id, reason="onboarding")
        record(session, repository_id, kind="whole", before=None, after=first)
        second = save(session, repository_id, reason="bug removed by ada")
        tally = {"removal": {"n": 3, "before": 0, "after": 3}}
        report = {"fresh": tally, "past": {}}
        record(session, repository_id, before=first, after=second, report=report)
        record(session, repository_id, before=second, after=None, reason="precision fell")
        repositories.activate_head(session, repository_id, second)
    return database


def save(session: Any, repository_id: int, *, reason: str) -> int:
    return heads.save(
        session, repository_id, artefact=b"a head", expectation=EXPECTATION,
        bundle="b", backend="int8", reason=reason,
    )  # fmt: skip


def record(session: Any, repository_id: int, **more: Any) -> None:
    values = {"kind": "labels", "labels": ["bug"], "reason": "as asked", "report": {}, **more}
    refits.record(
        session, repository_id, seconds=1.0, swapped=values["after"] is not None, **values
    )


def refused(result: Result) -> str:
    assert result.exit_code == USER_ERROR_EXIT, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())


def test_versions_are_listed_with_when_why_and_expectation(
    run: Run, two_versions: Database
) -> None:
    shown = run("list", "acme/widget").output
    newest, oldest = (line for line in shown.splitlines() if "95.0%" in line)
    assert "refit of 1 label " in newest
    assert "bug removed by ada" in newest
    assert "yes" in newest
    assert "whole fit" in oldest
    assert "61.0%" in oldest
    assert "refused: precision fell" in shown


def test_a_version_is_shown_with_cuts_mutes_and_its_refit(run: Run, two_versions: Database) -> None:
    shown = run("show", "acme/widget").output
    assert "Acme/Widget version 2 (serves)" in shown
    assert "0.83" in shown
    assert "sure of it on 2 past issues only" in shown
    assert "just corrected, removal: right 0 before, 3 after, of 3" in shown
    assert "version 1," in run("show", "acme/widget", "--version", "1").output


def test_a_rollback_serves_at_once_and_says_how_long_it_holds(
    run: Run, two_versions: Database
) -> None:
    assert "Version 1 serves acme/widget" in run("rollback", "acme/widget").output
    with two_versions.session() as session:
        active = heads.active(session, 70)
        assert active is not None
        assert active.version == 1
    assert "Version 1 was rolled back to" in run("list", "acme/widget").output


def test_unknown_repositories_and_versions_are_named(run: Run, two_versions: Database) -> None:
    told = refused(run("list", "acme/gadget"))
    assert "No repository acme/gadget is known here. Known: Acme/Widget" in told
    assert "no version 7. Its versions: 1, 2" in refused(
        run("show", "acme/widget", "--version", "7")
    )
    told = refused(run("rollback", "acme/widget", "--version", "7"))
    assert "Versions it can go back to: 1; 2 serves" in told
    assert "serves already" in refused(run("rollback", "acme/widget", "--version", "2"))
