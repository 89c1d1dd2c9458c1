"""The commands: words in, polite lines out; nothing heavy is imported to print a version."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bot import __version__
from bot.cli import app, terminal
from bot.cli.terminal import USER_ERROR_EXIT
from bot.errors import RetryLater

NOWHERE = "postgresql://127.0.0.1:1/nothing?connect_timeout=1"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings but a data directory of the test's own; logging is left to pytest."""
    monkeypatch.setattr(terminal, "configure_logging", lambda level: None)
    for name in os.environ:
        if name.startswith("LABELWRIGHT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LABELWRIGHT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("DATABASE_URL", NOWHERE)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "80", "NO_COLOR": "1"})


def refused(result: Result) -> str:
    """What a person is told; one line, no trace."""
    assert result.exit_code == USER_ERROR_EXIT, result.output
    assert result.output.startswith("error: ")
    assert "Traceback" not in result.output
    return result.output


def test_version() -> None:
    assert run("--version").output == f"labelwright {__version__}\n"


def test_no_words_show_the_commands() -> None:
    shown = run().output
    for command in ("demo", "replay", "serve", "worker", "schedule", "backfill", "models"):
        assert command in shown


def test_an_unknown_command_is_a_usage_error() -> None:
    assert run("nonsense").exit_code == 2


def test_the_receiver_asks_for_a_secret_first() -> None:
    assert "LABELWRIGHT_WEBHOOK_SECRETS" in refused(run("serve"))


@pytest.mark.parametrize("command", ["worker", "schedule", "migrate"])
def test_a_database_out_of_reach_is_named(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELWRIGHT_GITHUB_APP_ID", "1")
    monkeypatch.setenv("LABELWRIGHT_GITHUB_PRIVATE_KEY", "no key")
    said = refused(run(command))
    assert "DATABASE_URL" in said or "private key" in said


def test_the_scheduler_asks_for_the_app() -> None:
    assert "LABELWRIGHT_GITHUB_APP_ID" in refused(run("schedule"))


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELWRIGHT_PORT", "eighty")
    assert "LABELWRIGHT_PORT" in refused(run("serve"))


def test_a_data_directory_that_cannot_be_made_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LABELWRIGHT_DATA_DIR", str(tmp_path / "file" / "data"))
    monkeypatch.delenv("DATABASE_URL")
    said = refused(run("migrate"))
    assert "LABELWRIGHT_DATA_DIR" in said
    assert str(tmp_path / "file") in said
    register = ("register", "--webhook-url", "https://bot.example/webhook")
    assert "LABELWRIGHT_DATA_DIR" in refused(run(*register))


def test_an_address_that_github_cannot_reach_is_refused() -> None:
    assert "--webhook-url" in refused(run("register", "--webhook-url", "bot.example/webhook"))


def test_a_replay_of_one_repository_says_which_there_are(tmp_path: Path) -> None:
    file = tmp_path / "issues.jsonl"
    file.write_text('{"title": "a", "repo": "o/here"}\n')
    assert "o/here" in refused(run("replay", str(file), "--repo", "o/there"))


def test_a_replay_of_nothing_says_what_a_file_holds(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    assert "JSON object with title, body and labels" in refused(run("replay", str(empty)))


def test_a_replay_needs_two_issues(tmp_path: Path) -> None:
    lone = tmp_path / "lone.jsonl"
    lone.write_text('{"title": "a", "labels": ["bug"]}\n')
    assert "at least two issues" in refused(run("replay", str(lone)))


def test_who_has_to_wait_is_told_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), terminal.polite_errors():
        raise RetryLater("GitHub's rate limit", after=61.5)
    assert capsys.readouterr().err == "error: GitHub's rate limit; again in 62 s\n"


def test_markup_in_a_message_is_shown_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "[bold]odd[/nope].jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    assert "[bold]odd" in refused(run("replay", str(file)))


def test_a_message_is_one_line_however_long(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 200)
    assert refused(run("replay", str(file))).count("\n") == 1


def test_a_crash_shows_no_values() -> None:
    assert app.pretty_exceptions_show_locals is False


def test_the_words_of_the_program_import_no_model_and_no_database() -> None:
    heavy = ("onnxruntime", "numpy", "sqlalchemy", "torch", "fastapi", "github")
    script = f"import sys, bot.cli; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
