"""From the logits of the sides (vector, words) to one calibrated probability per pair.

Per label a small logistic regression over the sides' logits, fitted on forward-chained scores, with a
Gaussian prior centred on the same regression pooled over all labels: a rare label follows the pool, a
frequent one its own evidence. Stacking (Wolpert 1992) and Platt scaling in one step. Refuses to see a
score that a pair's own issue helped to make.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats64 = NDArray[np.float64]

DEFAULT_SLOPE = 0.5
POOL_STIFFNESS = 2.0
"""Penalty that holds the pooled regression to `DEFAULT_SLOPE` per side where evidence is thin."""
LABEL_STIFFNESS = 8.0
"""Penalty that holds a label to the pool, in units of information of its own evidence."""
NEWTON_STEPS = 25


@dataclass(frozen=True, slots=True)
class Combiner:
    """slopes [labels, sides] and offsets [labels]: logit = sum of slope x side's logit + offset."""

    slopes: Floats64
    offsets: Floats64

    def probabilities(self, sides: NDArray[np.float32]) -> Floats64:
        """[n, L] from the sides' logits [sides, n, L]."""
        logits = np.einsum("snl,ls->nl", sides.astype(np.float64), self.slopes) + self.offsets
        return np.asarray(expit(logits))


def fit_combiner(
    sides: NDArray[np.float32], known: NDArray[np.int8], weights: Floats64
) -> Combiner:
    """Fit on logits [sides, n, L] and known pairs [n, L]; `weights` [n] says how much an issue counts."""
    count, _, labels = sides.shape
    prior = np.append(np.full(count, DEFAULT_SLOPE), 0.0)
    design = np.concatenate([sides, np.ones((1, *sides.shape[1:]), np.float32)]).astype(np.float64)
    mass = (known != 0) * weights[:, None]
    target = (known > 0).astype(np.float64)
    pooled = _newton(
        design.reshape(count + 1, -1, 1),
        target.reshape(-1, 1),
        mass.reshape(-1, 1),
        prior,
        np.full(count + 1, POOL_STIFFNESS),
    )[0]
    stiffness = LABEL_STIFFNESS * np.append(np.ones(count), 0.25)
    own = _newton(design, target, mass, pooled, stiffness)
    return Combiner(slopes=own[:, :count].reshape(labels, count), offsets=own[:, count])


def _newton(
    design: Floats64, target: Floats64, mass: Floats64, prior: Floats64, stiffness: Floats64
) -> Floats64:
    """Posterior modes [labels, parameters] of small logistic regressions, damped Newton steps.

    design [parameters, n, L], target and mass [n, L], prior and stiffness [parameters].
    """
    point = np.tile(prior, (target.shape[1], 1))
    for _ in range(NEWTON_STEPS):
        p = expit(np.einsum("snl,ls->nl", design, point))
        pull = stiffness * (point - prior)
        gradient = np.einsum("snl,nl->ls", design, mass * (p - target)) + pull
        curve = np.einsum("snl,tnl,nl->lst", design, design, mass * p * (1 - p), optimize=True)
        step = np.linalg.solve(curve + np.diag(stiffness), gradient[..., None])[..., 0]
        step *= np.minimum(1, 2 / np.maximum(np.abs(step).max(axis=1, keepdims=True), 1e-12))
        point -= step
        if np.abs(step).max() < 1e-6:
            break
    return point
