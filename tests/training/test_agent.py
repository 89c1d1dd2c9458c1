"""A GPU box against the real receiver over HTTP: pulls, fits, brings back, gives way."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from bot.errors import UserError
from bot.store import runs
from bot.store.engine import Database
from bot.web.app import create_app
from training import agent
from training.agent import Leased, Lost, Server, work_once
from training.cli import app
from training.launch import FitFailed, FitRefused, OnProgress, Work
from training.launch.pull import Pull

TOKEN = "let me in"


@contextmanager
def serving(database: Database) -> Iterator[str]:
    """The receiver on a loopback port."""
    bound = socket.create_server(("127.0.0.1", 0))
    application = create_app(database, webhook_secrets=["s"], agent_tokens=[TOKEN])
    server = uvicorn.Server(uvicorn.Config(application, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{bound.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=10)


@pytest.fixture
def url(database: Database) -> Iterator[str]:
    with serving(database) as address:
        yield address


@pytest.fixture
def server(url: str) -> Iterator[Server]:
    server = Server(url, TOKEN)
    yield server
    server.close()


@pytest.fixture
def run(database: Database, tmp_path: Path) -> int:
    directory = tmp_path / "run"
    (directory / "snapshot").mkdir(parents=True)
    (directory / "snapshot" / "issues.parquet").write_bytes(b"i" * 3_000_000)
    (directory / "recipe.json").write_text("{}")
    with database.session() as session:
        return runs.create(
            session, reason="weekly", launcher="agent", directory=directory, snapshot="abc"
        )


@dataclass
class Writes:
    """A launcher of this test: writes what a fit would, and does what the test wants meanwhile."""

    meanwhile: Callable[[Work, OnProgress], None] = lambda work, beat: None
    seen: list[bytes] = field(default_factory=list)

    def fit(self, work: Work, *, on_progress: OnProgress) -> None:
        self.seen.append((work.snapshot / "issues.parquet").read_bytes())
        (work.out / "encoder").mkdir(parents=True)
        (work.out / "encoder" / "model.safetensors").write_bytes(b"w" * 2_500_000)
        (work.out / "checkpoint").mkdir()
        (work.out / "checkpoint" / "state").write_bytes(b"big")
        on_progress({"step": 1})
        self.meanwhile(work, on_progress)
        (work.out / "done.json").write_text("{}")


class Whole:
    """As a launcher does where all is done already."""

    def fit(self, work: Work, *, on_progress: OnProgress) -> None:
        assert work.whole()


def status(database: Database, run: int) -> str:
    with database.session() as session:
        return runs.get(session, run).status


def take_away(database: Database, run: int) -> None:
    with database.session() as session:
        runs.get(session, run).leased_until = datetime.now(UTC) - timedelta(seconds=1)
        assert runs.lease(session, launcher="agent", by="another")


def test_the_box_brings_what_the_operator_waits_for(
    server: Server, database: Database, run: int, tmp_path: Path
) -> None:
    fits = Writes()
    told: list[object] = []
    waits = threading.Thread(
        target=Pull(database, run, poll=0.05).fit,
        args=(Work(tmp_path / "run"),),
        kwargs={"on_progress": told.append},
    )
    waits.start()
    assert work_once(server, fits, tmp_path / "box")
    waits.join(timeout=10)
    assert not waits.is_alive()
    assert fits.seen == [b"i" * 3_000_000]
    fit = tmp_path / "run" / "fit"
    assert (fit / "encoder" / "model.safetensors").stat().st_size == 2_500_000
    assert sorted(path.name for path in fit.iterdir()) == ["done.json", "encoder"]
    assert status(database, run) == "fitted"
    assert not work_once(server, fits, tmp_path / "box")
    assert list((tmp_path / "box").iterdir()) == []


def test_a_run_that_was_taken_away_is_stopped(
    server: Server,
    database: Database,
    run: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(agent, "BEAT", 0.0)

    def meanwhile(work: Work, beat: OnProgress) -> None:
        take_away(database, run)
        beat({"step": 2})
        raise AssertionError("it went on")

    with pytest.raises(Lost, match="not leased to you"):
        work_once(server, Writes(meanwhile), tmp_path / "box")
    assert not (tmp_path / "run" / "fit").exists()


def test_a_failed_fit_is_told(server: Server, database: Database, run: int, tmp_path: Path) -> None:
    def meanwhile(work: Work, beat: OnProgress) -> None:
        raise FitFailed("the loss became nan in step 7")

    assert work_once(server, Writes(meanwhile), tmp_path / "box")
    with database.session() as session:
        row = runs.get(session, run)
        assert (row.status, row.outcome) == ("waiting", "the loss became nan in step 7")


@pytest.mark.parametrize(
    "refused", [FitRefused("one class alone"), UserError("pairs.parquet is no Parquet file")]
)
def test_what_no_retry_can_help_ends_the_run(
    server: Server, database: Database, run: int, tmp_path: Path, refused: Exception
) -> None:
    def meanwhile(work: Work, beat: OnProgress) -> None:
        raise refused

    assert work_once(server, Writes(meanwhile), tmp_path / "box")
    assert not work_once(server, Writes(), tmp_path / "box")
    assert status(database, run) == "failed"


def test_a_full_disk_on_the_box_is_told(
    server: Server, database: Database, run: int, tmp_path: Path
) -> None:
    def meanwhile(work: Work, beat: OnProgress) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert work_once(server, Writes(meanwhile), tmp_path / "box")
    with database.session() as session:
        row = runs.get(session, run)
        assert row.status == "waiting"
        assert "No space left on device" in row.outcome
    assert list((tmp_path / "box").iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "ending", "told"),
    [
        (httpx.Response(507, json={"detail": "w cannot be kept"}), "waiting", "507: w cannot be"),
        (httpx.Response(413, text="<html>"), "failed", "413: Request Entity Too Large"),
    ],
)
def test_what_the_server_does_not_take_is_told_and_kept(
    server: Server,
    database: Database,
    run: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: httpx.Response,
    ending: str,
    told: str,
) -> None:
    """It took hours on a GPU, and what stands in its way is on the other side."""
    with monkeypatch.context() as full:
        answer.request = httpx.Request("PUT", "https://labels.example.org")
        full.setattr(server._http, "put", lambda *_, **__: answer)
        assert work_once(server, Writes(), tmp_path / "box")
    with database.session() as session:
        row = runs.get(session, run)
        assert (row.status, told in row.outcome) == (ending, True), row.outcome
        runs.reopen(session, run, fitted=False)
    assert work_once(server, Whole(), tmp_path / "box")
    assert status(database, run) == "fitted"


def test_long_transfers_keep_the_lease(
    server: Server, run: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file may take longer than a lease lasts."""
    monkeypatch.setattr(agent, "BEAT", 0.0)
    told: list[object] = []
    monkeypatch.setattr(server, "heartbeat", lambda leased, progress: told.append(progress))
    assert work_once(server, Writes(), tmp_path / "box")
    assert told.count({"fetching": "snapshot/issues.parquet"}) >= 3
    assert told.count({"bringing": "encoder/model.safetensors"}) >= 3


