"""Where the probability is high enough to apply a label, so that the promised precision holds.

Learn-then-test (Angelopoulos et al. 2021, arXiv:2110.01052): at most eight preset ranks, each tested
by an exact binomial (Clopper-Pearson) test of "precision <= target"; the tests share delta by the
fallback procedure (Wiens 2003), which controls the family-wise error and so the chance that the chosen
cut breaks the promise. Refuses a cut where evidence is short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, betaincinv

RANKS = (0.98, 0.97, 0.96, 0.95, 0.94, 0.93, 0.92, 0.91)
"""Presets: mean calibrated probability of what a cut would apply, strictest first."""
FIRST_SHARE = 0.5
"""Part of delta for the first test; the others share the rest and inherit what was not used up."""


def upper_bound(right: float, n: float, *, delta: float) -> float:
    """Clopper-Pearson: the precision that `right` of `n` does not exceed, at confidence 1 - delta."""
    return 1.0 if right >= n else float(betaincinv(right + 1, n - right, 1 - delta))


def lower_bound(right: float, n: float, *, delta: float) -> float:
    """Clopper-Pearson: the precision that `right` of `n` reaches, at confidence 1 - delta."""
    return 0.0 if right <= 0 else float(betaincinv(right, n - right + 1, delta))


def p_value(right: int, n: int, *, target: float) -> float:
    """Chance of at least `right` of `n` if the precision were `target`; small speaks for the cut."""
    return float(bdtrc(right - 1, n, target)) if right > 0 else 1.0


@dataclass(frozen=True, slots=True)
class Tested:
    """One preset rank: the cut it stands for, and what is known of the pairs above it."""

    cut: float
    right: int
    n: int
    passed: bool


def try_cuts(
    probabilities: NDArray[np.float64],
    correct: NDArray[np.bool_],
    *,
    target: float,
    delta: float,
    ranks: Sequence[float] = RANKS,
) -> tuple[Tested, ...]:
    """Test the preset ranks on known pairs (flat arrays), strictest first."""
    order = np.argsort(-probabilities, kind="stable")
    sorted_p, right = probabilities[order], np.cumsum(correct[order])
    expected = np.cumsum(sorted_p) / np.arange(1, len(order) + 1)
    tested: list[Tested] = []
    spare = 0.0
    for position, n in enumerate(_sizes(sorted_p, expected, ranks)):
        share = FIRST_SHARE if position == 0 else (1 - FIRST_SHARE) / (len(ranks) - 1)
        level = spare + share * delta
        k = int(right[n - 1]) if n else 0
        passed = n > 0 and p_value(k, n, target=target) <= level
        spare = level if passed else 0.0
        tested.append(Tested(float(sorted_p[n - 1]) if n else 1.0, k, n, passed))
    return tuple(tested)


def lowest_passed(tested: Sequence[Tested]) -> Tested | None:
    """The passed rank that applies most, or None."""
    passed = [rank for rank in tested if rank.passed]
    return max(passed, key=lambda rank: rank.n) if passed else None


def _sizes(
    sorted_p: NDArray[np.float64], expected: NDArray[np.float64], ranks: Sequence[float]
) -> list[int]:
    """How many pairs each rank takes: the longest prefix whose mean probability reaches it; pairs that
    tie with the last one are taken or left together."""
    sizes = []
    for rank in ranks:
        n = int((expected >= rank).sum())
        if 0 < n < len(sorted_p) and sorted_p[n] == sorted_p[n - 1]:
            n = int((sorted_p > sorted_p[n - 1]).sum())
        sizes.append(n)
    return sizes
