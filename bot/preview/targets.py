"""Which promise fits: what each would have brought, and the highest that still covers enough to be useful."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.core.bounds import p_value
from bot.core.measure import Measure, measure
from bot.preview.ledger import Ledger

TARGETS = (0.95, 0.9, 0.85, 0.8)
"""Promises that a preview tries; more would pick the luckiest."""
STANDARD = 0.9
USEFUL = 0.2
"""Share of issues that must get a label for a promise to be worth switching on."""
OF_THE_BEST = 2 / 3
"""... and at least this much of what the promise that covers most would give."""
MOST_UNKNOWN = 0.5
"""Share of the applied labels on which nobody took a stand, above which the known ones vouch for too little."""
REFUTED = 0.05
"""A promise is refuted where so many wrong labels had less than this chance, were it true."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A promise and what came of it."""

    target: float
    measure: Measure

    @property
    def p_broken(self) -> float:
        """Chance of at least so many wrong labels, were the promise true: small means that it broke."""
        known = self.measure.right + self.measure.wrong
        return p_value(self.measure.wrong, known, target=1 - self.target) if known else 1.0

    @property
    def holds(self) -> bool:
        return self.measure.applied > 0 and self.p_broken > REFUTED

    def as_dict(self) -> dict[str, Any]:
        return {
            "promised": self.target,
            **self.measure.as_dict(),
            "p_broken": self.p_broken,
            "holds": self.holds,
        }


def kept(ledger: Ledger, target: float) -> Kept:
    return Kept(target, measure(ledger.applied[target], ledger.known))


def fitting(found: Sequence[Kept]) -> float | None:
    """The highest promise that held and is useful; None where none is."""
    held = [one for one in found if one.holds and (one.measure.unknown_share or 0) <= MOST_UNKNOWN]
    most = max((one.measure.coverage or 0.0 for one in held), default=0.0)
    enough = max(USEFUL, OF_THE_BEST * most)
    return max(
        (one.target for one in held if (one.measure.coverage or 0.0) >= enough), default=None
    )


def by_target(ledger: Ledger) -> Mapping[float, Kept]:
    return {target: kept(ledger, target) for target in ledger.applied}
