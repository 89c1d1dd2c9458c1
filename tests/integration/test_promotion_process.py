"""A promotion with real workers, one of which is killed in the middle; and the commands around it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.engine import make_url
from typer.testing import CliRunner, Result

from bot.classify.build import build_bundle
from bot.classify.bundle import read_bundle
from bot.classify.encoder import Encoder
from bot.classify.registry import EncoderCache, HeadCache
from bot.cli import app, terminal
from bot.cli.terminal import USER_ERROR_EXIT
from bot.doctor import examine
from bot.github.app import AppAuth
from bot.jobs.context import Context, open_context
from bot.jobs.learning import features
from bot.jobs.queue import TASK_EMBED
from bot.jobs.rollout.promotion import champion_dir, promote
from bot.jobs.tasks import TASKS
from bot.jobs.worker import Timing, run_worker
from bot.sandbox.server import SandboxServer
from bot.settings import Settings
from bot.store import beats, heads
from bot.store.engine import Database
from bot.web.app import create_app
from tests.integration.lessons import taught
from tests.integration.test_worker import eventually, working

SOON = Timing(poll=0.05, beat=0.1, dead_after=1.0)

Run = Callable[..., Result]


@pytest.fixture(scope="session")
def shorter_bundle(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("shorter") / "bundle"
    build_bundle(tiny_weights, out, max_tokens=12)
    return out


def dying_worker(url: str, app_id: int, key: str, api_url: str, old: str, new: str) -> None:
    """Kills itself with SIGKILL once eight issues are embedded for the challenger."""
    features.EMBED_AT_ONCE = 8
    database = Database(make_url(url))
    context = Context(
        database=database,
        auth=AppAuth(app_id, key, api_url=api_url),
        encoders=EncoderCache(Encoder.open(Path(old))),
        heads=HeadCache(),
        settling_days=7.0,
        write_interval=0.0,
    )
    with database.session() as session:
        encoder = context.encoder_of(session, new)
    encode, calls = encoder.encode, []

    def fatal(texts: Any) -> Any:
        calls.append(len(texts))
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return encode(texts)

    encoder.encode = fatal  # type: ignore[method-assign]
    tasks = {TASK_EMBED: partial(TASKS[TASK_EMBED], context)}
    run_worker(database, tasks, concurrency=1, timing=SOON)


def embedded(database: Database, bundle: str) -> int:
    with database.session() as session:
        statement = text("SELECT count(*) FROM vectors WHERE bundle = :bundle")
        return int(session.execute(statement, {"bundle": bundle}).scalar_one())


def serving(database: Database, repository_id: int) -> str:
    with database.session() as session:
        head = heads.active(session, repository_id)
    assert head is not None
    return head.bundle


def test_a_worker_that_is_killed_holds_no_promotion_up(
    context: Context,
    sandbox: SandboxServer,
    tiny_bundle: Path,
    shorter_bundle: Path,
    tmp_path: Path,
) -> None:
    repository_id, database = taught(context, sandbox, 40), context.database
    new = read_bundle(shorter_bundle).manifest.bundle_id
    with database.session() as session:
        session.execute(text("DELETE FROM procrastinate_jobs"))
    promote(database, shorter_bundle, bundles_dir=tmp_path / "place", configured=tiny_bundle)
    reached = (
        database.url,
        sandbox.app_id,
        sandbox.private_key,
        sandbox.url,
        str(tiny_bundle),
        new,
    )
    victim = multiprocessing.get_context("spawn").Process(target=dying_worker, args=reached)
    victim.start()
    victim.join(timeout=120)
    victim.kill()  # where it did not do so itself
    victim.join()
    assert victim.exitcode == -signal.SIGKILL
    assert embedded(database, new) == 8
    assert serving(database, repository_id) != new
    tasks = {name: partial(task, context) for name, task in TASKS.items()}
    with working(database, tasks, timing=SOON):
        eventually(lambda: serving(database, repository_id) == new)
    assert embedded(database, new) == 40


# -- commands and what an operator sees ---------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def run(database: Database, monkeypatch: pytest.MonkeyPatch, tiny_bundle: Path, place: Path) -> Run:
    monkeypatch.setattr(terminal, "configure_logging", lambda level: None)
    monkeypatch.setenv("LABELWRIGHT_DATA_DIR", str(place))
    monkeypatch.setenv("LABELWRIGHT_BUNDLE", str(tiny_bundle))
    monkeypatch.setenv("DATABASE_URL", database.url)
    environment = {"COLUMNS": "200", "NO_COLOR": "1"}
    return lambda *words: CliRunner().invoke(app, ["models", *words], env=environment)


def test_the_commands_promote_list_and_demote(
    run: Run, database: Database, tiny_bundle: Path, shorter_bundle: Path, place: Path
) -> None:
    old, new = (read_bundle(path).manifest.bundle_id for path in (tiny_bundle, shorter_bundle))
    assert "None was ever promoted" in run("bundles").output
    refused = run("demote")
    assert refused.exit_code == USER_ERROR_EXIT
    assert "nothing to go back to" in refused.output
    assert "takes over 0 repositories" in run("promote", str(shorter_bundle)).output
    listed = run("bundles").output
    assert [word in listed for word in (old, new, "champion", "previous")] == [True] * 4
    assert champion_dir(database, tiny_bundle) == place / "bundles" / new
    assert "is retired: too bold" in run("demote", "--why", "too bold").output
    assert "too bold" in run("bundles").output
    assert champion_dir(database, tiny_bundle) == place / "bundles" / old


def test_a_worker_starts_with_the_champion(
    run: Run,
    database: Database,
    sandbox: SandboxServer,
    tiny_bundle: Path,
    shorter_bundle: Path,
    place: Path,
) -> None:
    run("promote", str(shorter_bundle))
    settings = Settings(
        data_dir=place, bundle=tiny_bundle, github_app_id=1, github_private_key=sandbox.private_key
    )  # type: ignore[call-arg]
    context = open_context(settings, database)
    assert context.encoder.bundle_id == read_bundle(shorter_bundle).manifest.bundle_id
    assert len(context.encoders.open) == 1


def test_readiness_and_doctor_tell_which_bundle_serves_where(
    run: Run, database: Database, shorter_bundle: Path, place: Path
) -> None:
    new = read_bundle(shorter_bundle).manifest.bundle_id
    run("promote", str(shorter_bundle))
    with database.session() as session:
        beats.beat(session, "w1", bundle=new, backend="int8")
    with TestClient(create_app(database, webhook_secrets=["x"])) as client:
        told = client.get("/readyz").json()["checks"]["bundle"]["detail"]
    assert told.startswith(f"{new}/int8; champion {new} serves 0 repositories; previous ")

    def finding(what: str) -> tuple[bool, str]:
        settings = Settings(
            data_dir=place,
            DATABASE_URL=database.url,  # type: ignore[call-arg]
            bundle=place / "deleted",  # nobody needs it any more
        )
        (found,) = [finding for finding in examine(settings) if finding.what == what]
        return found.ok, found.says

    ok, says = finding("bundle")
    assert ok, says
    assert says.endswith(f"({new}) serves 0 repositories")
    ok, says = finding("database")
    assert ok, says
    assert "previous" in says
    (place / "bundles" / new / "tokenizer.json").write_text("{}")
    ok, says = finding("bundle")
    assert not ok
    assert "changed or cut short" in says
