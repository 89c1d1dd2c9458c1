"""Where the probability is high enough to apply a label, so that the promised precision holds.

Learn-then-test (Angelopoulos et al. 2021, arXiv:2110.01052): at most eight ranks, fixed by the scores
and never by the truths, are tested by the exact binomial (Clopper-Pearson) test of "precision <= target".
Two fixed-sequence walks (Maurer 1995) share delta (Bonferroni between them): one starts at the loosest
rank that is likely to pass, one at the strictest; both go towards more coverage and end at the first
failure, so every test may use its walk's whole share. The chance that any passed rank breaks the promise
is at most delta, and Holm's correction for eight is not paid. A rank proved earlier is held without a
test while its record reaches the target. Refuses a cut where evidence is short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.core.bounds import p_value

RANKS = (0.98, 0.97, 0.96, 0.95, 0.94, 0.93, 0.92, 0.91)
"""Mean calibrated probability of what a cut would apply, strictest first."""
MAIN_SHARE = 0.9
"""Part of delta for the walk from the loosest likely rank; the rest is for the careful one."""
CONFIDENT = 2.5
"""Standard errors between a rank's expected precision and the target that make it a start."""


@dataclass(frozen=True, slots=True)
class Rank:
    """The `n` likeliest pairs, of which `right` are right; `cut` is the least probability among them and
    `preset` the one of `RANKS` that it stands for."""

    cut: float
    right: int
    n: int
    expected: float
    preset: float


def choose_cut(
    probabilities: NDArray[np.float64],
    right: NDArray[np.bool_],
    *,
    target: float,
    delta: float,
    held: float | None = None,
    stricter_than: float | None = None,
) -> Rank | None:
    """The rank that applies most among those that pass, from known pairs (flat arrays); None if none
    does. `held`: preset of the rank that was proved before; it and what is stricter stay without a new
    proof while their record reaches the target. `stricter_than`: presets up to this one are out."""
    presets = [preset for preset in RANKS if stricter_than is None or preset > stricter_than]
    ranks = list_ranks(probabilities, right, presets)
    if not ranks:
        return None
    careful, start = _starts(ranks, target)
    passed = _walk(ranks[start:], target, MAIN_SHARE * delta)
    passed = passed or _walk(ranks[careful:start], target, (1 - MAIN_SHARE) * delta)
    kept = [r for r in ranks if held is not None and r.preset >= held and r.right >= target * r.n]
    return max([*filter(None, [passed]), *kept], key=lambda rank: rank.n, default=None)


def list_ranks(
    probabilities: NDArray[np.float64], right: NDArray[np.bool_], presets: Sequence[float] = RANKS
) -> list[Rank]:
    """The distinct, non-empty ranks of `presets`, strictest first: each the longest prefix of pairs by
    probability whose mean reaches the preset. Pairs that tie are taken or left together."""
    order = np.argsort(-probabilities, kind="stable")
    p, hits = probabilities[order], np.cumsum(right[order])
    expected = np.cumsum(p) / np.arange(1, len(p) + 1)
    last_of_tie = np.append(p[1:] < p[:-1], True)[: len(p)]
    ends: dict[int, float] = {}
    for preset in sorted(presets, reverse=True):
        ends.setdefault(
            int(np.flatnonzero((expected >= preset) & last_of_tie).max(initial=-1)), preset
        )
    return [
        Rank(
            cut=float(p[i]), right=int(hits[i]), n=i + 1, expected=float(expected[i]), preset=preset
        )
        for i, preset in sorted(ends.items())
        if i >= 0
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
