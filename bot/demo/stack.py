"""The whole product on loopback: embedded database, sandbox, receiver and worker, each the real thing.

The receiver and the worker are the commands that production runs, as processes of their own.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bot.errors import UserError
from bot.processes import running
from bot.sandbox.server import SandboxServer
from bot.store.engine import Database, open_database
from bot.store.migrate import migrate

START_TIMEOUT = 60.0
"""Seconds until the receiver and the worker must be ready, on the slowest machine we care for."""

POLL = 0.1

RATE_LIMIT = 1_000_000
"""Calls an hour: a run squeezes months of arrivals into minutes."""


@dataclass(frozen=True)
class Stack:
    """The running parts. `logs` holds what the processes printed."""

    database: Database
    sandbox: SandboxServer
    receiver_url: str
    logs: Path

    def tails(self) -> str:
        """The last lines of every process."""
        return _tails(self.logs)


@contextmanager
def running_stack(*, bundle: Path, data_dir: Path | None = None) -> Iterator[Stack]:
    """Start everything, yield it, stop everything; nothing is left behind but `data_dir` if given."""
    with ExitStack() as stack:
        home = data_dir or Path(stack.enter_context(_temporary_directory()))
        home.mkdir(parents=True, exist_ok=True)
        database = open_database(home, None)
        stack.callback(database.close)
        migrate(database)
        sandbox = stack.enter_context(
            SandboxServer(webhook_secret=secrets.token_hex(16), rate_limit=RATE_LIMIT)
        )
        port = _free_port()
        environment = environment_of(sandbox, home=home, bundle=bundle, port=port)
        for name in ("serve", "worker"):
            stack.enter_context(running(name, environment, log=home / f"{name}.log"))
        url = f"http://127.0.0.1:{port}"
        wait_until(
            lambda: _ready(url),
            what="the receiver and the worker",
            patience=START_TIMEOUT,
            logs=home,
        )
        sandbox.hook_url = f"{url}/webhook"
        yield Stack(database=database, sandbox=sandbox, receiver_url=url, logs=home)


@contextmanager
def _temporary_directory() -> Iterator[str]:
    path = tempfile.mkdtemp(prefix="labelwright-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def environment_of(
    sandbox: SandboxServer, *, home: Path, bundle: Path, port: int
) -> dict[str, str]:
    """The settings of the processes: the sandbox for GitHub, everything kept under `home`."""
    key_file = home / "app.pem"
    key_file.write_text(sandbox.private_key)
    key_file.chmod(0o600)
    ours = {
        "LABELWRIGHT_DATA_DIR": str(home),
        "LABELWRIGHT_GITHUB_API_URL": sandbox.url,
        "LABELWRIGHT_GITHUB_APP_ID": str(sandbox.app_id),
        "LABELWRIGHT_GITHUB_PRIVATE_KEY_FILE": str(key_file),
        "LABELWRIGHT_WEBHOOK_SECRETS": sandbox.webhook_secret,
        "LABELWRIGHT_PORT": str(port),
        "LABELWRIGHT_BUNDLE": str(bundle),
        # The sandbox sets no pace of its own; the demo measures GitHub's pace apart.
        "LABELWRIGHT_WRITE_INTERVAL": "0",
    }
    inherited = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    return {**inherited, **ours}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def wait_until(done: Callable[[], bool], *, what: str, patience: float, logs: Path) -> None:
    """Until `done` says so; UserError with what the processes wrote after `patience` seconds."""
    deadline = time.monotonic() + patience
    while not done():
        if time.monotonic() > deadline:
            raise UserError(f"{what} did not come in {patience:.0f} s; they said:\n{_tails(logs)}")
        time.sleep(POLL)


def _tails(logs: Path) -> str:
    """The last 15 lines of each."""
    found = {
        log.name: log.read_text(errors="replace").splitlines() for log in sorted(logs.glob("*.log"))
    }
    return "\n".join(f"--- {name}\n" + "\n".join(text[-15:]) for name, text in found.items())
