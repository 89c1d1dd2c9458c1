"""What a choice of cuts knows of the choices before it, and how much of delta is left for it.

Cuts are chosen at every refit. A choice proves something new only where evidence has grown; in between it
spends nothing and holds the rank that was proved. Refuses to try its luck again on the same evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import pi

from bot.classify.expectation import Expectation

NEW_PAIRS = 50
"""Known pairs that must have come since the last proof before there is another."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier choices left behind, and what came of them since.

    `choice`: number of this one among those that prove; `proves`: whether it is one of them. `pairs`:
    known pairs it may look at. `held`: preset of the rank that was proved. `stricter_than`: preset whose
    promise was seen to break: only stricter ones may be chosen. `broken`: label -> why, where practice
    disproved it. `since`: when the promise was last seen to break, as ISO time; practice counts from it.
    """

    choice: int = 1
    proves: bool = True
    pairs: int = 0
    held: float | None = None
    stricter_than: float | None = None
    broken: Mapping[str, str] = field(default_factory=dict)
    since: str | None = None

    def spends(self, delta: float) -> float:
        """The part of `delta` that this choice may use; what all choices ever make use of is less than
        all of it, as 6 / (pi k)^2 sums to 1. Four fifths are for the first, which has the least evidence."""
        if not self.proves:
            return 0.0
        return 0.8 * delta if self.choice == 1 else 0.2 * delta * 6 / (pi * (self.choice - 1)) ** 2


def choice_after(
    previous: Expectation | None, *, pairs: int, target: float, comparable: bool = True
) -> Earlier:
    """The choice that follows the one that `previous` came from. Another target, or scores that are not
    `comparable` (another encoder), void what was proved; what was spent stays spent."""
    if previous is None:
        return Earlier(pairs=pairs)
    same = comparable and previous.target == target
    proves = not same or abs(pairs - previous.pairs) >= NEW_PAIRS
    return Earlier(
        choice=previous.choice + proves,
        proves=proves,
        pairs=pairs if proves else previous.pairs,
        held=previous.rank if same else None,
        since=previous.since,
    )