def test_a_fit_of_other_files_is_not_brought(server: Server, run: int, tmp_path: Path) -> None:
    """Another server, or a new database, may number another run alike."""
    old = tmp_path / "box" / f"run-{run}"
    (old / "fit").mkdir(parents=True)
    (old / "fit" / "done.json").write_text("of another run")
    (old / "recipe.json").write_text("of another run")

    def meanwhile(work: Work, beat: OnProgress) -> None:
        assert not work.whole()

    assert work_once(server, Writes(meanwhile), tmp_path / "box")
    assert (tmp_path / "run" / "fit" / "done.json").read_text() == "{}"


def test_what_was_lost_long_ago_is_cleared_away(server: Server, run: int, tmp_path: Path) -> None:
    box = tmp_path / "box"
    for name, old in (("run-77", True), ("run-78", False), (f"run-{run}", True), ("mine", True)):
        (box / name / "fit").mkdir(parents=True)
        for path in (box / name / "fit", box / name):
            os.utime(path, (0, 0) if old else None)
    seen: list[str] = []

    def meanwhile(work: Work, beat: OnProgress) -> None:
        seen.extend(sorted(path.name for path in box.iterdir()))

    assert work_once(server, Writes(meanwhile), box)
    assert seen == sorted(["mine", "run-78", f"run-{run}"])


