"""What a choice of cuts knows of the choices before it, and how much of delta is left for it.

Cuts are chosen at every refit. A choice proves something new only where evidence has grown; in between it
spends nothing and holds the rank that was proved. What practice disproves is tightened or muted at once.
Refuses to try its luck again on the same evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import pi

import numpy as np
from numpy.typing import NDArray

from bot.classify.expectation import Expectation
from bot.core.bounds import upper_bound
from bot.core.sequence import disproved
from bot.core.unbiased import Practice

NEW_PAIRS = 50
"""Known pairs that must have come since the last proof before there is another."""
LATELY = 25
LATELY_DELTA = 0.01
"""So many of the newest known applications are asked by themselves, and the chance that they speak against
a promise that is kept: triage can change from one month to the next, and a record of years hides it."""
MEMORY = 90 * 86400.0
"""Seconds that practice is remembered: a label that it muted gets another chance by its record, and what was
the newest evidence that long ago is no longer of today."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier choices left behind, and what came of them since.

    `choice`: number of this one among those that prove; `proves`: whether it is one of them. `pairs`:
    known pairs it may look at. `held`: preset of the rank that was proved. `stricter_than`: preset whose
    promise was seen to break: only stricter ones may be chosen. `broken`: label -> why, where practice
    disproved it. `since`: when the promise was last seen to break (seconds); practice counts from it.
    """

    choice: int = 1
    proves: bool = True
    pairs: int = 0
    held: float | None = None
    stricter_than: float | None = None
    broken: Mapping[str, str] = field(default_factory=dict)
    since: float | None = None

    def spends(self, delta: float) -> float:
        """The part of `delta` that this choice may use; what all choices ever make use of is less than
        all of it, as 6 / (pi k)^2 sums to 1."""
        return delta * 6 / (pi * self.choice) ** 2 if self.proves else 0.0


def choice_after(
    previous: Expectation | None,
    *,
    pairs: int,
    target: float,
    made: int = 0,
    comparable: bool = True,
) -> Earlier:
    """The choice that follows the one that `previous` came from. Another target, or scores that are not
    `comparable` (another encoder), void what was proved; what was spent stays spent. `made`: the most choices
    that any head of the repository came after, for the one that serves may have been rolled back to."""
    if previous is None:
        return Earlier(choice=made + 1, pairs=pairs)
    same = comparable and previous.target == target
    proves = not same or abs(pairs - previous.pairs) >= NEW_PAIRS
    return Earlier(
        choice=max(made, previous.choice) + proves,
        proves=proves,
        pairs=pairs if proves else previous.pairs,
        held=previous.rank if same else None,
        since=previous.since,
    )


def heed_practice(
    earlier: Earlier,
    practice: Practice,
    labels: Sequence[str],
    *,
    filed: NDArray[np.float64],
    now: float,
    target: float,
    delta: float,
) -> Earlier:
    """Tighten, and mute labels, where less than `target` of what was applied is provably right.

    `practice` [n, L] of `labels`; `filed` [n]: when its issues were filed, seconds. Half of `delta` is
    for the pool, half for all labels together, each at all times.
    """
    lately = filed > max(now - MEMORY, earlier.since or 0.0)
    wrong, looked = (counts[lately] for counts in practice.errors())
    used: list[int] = np.flatnonzero(looked.any(axis=0)).tolist()
    level = delta / 2 / max(1, len(used))
    broken = {
        labels[j]: _told(wrong[:, j], looked[:, j], target)
        for j in used
        if _broken(wrong[:, j], looked[:, j], target, level)
    }
    found = replace(earlier, broken=broken)
    if earlier.held is None or not _broken(wrong.sum(1), looked.sum(1), target, delta / 2):
        return found
    return replace(found, stricter_than=earlier.held, since=now)


def turned_lately(right: NDArray[np.bool_], *, target: float) -> str:
    """Why a record no longer tells of today, from the known pairs that its cuts would have applied,
    oldest first; "" if it does."""
    newest = int(right[-LATELY:].sum())
    if len(right) < LATELY or upper_bound(newest, LATELY, delta=LATELY_DELTA) >= target:
        return ""
    return (
        f"of the newest {LATELY} known cases {newest} were right, surely below {target:.0%}: nothing is applied"
        " until newer ones are right, or none came for 90 days"
    )


def _broken(
    wrong: NDArray[np.float64], looked: NDArray[np.float64], target: float, delta: float
) -> bool:
    seen = looked > 0
    return disproved(wrong[seen], looked[seen], target=target, delta=delta)


def _told(wrong: NDArray[np.float64], looked: NDArray[np.float64], target: float) -> str:
    return (
        f"of {looked.sum():.0f} applied lately {wrong.sum():.0f} are known to be wrong, "
        f"provably more than {target:.0%} right allows"
    )
