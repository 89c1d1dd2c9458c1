"""Pages read from GitHub, kept in a folder of this machine for a day, so that reading goes on where it stopped.

They hold issue texts, of private repositories too: only the user who reads may open them.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FRESH = timedelta(days=1)
"""Older pages are read again: labels moved on."""
STARTED = "started.json"


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as JSON, and the address of the next page."""

    rows: Sequence[Mapping[str, Any]]
    next: str | None


class KeptPages:
    """The pages of one repository. `source` names what was asked for; pages of another are dropped."""

    def __init__(self, folder: Path, *, source: str, fresh: bool = False) -> None:
        """`fresh`: read everything again."""
        self._folder = folder
        if fresh or not self._usable(source):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True, mode=0o700)
            started = {"source": source, "at": datetime.now(UTC).isoformat()}
            self._write(folder / STARTED, started)

    def load(self, kind: str, number: int) -> Page | None:
        """A kept page; None where it has to be read."""
        found = _read(self._folder / f"{kind}-{number:04}.json")
        return Page(found["rows"], found["next"]) if found else None

    def save(self, kind: str, number: int, page: Page) -> None:
        document = {"rows": list(page.rows), "next": page.next}
        self._write(self._folder / f"{kind}-{number:04}.json", document)

    def _usable(self, source: str) -> bool:
        found = _read(self._folder / STARTED)
        if not found or found["source"] != source:
            return False
        return datetime.now(UTC) - datetime.fromisoformat(found["at"]) < FRESH

    def _write(self, path: Path, document: Mapping[str, Any]) -> None:
        """Whole or not at all."""
        part = path.with_suffix(".part")
        part.write_text(json.dumps(document), encoding="utf-8")
        os.replace(part, path)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
