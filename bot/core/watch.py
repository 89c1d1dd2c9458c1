"""Is what we set corrected more often than by the bundle before? Asked at any time, at one confidence for all.

A test by betting for two samples (Turner, Ly and Gruenwald, Generic E-variables for exact sequential
k-sample tests, JSPI 2024, arXiv:2106.02693): each new issue is set beside a few old ones of the same
repository, and one bets that its labels are corrected `ratio` times as often. While the new bundle is no
worse, the stake is a supermartingale, and by Ville's inequality it ever reaches 1 / alpha with probability
alpha at most, whenever one looks; repositories may differ, for a bet compares within one. Refuses to take
the labels of one issue for independent: an issue is one outcome, the share of its labels that was corrected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

RATIOS = (1.5, 2.0, 3.0, 5.0)
"""How many times as many corrections are bet on, with a quarter of the stake each."""
MOST_OLD = 4
"""Old issues beside a new one. More add little, and are used up sooner."""
WANTED = 200
"""New issues that the old ones should last for before more than one stands beside each."""
RATE, ISSUES = 0.05, 10.0
"""What is thought of the old rate before any is seen, and how many issues that thought counts for."""


@dataclass(frozen=True, slots=True)
class Block:
    """A new issue and the old ones beside it: shares of their labels that were corrected, in [0, 1]."""

    old: tuple[float, ...]
    new: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was compared, and whether corrections surely rose. `stake` is the largest there ever was."""

    issues_before: int
    issues_after: int
    rate_before: float | None
    rate_after: float | None
    stake: float
    risen: bool


def blocks_of(old: Sequence[float], new: Sequence[float]) -> list[Block]:
    """The issues of one repository, in the order in which they are to be used. How many old ones stand
    beside a new one depends on how many there are, never on what became of them."""
    beside = min(MOST_OLD, max(1, len(old) // WANTED))
    return [
        Block(tuple(old[place * beside : (place + 1) * beside]), outcome)
        for place, outcome in enumerate(new[: len(old) // beside])
    ]


def judge(blocks: Sequence[Block], *, alpha: float) -> Verdict:
    """The blocks of all repositories, in the order in which their new issues were settled."""
    old = [outcome for block in blocks for outcome in block.old]
    new = [block.new for block in blocks]
    stake = float(log_stakes(blocks).max(initial=0.0))
    return Verdict(
        issues_before=len(old),
        issues_after=len(new),
        rate_before=float(np.mean(old)) if old else None,
        rate_after=float(np.mean(new)) if new else None,
        stake=float(np.exp(min(stake, 700.0))),
        risen=bool(stake >= np.log(1 / alpha)),
    )


def log_stakes(blocks: Sequence[Block]) -> NDArray[np.float64]:
    """[blocks]: logarithm of the stake after each."""
    if not blocks:
        return np.zeros(0)
    old = np.full((len(blocks), max(len(block.old) for block in blocks)), np.nan)
    for row, block in enumerate(blocks):
        old[row, : len(block.old)] = block.old
    return stakes_of(old, np.array([block.new for block in blocks]))


def stakes_of(old: NDArray[np.float64], new: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same from `old` [..., blocks, most], NaN where there is none, and `new` [..., blocks]."""
    there = ~np.isnan(old)
    seen, count = np.where(there, old, 0.0).sum(axis=-1), there.sum(axis=-1)
    before = _rate_before(seen, count)[..., None]  # known before the block is looked at
    after = np.minimum(before * np.array(RATIOS), (1 + before) / 2)
    n = count[..., None]
    both = (n * before + after) / (n + 1)
    bet_old, bet_new = ((rate - both) / (both * (1 - both)) for rate in (before, after))
    steps = np.log1p(bet_new * (new[..., None] - both))
    gains = np.log1p(bet_old[..., None, :] * (old[..., None] - both[..., None, :]))
    steps += np.where(there[..., None], gains, 0.0).sum(axis=-2)
    walks = np.cumsum(steps, axis=-2)
    return np.asarray(logsumexp(walks, axis=-1) - np.log(len(RATIOS)))


def _rate_before(seen: NDArray[np.float64], count: NDArray[np.int_]) -> NDArray[np.float64]:
    """The old rate as it stood before each block."""
    corrected = RATE * ISSUES + np.cumsum(seen, axis=-1) - seen
    return np.asarray(corrected / (ISSUES + np.cumsum(count, axis=-1) - count))
