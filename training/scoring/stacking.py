"""How much each side counts: per label a regression over the sides' log-odds, held to that of all labels.

Stacking (Wolpert 1992) on issues that no side has seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from bot.classify.logistic import Prior, fit_logistic
from bot.core.evidence import KnownPairs
from training.task import Bools, Floats, Ints

Floats64: TypeAlias = NDArray[np.float64]

STIFFNESS = 3.0
"""Penalty that holds the slopes of all labels together to `FIXED`."""
OWN_STIFFNESS = 30.0
"""Penalty that holds a label's slopes to those of all labels."""
FIXED = np.array([[0.5], [0.8]], dtype=np.float32)
"""Slopes of network and words where no issue can be spared to learn them."""


@dataclass(frozen=True, slots=True)
class Stack:
    """slopes [sides, labels] and offsets [labels]."""

    slopes: Floats
    offsets: Floats

    def probabilities(self, sides: Floats, *, allowed: Bools, single: bool) -> Floats64:
        """[n, L] from log-odds [sides, n, L]; zero where not allowed, single-label rows sum to one."""
        logits = np.einsum("snl,sl->nl", sides, self.slopes) + self.offsets
        found = np.where(allowed, expit(logits.astype(np.float64)), 0.0)
        return found / found.sum(axis=1, keepdims=True).clip(1e-12) if single else found


def cross_probabilities(
    sides: Floats, known: KnownPairs, fold: Ints, *, allowed: Bools, single: bool
) -> Floats64:
    """Probabilities [n, L] of each fold by a stack that has not seen that fold: what thresholds and
    cuts are chosen on, so that the stack does not vouch for itself."""
    found = np.zeros(known.shape)
    for number in np.unique(fold):
        here = fold == number
        stack = fit_stack(sides[:, ~here], known[~here])
        found[here] = stack.probabilities(sides[:, here], allowed=allowed[here], single=single)
    return found


def fixed_stack(labels: int) -> Stack:
    """What to do without issues to learn from."""
    return Stack(np.tile(FIXED, (1, labels)), np.zeros(labels, np.float32))


def fit_stack(sides: Floats, known: KnownPairs) -> Stack:
    """Fit on log-odds [sides, n, L] of issues that the sides have not seen."""
    flat = sides.reshape(len(sides), -1).T
    start = Prior(FIXED, np.zeros(1, np.float32), np.full(1, STIFFNESS, np.float32))
    pooled = fit_logistic(flat, known.reshape(-1, 1), start)
    prior = Prior(pooled.weights, pooled.intercepts, np.full(1, OWN_STIFFNESS, np.float32), 3.0)
    own = [
        fit_logistic(np.ascontiguousarray(sides[:, :, j].T), known[:, j : j + 1], prior)
        for j in range(known.shape[1])
    ]
    return Stack(
        np.hstack([each.weights for each in own]), np.concatenate([each.intercepts for each in own])
    )
