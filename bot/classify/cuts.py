"""Where the probability is high enough to apply a label, so that the promised precision holds.

Learn-then-test (Angelopoulos et al. 2021, arXiv:2110.01052): at most eight ranks, fixed by the scores
and never by the truths, are tested by the exact binomial (Clopper-Pearson) test of "precision <= target".
Two fixed-sequence walks (Maurer 1995) share delta (Bonferroni between them): one starts at the loosest
rank that is likely to pass, one at the strictest; both go towards more coverage and end at the first
failure, so every test may use its walk's whole share. The chance that any passed rank breaks the promise
is at most delta, and Holm's correction for eight is not paid. Refuses a cut where evidence is short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, betaincinv

RANKS = (0.98, 0.97, 0.96, 0.95, 0.94, 0.93, 0.92, 0.91)
"""Mean calibrated probability of what a cut would apply, strictest first."""
MAIN_SHARE = 0.9
"""Part of delta for the walk from the loosest likely rank; the rest is for the careful one."""
CONFIDENT = 2.5
"""Standard errors between a rank's expected precision and the target that make it a start."""


@dataclass(frozen=True, slots=True)
class Rank:
    """The `n` likeliest pairs, of which `right` are right; `cut` is the least probability among them."""

    cut: float
    right: int
    n: int
    expected: float


def upper_bound(right: int, n: int, *, delta: float) -> float:
    """Clopper-Pearson: the precision that `right` of `n` does not exceed, at confidence 1 - delta."""
    return 1.0 if right >= n else float(betaincinv(right + 1, n - right, 1 - delta))


def lower_bound(right: int, n: int, *, delta: float) -> float:
    """Clopper-Pearson: the precision that `right` of `n` reaches, at confidence 1 - delta."""
    return 0.0 if right <= 0 else float(betaincinv(right, n - right + 1, delta))


def p_value(right: int, n: int, *, target: float) -> float:
    """Chance of at least `right` of `n` if the precision were `target`; small speaks for the cut."""
    return float(bdtrc(right - 1, n, target)) if right > 0 else 1.0


def choose_cut(
    probabilities: NDArray[np.float64],
    right: NDArray[np.bool_],
    *,
    target: float,
    delta: float,
) -> Rank | None:
    """The rank that applies most among those that pass, from known pairs (flat arrays); None if none
    does."""
    ranks = list_ranks(probabilities, right)
    if not ranks:
        return None
    careful, start = _starts(ranks, target)
    passed = _walk(ranks[start:], target, MAIN_SHARE * delta)
    return passed or _walk(ranks[careful:start], target, (1 - MAIN_SHARE) * delta)


def list_ranks(
    probabilities: NDArray[np.float64], right: NDArray[np.bool_], presets: Sequence[float] = RANKS
) -> list[Rank]:
    """The distinct, non-empty ranks of `presets`, strictest first: each the longest prefix of pairs by
    probability whose mean reaches the preset. Pairs that tie are taken or left together."""
    order = np.argsort(-probabilities, kind="stable")
    p, hits = probabilities[order], np.cumsum(right[order])
    expected = np.cumsum(p) / np.arange(1, len(p) + 1)
    last_of_tie = np.append(p[1:] < p[:-1], True)[: len(p)]
    sizes = {int(np.flatnonzero((expected >= x) & last_of_tie).max(initial=-1)) for x in presets}
    return [
        Rank(cut=float(p[i]), right=int(hits[i]), n=i + 1, expected=float(expected[i]))
        for i in sorted(sizes - {-1})
    ]


def _starts(ranks: Sequence[Rank], target: float) -> tuple[int, int]:
    """The strictest and the loosest rank expected to pass comfortably, else the likeliest one; truths
    play no part."""
    spread = (target * (1 - target)) ** 0.5
    margins = [(rank.expected - target) * rank.n**0.5 / spread for rank in ranks]
    confident = [i for i, margin in enumerate(margins) if margin >= CONFIDENT]
    likeliest = int(np.argmax(margins))
    return (confident[0], confident[-1]) if confident else (likeliest, likeliest)


def _walk(ranks: Sequence[Rank], target: float, level: float) -> Rank | None:
    passed = None
    for rank in ranks:
        if not _passes(rank, target, level):
            break
        passed = rank
    return passed


def _passes(rank: Rank, target: float, level: float) -> bool:
    return p_value(rank.right, rank.n, target=target) <= level
