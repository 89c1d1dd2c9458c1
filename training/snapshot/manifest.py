"""What a snapshot says of itself: hashes, counts, windows, provenance. Reads and checks that alone.

Refuses formats and text versions it does not know, and a manifest whose id does not follow from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from bot.classify.bundle import MANIFEST
from bot.core.text import TEXT_VERSION
from bot.errors import UserError

FORMAT = 1
ADVICE = "cut the snapshot again with `labelwright-train snapshot`, or copy it again"


@dataclass(frozen=True, slots=True)
class Window:
    """When the evaluation part of a repository was filed; None where its issues bear no time."""

    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class RepositoryFacts:
    """What a snapshot says of one repository."""

    name: str
    source: str
    """`store`, or the name of the file it was read from."""
    target: float
    """The precision that its rules promise."""
    exclusive: tuple[tuple[str, ...], ...]
    ordered_by: Literal["time", "number", "file"]
    counts: Mapping[str, int]
    """Issues per part."""
    window: Window | None
    """None: no issue of it is in the evaluation part."""
    newest: datetime | None = None
    """When the newest of its issues was filed, whatever its part."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot says of itself. Everything but `cut_at` follows from what it was cut from."""

    id: str
    text_version: int
    files: Mapping[str, str]
    """File name -> sha256 of its bytes."""
    repositories: tuple[RepositoryFacts, ...]
    counts: Mapping[str, int]
    provenance: Mapping[str, int]
    """Pairs by who their value comes from."""
    time_range: tuple[datetime | None, datetime | None]
    left_out: Mapping[str, int]
    """Reason -> issues that are not in it."""
    sources: Mapping[str, str]
    """Files it was cut from -> sha256; empty for one from the store."""
    settings: Mapping[str, float]
    cut_at: datetime
    format: int = FORMAT

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read_manifest(directory: Path) -> Manifest:
    """The manifest alone, the files not looked at; UserError as `read_snapshot`."""
    manifest = read_any_text(directory)
    if manifest.text_version != TEXT_VERSION:
        raise UserError(
            f"{directory} holds issue texts of version {manifest.text_version}, this is version "
            f"{TEXT_VERSION}: {ADVICE.partition(',')[0]}"
        )
    return manifest


def read_any_text(directory: Path) -> Manifest:
    """The same, of whatever text version: what was seen in other words was seen."""
    path = directory / MANIFEST
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise UserError(
            f"No snapshot at {directory}; cut one with `labelwright-train snapshot --out`"
        ) from None
    except ValueError:
        raise UserError(f"{path} is not JSON; {ADVICE}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise UserError(f"{path} is not a snapshot of format {FORMAT}; {ADVICE}")
    try:
        manifest = _manifest(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} lacks or does not know a key ({error}); {ADVICE}") from None
    if manifest.id != snapshot_id(manifest.files, manifest.text_version, manifest.repositories):
        raise UserError(f"{path} was changed: its id does not follow from its contents; {ADVICE}")
    return manifest


def snapshot_id(
    files: Mapping[str, str], text_version: int, repositories: tuple[RepositoryFacts, ...]
) -> str:
    """Twelve hex digits over all that training sees."""
    parts = [dict(files), text_version, [asdict(facts) for facts in repositories]]
    text = json.dumps(parts, sort_keys=True, default=datetime.isoformat)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _manifest(document: dict[str, Any]) -> Manifest:
    return Manifest(
        **{
            **document,
            "repositories": tuple(_facts(row) for row in document["repositories"]),
            "time_range": tuple(_time(value) for value in document["time_range"]),
            "cut_at": datetime.fromisoformat(document["cut_at"]),
        }
    )


def _facts(row: dict[str, Any]) -> RepositoryFacts:
    window = row["window"]
    return RepositoryFacts(
        **{
            **row,
            "exclusive": tuple(tuple(group) for group in row["exclusive"]),
            "window": window and Window(_time(window["first"]), _time(window["last"])),
            "newest": _time(row.get("newest")),
        }
    )


def _time(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)
