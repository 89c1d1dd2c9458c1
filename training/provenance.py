"""What an encoder has learned from, kept beside its weights with all that came before it.

Refuses to go on from an encoder that has seen the issues which are to judge what becomes of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bot.errors import UserError
from training.snapshot.read import RepositoryData, Snapshot

PROVENANCE = "provenance.json"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Empty for weights that none of our fits made."""

    snapshots: tuple[str, ...] = ()
    """Ids, oldest first."""
    seen: Mapping[str, datetime | None] = field(default_factory=dict)
    """Repository -> when the newest issue was filed that it learned from; None: its issues bear no time."""

    def text(self) -> str:
        told = {"snapshots": self.snapshots, "seen": dict(self.seen)}
        return json.dumps(told, indent=1, default=datetime.isoformat) + "\n"


UNKNOWN = Provenance()


def read_provenance(encoder: Path) -> Provenance:
    """Of the encoder in a directory; UserError if it is there and cannot be read."""
    path = encoder / PROVENANCE
    if not path.is_file():
        return UNKNOWN
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        seen = {name: at and datetime.fromisoformat(at) for name, at in told["seen"].items()}
        return Provenance(tuple(told["snapshots"]), seen)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} cannot be read ({error}): nobody can tell what this encoder has seen. Give another "
            "encoder, or that fit's output as it was."
        ) from None


def learned(before: Provenance, snapshot: Snapshot) -> Provenance:
    """Of what is fitted on the snapshot from an encoder with the provenance `before`.

    Raises:
        UserError: that encoder has seen part of what the snapshot keeps to evaluate by.
    """
    if set(before.snapshots) != {snapshot.id}:  # of that itself it has seen the training part alone
        for data in snapshot.repositories:
            _check_unseen(before, data)
    seen = dict(before.seen)
    for data in snapshot.repositories:
        newest = _newest(data)
        earlier = seen.get(data.name, newest)
        seen[data.name] = max(newest, earlier) if newest and earlier else None
    snapshots = (*(id for id in before.snapshots if id != snapshot.id), snapshot.id)
    return Provenance(snapshots, dict(sorted(seen.items())))


def _check_unseen(before: Provenance, data: RepositoryData) -> None:
    window = data.facts.window
    if window is None or data.name not in before.seen:
        return
    until = before.seen[data.name]
    if until is None or window.first is None:
        told = f"learned from {data.name}, whose issues bear no time,"
    elif until < window.first:
        return
    else:
        told = f"has seen {data.name} until {until:%Y-%m-%d}, and is to be judged from {window.first:%Y-%m-%d} on,"
    raise UserError(
        f"The recipe's encoder {told} by the snapshots {', '.join(before.snapshots)}: its successor would be "
        "judged by what it knows. Cut the snapshot with `--after` the one it learned from, or start from "
        "another encoder."
    )


def _newest(data: RepositoryData) -> datetime | None:
    """Of all that a fit may read; the evaluation part it never does."""
    times = [issue.created_at for issue in data.take("train", "unlabelled").issues]
    dated = data.facts.ordered_by == "time"
    return max((at for at in times if at is not None), default=None) if dated else None
