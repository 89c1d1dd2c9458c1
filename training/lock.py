"""One process at a time writes into a directory; its lock says who.

The kernel drops the lock with the process, so that none outlives it, on this machine or on a common disk.
"""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bot.errors import UserError

log = logging.getLogger(__name__)

LOCK = ".lock"
PATIENCE = 5.0
"""Seconds: whoever held it may be on its way out, or somebody asks just now who it is."""


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Nobody else is let into `directory`, which is made, for the time of the block.

    Raises:
        UserError: somebody is there, or nothing can be.
    """
    path = directory / LOCK
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = _take(path, until=time.monotonic() + PATIENCE)
    except OSError as error:
        raise UserError(f"{directory}: no run can be kept there ({error.strerror}).") from None
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def holder(directory: Path) -> str:
    """Who is let into the directory, in words; "" where nobody is."""
    path = directory / LOCK
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _said(path) or "another process"
    except OSError:
        return ""
    return ""


def _said(path: Path) -> str:
    """It may go while we look."""
    with suppress(FileNotFoundError):
        return path.read_text(encoding="utf-8")
    return ""


def _take(path: Path, *, until: float) -> int:
    """The descriptor that holds the lock."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        if _lock(descriptor, path):
            if _is_still(path, descriptor):
                return descriptor
        elif time.monotonic() > until:
            os.close(descriptor)
            raise UserError(
                f"{path.parent} is being written by {holder(path.parent) or 'another process'}. "
                "Wait until it has ended, stop it, or give another --out."
            )
        else:
            time.sleep(0.1)
        os.close(descriptor)


def _lock(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        log.warning("%s: no locks there (%s); see that one fit alone writes", path, error.strerror)
    return True


def _is_still(path: Path, descriptor: int) -> bool:
    """Whoever let go took the file along, perhaps between our opening and our locking it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
