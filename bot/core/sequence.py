"""Is the promise kept, asked after every issue, for as long as the bot runs, at one confidence for all.

Testing by betting (Waudby-Smith and Ramdas, JRSS B 2024, arXiv:2010.09686): whoever bets against "at
least `target` of what we apply is right" multiplies a stake; while that holds, the stake is a
supermartingale, and by Ville's inequality it ever reaches 1 / delta with probability delta at most. A
bettor enters every `ENTRY` issues with a share of the stake, so that a change is seen long after the
start (e-detectors, Shin, Ramdas and Rinaldo 2023, arXiv:2203.03532). Refuses to take the pairs of one
issue for independent: an issue is one bet.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

WORSE = (1.5, 2.0, 3.0, 5.0)
"""Error rates that are bet on, in multiples of the one that is allowed."""
ENTRY = 25
CAUTION = 0.95
"""Largest part of a stake that one issue may cost."""


def log_stakes(
    wrong: NDArray[np.float64], n: NDArray[np.float64], *, target: float
) -> NDArray[np.float64]:
    """[issues]: logarithm of the stake after each issue, of which `wrong` of `n` applied labels were not
    right. Issues in the order in which their truth was settled; those without an applied label of known
    truth are left out beforehand."""
    if not len(n):
        return np.zeros(0)
    gain = wrong - (1 - target) * n
    bets = np.array([_bet(factor, target) for factor in WORSE])
    limit = CAUTION / ((1 - target) * n)
    steps = np.log1p(np.minimum(bets[:, None], limit) * gain)
    walks = np.concatenate([np.zeros((len(bets), 1)), np.cumsum(steps, axis=1)], axis=1)
    return _mixed(walks)


def disproved(
    wrong: NDArray[np.float64], n: NDArray[np.float64], *, target: float, delta: float
) -> bool:
    """Whether, at confidence 1 - `delta` for all times together, less than `target` was right."""
    stakes = log_stakes(wrong, n, target=target)
    return bool(len(stakes) and stakes.max() >= np.log(1 / delta))


def _bet(factor: float, target: float) -> float:
    """What multiplies the stake as if errors came `factor` times as often as allowed."""
    allowed = 1 - target
    worse = min(factor * allowed, (1 + allowed) / 2)
    return (worse - allowed) / (allowed * target)


def _mixed(walks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log of the stake of all bettors together after each issue, from `walks` [bets, issues + 1]; those
    yet to enter hold theirs."""
    ends = np.arange(1, walks.shape[1])
    starts = np.arange(0, len(ends), ENTRY)
    shares = 6 / (np.pi * np.arange(1, len(starts) + 1)) ** 2
    entered = starts[:, None] < ends
    own = walks[:, None, 1:] - walks[:, starts, None] + np.log(shares / len(walks))[:, None]
    own = np.where(entered, own, -np.inf)
    waiting = 1 - (shares[:, None] * entered).sum(axis=0)
    return np.asarray(np.logaddexp(logsumexp(own, axis=(0, 1)), np.log(waiting)))