@pytest.mark.parametrize("name", ["../escape", "/etc/escape", "a/../../escape"])
def test_no_name_leads_out_of_the_box(
    server: Server, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_download", lambda *_: pytest.fail("it was fetched"))
    with pytest.raises(UserError, match="escape"):
        server.fetch(Leased(1, "l", {name: "0"}), tmp_path / "box", beat=print)


def test_the_operator_hears_why_a_run_was_given_up(database: Database, run: int) -> None:
    with database.session() as session:
        runs.finish(session, run, "failed", "3 fits died without a word")
    with pytest.raises(FitFailed, match="3 fits died"):
        Pull(database, run, poll=0.01).fit(Work(Path("nowhere")), on_progress=print)


def test_a_run_that_no_box_comes_for_is_told(
    database: Database, run: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with database.session() as session:
        runs.get(session, run).created_at -= 2 * runs.ALONE

    def enough(told: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Pull(database, run, poll=0.01).fit(Work(tmp_path / "run"), on_progress=enough)
    assert "nobody has fitted it since" in caplog.text


def test_a_database_that_is_away_ends_no_wait(
    database: Database, run: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, told = Work(tmp_path / "run"), []

    def away(*_: object) -> None:
        raise OperationalError("SELECT 1", {}, ConnectionError())

    def on_progress(progress: object) -> None:
        told.append(progress)
        monkeypatch.undo()
        work.out.mkdir()
        (work.out / "done.json").write_text("{}")

    monkeypatch.setattr(runs, "look_after", away)
    Pull(database, run, poll=0.01).fit(work, on_progress=on_progress)
    assert told == [{}]


def test_a_server_out_of_reach_for_a_while_is_not_an_end(
    database: Database, run: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "BEAT", 0.0)
    transport = httpx.HTTPTransport()
    with serving(database) as address:
        server = Server(address, TOKEN, transport=transport)

        def meanwhile(work: Work, beat: OnProgress) -> None:
            with monkeypatch.context() as away:
                away.setattr(transport, "handle_request", _refuse)
                beat({"step": 2})

        assert work_once(server, Writes(meanwhile), tmp_path / "box")
        server.close()
    assert status(database, run) == "fitted"


def _refuse(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("the network is away", request=request)


def test_a_wrong_token_is_named(url: str) -> None:
    server = Server(url, "wrong")
    with pytest.raises(UserError, match="LABELWRIGHT_AGENT_TOKENS"):
        server.lease()
    server.close()


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    with socket.socket() as deaf:  # bound, so that nobody else comes to listen there
        deaf.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        words = ["agent", "--server", url, "--token-file", str(token), "--once"]
        answer = CliRunner().invoke(app, [*words, "--directory", str(tmp_path / "box")])
    assert (answer.exit_code, f"{url} is out of reach" in answer.output) == (2, True)


def test_the_token_never_crosses_a_network_in_clear(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    words = ["agent", "--server", "http://127.0.0.1.example.org", "--token-file", str(token)]
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 2
    assert "use https" in answer.output


def test_a_box_without_a_place_takes_no_run(
    url: str, database: Database, run: int, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    words = ["agent", "--server", url, "--token-file", str(token), "--directory", str(token)]
    answer = CliRunner().invoke(app, [*words, "--once"])
    assert (answer.exit_code, "no run can be kept there" in answer.output) == (2, True)
    assert status(database, run) == "waiting"
