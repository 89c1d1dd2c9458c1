"""What processes that died left half-written, cleared away once nobody can be writing it any more."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from bot.jobs.rollout.leftovers import is_old

BEGUN = re.compile(r"\d{8}T\d{12}")
"""How the directory of a run is named."""
ARRIVING = ".arriving-"
LOST = 3 * 86_400.0
"""Seconds that a GPU box keeps a run which was lost: if it comes back, what it has saved is good."""


def clear_run(directory: Path, *, fitted: bool) -> None:
    """Of a run that the caller alone brings on: exports that broke off, and once it is fitted what boxes did
    not bring whole."""
    for left in directory.glob(".*"):
        if fitted or not left.name.startswith(ARRIVING):
            shutil.rmtree(left, ignore_errors=True)


def clear_begun(directory: Path) -> None:
    """Runs that died while their snapshot was cut, in the directory of all runs."""
    for left in directory.glob("*"):
        cut = (left / "snapshot" / "manifest.json").is_file()
        if BEGUN.fullmatch(left.name) and not cut and is_old(left):
            shutil.rmtree(left, ignore_errors=True)


def clear_boxes(directory: Path, *, but: Path) -> None:
    """Runs on a GPU box that were lost to another and did not come back."""
    for left in directory.glob("run-*"):
        if left != but and is_old(left, after=LOST):
            shutil.rmtree(left, ignore_errors=True)
