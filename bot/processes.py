"""Runs our own commands as child processes and stops them in order."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

STOP_TIMEOUT = 15.0
"""Seconds a child has to finish its current job after SIGTERM."""


@contextmanager
def running(
    command: str, environment: Mapping[str, str], *, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """`labelwright <command>` while the block runs; its output goes to `log`, or where ours goes."""
    output = log.open("wb") if log else None
    process = subprocess.Popen(  # noqa: S603 - our own command, no shell
        [sys.executable, "-m", "bot.cli", command],
        env=dict(environment),
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        start_new_session=True,  # Ctrl-C reaches the parent alone, which stops the children in order
    )
    try:
        yield process
    finally:
        stop(process)
        if output:
            output.close()


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL for who does not listen."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
