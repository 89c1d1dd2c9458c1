"""A process of its own that stops the embedded PostgreSQL when its last user is gone, however it went.

Run by path with the standard library only. Sleeps in the kernel, on a lock that the users share.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from pathlib import Path

STOP_TIMEOUT = 60.0


def guard(data_dir: Path) -> None:
    """Wait for the end of all users, then stop the server. Returns at once if it is guarded."""
    with (
        open(data_dir / "postgres.guardian", "w") as alone,
        open(data_dir / "postgres.users") as users,
        open(data_dir / "postgres.lock") as mutex,
    ):
        if not _lock(alone.fileno()):
            return
        while True:
            fcntl.flock(users, fcntl.LOCK_EX)
            # Whoever opens holds the mutex and waits for what we hold: give way.
            if _lock(mutex.fileno()):
                _stop(data_dir / "postgres" / "postmaster.pid")
                return
            fcntl.flock(users, fcntl.LOCK_UN)
            time.sleep(0.2)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stop(pid_file: Path) -> None:
    """PostgreSQL's fast shutdown; the pid file goes last."""
    try:
        os.kill(int(pid_file.read_text().split("\n", 1)[0]), signal.SIGINT)
    except (FileNotFoundError, ProcessLookupError):
        return
    deadline = time.monotonic() + STOP_TIMEOUT
    while pid_file.exists() and time.monotonic() < deadline:
        time.sleep(0.05)


if __name__ == "__main__" and os.fork() == 0:
    os.setsid()
    guard(Path(sys.argv[1]))
