"""Where the probability is high enough to apply a label, so that the promised precision holds.

Learn-then-test (Angelopoulos et al. 2021, arXiv:2110.01052): at most eight ranks, fixed by the scores
and never by the truths, are tested by the exact binomial (Clopper-Pearson) test of "precision <= target"
in a fixed sequence (Maurer 1995, Bauer 1991) that starts where success is likely and walks towards more
coverage; each test may use the whole share of delta, as the walk ends at the first failure. A small
share is kept for stricter ranks, should the start fail (Bonferroni between the two parts). The chance
that any passed rank breaks the promise is so at most delta, and no Holm correction is paid. Refuses a
cut where evidence is short.
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
"""Part of delta for the walk from the start; the rest is for the ranks stricter than it."""
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
    start = _start(ranks, target)
    passed = _walk(ranks[start:], target, MAIN_SHARE * delta)
    if passed is None and start:
        share = (1 - MAIN_SHARE) * delta / start
        stricter = [rank for rank in ranks[:start] if _passes(rank, target, share)]
        passed = stricter[-1] if stricter else None
    return passed


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


def _start(ranks: Sequence[Rank], target: float) -> int:
    """The loosest rank expected to pass comfortably, else the likeliest one; truths play no part."""
    margins = [
        (rank.expected - target) * (rank.n / (target * (1 - target))) ** 0.5 for rank in ranks
    ]
    confident = [i for i, margin in enumerate(margins) if margin >= CONFIDENT]
    return confident[-1] if confident else int(np.argmax(margins))


def _walk(ranks: Sequence[Rank], target: float, level: float) -> Rank | None:
    passed = None
    for rank in ranks:
        if not _passes(rank, target, level):
            break
        passed = rank
    return passed


def _passes(rank: Rank, target: float, level: float) -> bool:
    return p_value(rank.right, rank.n, target=target) <= level
