"""What each label of a head did in the past where it was sure, and whether that earns it trust."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bot.core.bounds import upper_bound

MIN_RECORD = 5
"""Known pairs on which a label was sure, forward-chained, before it may be applied."""
DOUBT = (8.0, 2.0)
"""Right and wrong applications that every label is taken to have behind it: a prior of .8, so that
thin records do not vouch for themselves, and shifts within a small label do not break the promise."""
MUTING_DELTA = 0.05
"""Chance of muting a label that is as good as promised; muting takes away, so it spends nothing."""
MAX_UNKNOWN = 0.5
"""Share of a label's applications whose truth nobody settled, above which its record proves nothing."""


class Record:
    """What one label did where it was sure: its pairs by falling probability, right ones and known ones
    counted up."""

    def __init__(
        self, p: NDArray[np.float64], known: NDArray[np.int8], sure: NDArray[np.bool_]
    ) -> None:
        rows = np.flatnonzero(sure)
        rows = rows[np.argsort(-p[rows], kind="stable")]
        self.p = p[rows]
        self.right, self.known = np.cumsum(known[rows] > 0), np.cumsum(known[rows] != 0)

    def own_cut(self, target: float) -> float:
        """The lowest cut at which the record, with `DOUBT` added, reaches the target; infinite if it
        never does."""
        yes, no = DOUBT
        reached = self.right + yes >= target * (self.known + yes + no) - 1e-9
        good = np.flatnonzero(reached & (self.known > 0))
        return float(self.p[good[-1]]) if len(good) else np.inf

    def objection(self, target: float) -> str:
        """Why the label cannot be trusted with the target, in words for a maintainer; "" if it can."""
        right, n = (int(self.right[-1]), int(self.known[-1])) if len(self.p) else (0, 0)
        if len(self.p) < MIN_RECORD:
            return f"sure of it on {len(self.p)} past issues only, {MIN_RECORD} are needed"
        if n < max(MIN_RECORD, (1 - MAX_UNKNOWN) * len(self.p)):
            return (
                f"of {len(self.p)} past issues it would go to, {len(self.p) - n} carry no label of its"
                " family: nobody can say whether it is right"
            )
        if upper_bound(right, n, delta=MUTING_DELTA) < target:
            return f"right in {right} of {n} known cases, surely below {target:.0%}"
        return ""

    def doubt(self, target: float) -> str:
        """Why the label is not applied although nothing speaks against it; "" if it is."""
        if np.isfinite(self.own_cut(target)):
            return ""
        right, n = int(self.right[-1]), int(self.known[-1])
        return f"right in {right} of {n} known cases, too few to trust it with {target:.0%}"


def records_of(
    p: NDArray[np.float64], known: NDArray[np.int8], sure: NDArray[np.bool_]
) -> list[Record]:
    return [Record(p[:, j], known[:, j], sure[:, j]) for j in range(p.shape[1])]
