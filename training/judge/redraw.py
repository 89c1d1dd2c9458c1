"""Cuts chosen again on redraws of the past: which cut just passes its test is chance, and no encoder's merit.

An encoder held against itself with a little noise covers several points more or less, for a preset rank passes
its test with the one and just fails with the other, and a bootstrap over the issues that judge sees nothing of
that. So coverage is the mean over cuts from redraws of the issues that choose them, and its error that of such a
mean (Efron 2014, J. Am. Stat. Assoc. 109, 991, theorem 1). Issues are drawn in groups, the same for all
contenders, so that few redraws tell the error.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bot.classify.head import Learned
from bot.classify.promise import above

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

GROUPS = 20
REDRAWS = 200
DRAWN: NDArray[np.int64] = np.random.default_rng(0).multinomial(
    GROUPS, np.full(GROUPS, 1 / GROUPS), size=REDRAWS
)
"""[redraws, groups]: how often each group of the past is drawn."""


def covered(learned: Learned, probabilities: Floats, offered: Bools, *, target: float) -> Bools:
    """[redraws, n]: whether an issue gets a label by the cuts of each redraw, from what the head says of n
    issues [n, L] and which labels it offers there [n, L]."""
    past = learned.past
    if not len(past.rows):
        return np.zeros((REDRAWS, len(offered)), dtype=np.bool_)
    found = []
    for times in DRAWN:
        drawn = past.scored.only(np.repeat(np.arange(len(past.rows)), times[past.rows % GROUPS]))
        cuts = [x.apply_at for x in learned.promise(drawn, target).cuts]
        found.append((offered & above(probabilities, cuts)).any(axis=1))
    return np.array(found)


def error_of_mean(measured: Floats) -> float:
    """Standard error of the mean of a figure that was measured in each redraw [redraws], as far as it comes from
    the past: its covariances with the draws. So few redraws add some chance to them, on the careful side."""
    away = measured - measured.mean()
    moved = (DRAWN - 1).T @ away / REDRAWS
    return float(np.sqrt((moved**2).sum()))
