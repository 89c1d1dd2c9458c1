"""What came of the promise where nothing of ours shaped the truth: shares with bounds, weighed by how
rarely an issue was left alone. Where we acted only a lower bound on error can be had, and no more is said.

Ratio estimates with inverse-propensity weights (Horvitz and Thompson 1952), issues as clusters; bounds by
Clopper-Pearson at the effective sample size (Korn and Graubard 1998).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.core.bounds import lower_bound, upper_bound
from bot.core.evidence import KnownPairs

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Share:
    """An estimated share, `low` and `high` at confidence 1 - delta together; `n` counts what was seen.
    `value` is None where nothing was."""

    value: float | None
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Practice:
    """What was decided on issues that arrived, in order of arrival, and what humans made of them.

    `applied` [n, L]: pairs decided to be applied. `known` [n, L]: +1, -1, 0 by humans alone. `weights`
    [n]: issues that each stands for; 0 where we acted, where `applied` was really set.
    """

    applied: Flags
    known: KnownPairs
    weights: Floats

    @property
    def silent(self) -> Flags:
        return np.asarray(self.weights > 0)

    def errors(self) -> tuple[Floats, Floats]:
        """Errors seen [n, L] and the labels [n, L] among which they would be seen: where we were silent,
        those of known truth; where we acted, all that were set, for no error shows unless somebody
        corrects it. The share of errors is thus right on the former, too low on the latter."""
        looked = self.applied & ((self.known != 0) | ~self.silent[:, None])
        return (looked & (self.known < 0)).astype(float), looked.astype(float)


def precision(practice: Practice, *, delta: float) -> Share:
    """Right among the labels of known truth that we would have set on the silent share."""
    looked = practice.applied & (practice.known != 0)
    return _ratio(looked & (practice.known > 0), looked, practice.weights, delta=delta)


def label_recall(practice: Practice, *, delta: float) -> Share:
    """Labels that humans set on the silent share and we would have set too."""
    positive = practice.known > 0
    return _ratio(practice.applied & positive, positive, practice.weights, delta=delta)


def coverage(practice: Practice, *, delta: float) -> Share:
    """Issues of the silent share on which we would have set a label."""
    covered = np.asarray(practice.applied.any(axis=1, keepdims=True))
    return _ratio(covered, np.ones_like(covered), practice.weights, delta=delta)


def correction_rate(practice: Practice, *, delta: float) -> Share:
    """Labels that we set and a human took off or replaced: a lower bound on error, for who let one stand
    may not have looked."""
    acted = (~practice.silent).astype(float)
    corrected = practice.applied & (practice.known < 0)
    return _ratio(corrected, practice.applied, acted, delta=delta)


def _ratio(hits: Flags, looked: Flags, weights: Floats, *, delta: float) -> Share:
    """Weighted share of `hits` among `looked` [n, m], an issue (row) being one draw. However little it varies, a
    sample tells no more than its pairs, independent and weighed as they are (Kish 1965), would."""
    size = looked.sum(axis=1) * weights
    seen = int(looked[weights > 0].sum())
    if not seen:
        return Share(None, 0.0, 1.0, 0)
    value = float((hits.sum(axis=1) * weights).sum() / size.sum())
    squares = float((looked.sum(axis=1) * weights**2).sum())
    most = float(size.sum()) ** 2 / squares
    n = min(most, _effective(value, hits.sum(axis=1) * weights - value * size, size))
    low = lower_bound(value * n, n, delta=delta / 2)
    return Share(value, low, upper_bound(value * n, n, delta=delta / 2), seen)


def _effective(value: float, residuals: Floats, size: Floats) -> float:
    """How many independent equal draws would know the share as well. Where all draws agree no variance
    can be seen: then the weights alone tell (Kish 1965)."""
    kish = float(size.sum() ** 2 / (size**2).sum())
    variance = float((residuals**2).sum() / size.sum() ** 2)
    if not 0 < value < 1 or variance <= 0:
        return kish
    return value * (1 - value) / variance
