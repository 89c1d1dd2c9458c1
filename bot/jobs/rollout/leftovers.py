"""Tells what processes that died left half-written from what somebody is writing just now."""

from __future__ import annotations

import time
from pathlib import Path

OLD = 86_400.0
"""Seconds without a write after which whoever wrote is gone; a copy takes minutes."""


def is_old(path: Path, *, after: float = OLD) -> bool:
    """Nothing in it was written for so many seconds."""
    try:
        times = [one.lstat().st_mtime for one in (path, *path.rglob("*"))]
    except FileNotFoundError:  # it goes just now
        return False
    return time.time() - max(times) > after
