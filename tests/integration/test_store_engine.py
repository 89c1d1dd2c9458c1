"""Opening the database: embedded by default, shared by processes, stopped by the last."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from bot.errors import UserError
from bot.store.embedded import _drop_stale_pid
from bot.store.engine import Database, open_database, parse_url

OPEN_AND_WAIT = """
import sys
from pathlib import Path
from bot.store.engine import open_database
database = open_database(Path(sys.argv[1]), None)
print(database.url, flush=True)
sys.stdin.readline()
database.close()
"""


@pytest.fixture
def data_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="labelwright-test-"))
    yield folder
    shutil.rmtree(folder)


def open_elsewhere(data_dir: Path) -> subprocess.Popen[str]:
    """Another process, in an empty environment and with warnings fatal, that opens and waits."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", OPEN_AND_WAIT, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )


def server_runs(data_dir: Path) -> bool:
    return (data_dir / "postgres" / "postmaster.pid").exists()


def test_processes_share_one_server_and_the_last_stops_it(data_dir: Path) -> None:
    others = [open_elsewhere(data_dir) for _ in range(2)]
    database = open_database(data_dir, None)
    urls = {other.stdout.readline().strip() for other in others}
    assert urls == {database.url}
    for other in others:
        other.communicate("go\n")
        assert other.returncode == 0
    with database.session() as session:
        assert session.connection().exec_driver_sql("SELECT 1").scalar() == 1
    database.close()
    assert not server_runs(data_dir)


def test_a_killed_process_leaves_no_server(data_dir: Path) -> None:
    other = open_elsewhere(data_dir)
    other.stdout.readline()
    other.send_signal(signal.SIGKILL)
    other.communicate()
    await_stop(data_dir)


def test_the_server_of_a_killed_process_serves_on_while_others_use_it(data_dir: Path) -> None:
    starter = open_elsewhere(data_dir)
    url = starter.stdout.readline().strip()
    database = open_database(data_dir, None)
    starter.send_signal(signal.SIGKILL)
    starter.communicate()
    third = open_database(data_dir, None)
    assert database.url == third.url == url
    for opened in (database, third):
        with opened.session() as session:
            assert session.connection().exec_driver_sql("SELECT 1").scalar() == 1
    database.close()
    assert server_runs(data_dir)
    third.close()
    assert not server_runs(data_dir)


def await_stop(data_dir: Path) -> None:
    deadline = time.monotonic() + 60
    while server_runs(data_dir):
        assert time.monotonic() < deadline, "the server was left behind"
        time.sleep(0.05)


def test_opening_while_the_guardian_stops_the_server(data_dir: Path) -> None:
    for _ in range(3):
        other = open_elsewhere(data_dir)
        other.stdout.readline()
        other.kill()
        other.communicate()
        database = open_database(data_dir, None)
        with database.session() as session:
            assert session.connection().exec_driver_sql("SELECT 1").scalar() == 1
        database.close()
        assert not server_runs(data_dir)


def test_a_process_that_ends_without_closing_leaves_no_server(data_dir: Path) -> None:
    script = OPEN_AND_WAIT.replace("database.close()", "")
    command = [sys.executable, "-c", script, str(data_dir)]
    subprocess.run(command, input="go\n", text=True, check=True, capture_output=True)
    assert (data_dir / "postgres").exists()
    assert not server_runs(data_dir)


def test_open_close_open_in_one_process(data_dir: Path) -> None:
    open_database(data_dir, None).close()
    database = open_database(data_dir, None)
    with database.session() as session:
        assert session.connection().exec_driver_sql("SELECT 1").scalar() == 1
    database.close()
    database.close()
    assert not server_runs(data_dir)


def test_a_pid_file_that_names_another_program_is_dropped(tmp_path: Path) -> None:
    pid_file = tmp_path / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n/somewhere\n")
    _drop_stale_pid(pid_file)
    assert not pid_file.exists()
    _drop_stale_pid(pid_file)


def test_a_url_is_opened_as_it_is(database: Database, tmp_path: Path) -> None:
    opened = open_database(tmp_path, database.url)
    assert opened.url == database.url
    opened.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://somewhere/x", "mysql is not supported"),
        ("no url at all", "not a URL"),
        ("postgresql://127.0.0.1:1/x", "cannot connect"),
    ],
)
def test_an_unusable_url_is_refused_politely(tmp_path: Path, url: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as refused:
        open_database(tmp_path, url)
    assert "DATABASE_URL" in str(refused.value)


def test_the_driver_in_a_url_does_not_matter() -> None:
    for url in ("postgres://u:p@h/x", "postgresql+asyncpg://u:p@h/x", "postgresql://u:p@h/x"):
        assert Database(parse_url(url)).url == "postgresql://u:p@h/x"


def test_a_session_is_one_transaction(database: Database) -> None:
    def write_and_fail(session: Session) -> None:
        session.execute(text("CREATE TABLE gone (id int)"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), database.session() as session:
        write_and_fail(session)
    with psycopg.connect(database.url) as connection:
        assert connection.execute("SELECT to_regclass('gone')").fetchone() == (None,)
