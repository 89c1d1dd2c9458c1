"""What an encoder has learned from, as the file beside its weights tells, with all that came before it.

Refuses a file that cannot be read: nobody could tell then on which issues the vectors know the answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bot.errors import UserError

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

    def rows(
        self, repository: str, times: NDArray[np.float64], *, dated: bool = True
    ) -> NDArray[np.bool_] | None:
        """[n]: of issues filed at `times` [n] (seconds), those that the encoder may have learned from; None
        where it learned nothing of the repository. Without dates nobody can tell: all of them."""
        if repository not in self.seen:
            return None
        until = self.seen[repository]
        if until is None or not dated:
            return np.ones(len(times), dtype=np.bool_)
        return times <= until.timestamp()


UNKNOWN = Provenance()


def read_provenance(directory: Path) -> Provenance:
    """Of the encoder in a directory; UserError if it is there and cannot be read."""
    path = directory / PROVENANCE
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
