"""From a pair's evidence to one calibrated probability.

Per label a small logistic regression over the evidence, fitted on forward-chained scores, with a
Gaussian prior centred on the same regression pooled over all labels: a rare label follows the pool, a
frequent one its own record. Stacking (Wolpert 1992) and Platt scaling in one step. Refuses to see a
score that a pair's own issue helped to make.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats64 = NDArray[np.float64]

DEFAULT = (0.8, 0.8, 0.5, -0.2, 0.0)
"""Where the pooled regression starts: one slope per evidence (vector, words, base, rival) and an
offset. Medians over the histories of a dozen repositories."""
POOL_STIFFNESS = 2.0
"""Penalty that holds the pool to `DEFAULT` while evidence is thin."""
LABEL_STIFFNESS = 12.0
"""Penalty that holds a label's slopes to the pool's."""
OFFSET_STIFFNESS = 3.0
"""Penalty that holds a label's offset to the pool's."""
MAX_POOL = 20_000
NEWTON_STEPS = 25
HALVINGS = 20


@dataclass(frozen=True, slots=True)
class Combiner:
    """Coefficients [labels, evidence + 1]: logit = evidence x slopes + offset."""

    coefficients: Floats64

    def probabilities(self, evidence: NDArray[np.float32]) -> Floats64:
        """[n, L] from evidence [k, n, L]."""
        logits = np.einsum("knl,lk->nl", evidence, self.coefficients[:, :-1], optimize=True)
        return np.asarray(expit(logits + self.coefficients[:, -1]))


def fit_combiner(
    evidence: NDArray[np.float32], known: NDArray[np.int8], *, start: Combiner | None = None
) -> Combiner:
    """Fit on forward-chained evidence [k, n, L] and known pairs [n, L]; `start` saves steps."""
    design = np.concatenate([evidence, np.ones((1, *known.shape), np.float32)]).astype(np.float64)
    pooled = _fit_pool(design, known)
    stiffness = np.append(np.full(len(evidence), LABEL_STIFFNESS), OFFSET_STIFFNESS)
    begin = np.tile(pooled, (known.shape[1], 1)) if start is None else start.coefficients
    target, mass = (known > 0).astype(np.float64), (known != 0).astype(np.float64)
    return Combiner(_newton(design, target, mass, pooled, stiffness, begin))


def cross_probabilities(
    evidence: NDArray[np.float32],
    known: NDArray[np.int8],
    block: NDArray[np.int32],
    *,
    start: Combiner,
) -> Floats64:
    """Probabilities [n, L] of each block by a combiner that has not seen that block: what cuts are
    tested on, so that the calibration does not vouch for itself."""
    found = np.zeros(known.shape)
    for number in np.unique(block):
        here = block == number
        combiner = fit_combiner(evidence[:, ~here], known[~here], start=start)
        found[here] = combiner.probabilities(evidence[:, here])
    return found


def _fit_pool(design: Floats64, known: NDArray[np.int8]) -> Floats64:
    """Coefficients shared by all labels, from at most `MAX_POOL` evenly spread known pairs."""
    seen = np.flatnonzero(known)
    seen = seen[:: max(1, len(seen) // MAX_POOL)]
    chosen = design.reshape(len(design), -1, 1)[:, seen]
    target = (known.reshape(-1, 1)[seen] > 0).astype(np.float64)
    prior = np.array(DEFAULT)
    stiffness = np.full(len(design), POOL_STIFFNESS)
    start = prior[None, :]
    return np.asarray(_newton(chosen, target, np.ones(target.shape), prior, stiffness, start)[0])


def _newton(
    design: Floats64,
    target: Floats64,
    mass: Floats64,
    prior: Floats64,
    stiffness: Floats64,
    start: Floats64,
) -> Floats64:
    """Posterior modes [labels, parameters] of small logistic regressions; a step is halved, label by
    label, until it lowers the cost.

    design [parameters, n, L], target and mass [n, L], prior and stiffness [parameters], start [L,
    parameters].
    """

    def cost(point: Floats64, logits: Floats64) -> Floats64:
        softplus = np.log1p(np.exp(-np.abs(logits))) + np.maximum(logits, 0)
        loss = (mass * (softplus - target * logits)).sum(axis=0)
        return np.asarray(loss + 0.5 * (stiffness * (point - prior) ** 2).sum(axis=1))

    point = start
    logits = _logits(design, point)
    value = cost(point, logits)
    for _ in range(NEWTON_STEPS):
        p = expit(logits)
        pull = stiffness * (point - prior)
        gradient = np.einsum("snl,nl->ls", design, mass * (p - target)) + pull
        curve = np.einsum("snl,tnl->lst", design * (mass * p * (1 - p)), design, optimize=True)
        step = np.linalg.solve(curve + np.diag(stiffness), gradient[..., None])[..., 0]
        for _ in range(HALVINGS):
            logits = _logits(design, point - step)
            worse = cost(point - step, logits) > value + 1e-9
            if not worse.any():
                break
            step[worse] /= 2
        point, value = point - step, cost(point - step, logits)
        if np.abs(step).max(initial=0) < 1e-3:
            break
    return point


def _logits(design: Floats64, point: Floats64) -> Floats64:
    return np.asarray(np.einsum("snl,ls->nl", design, point, optimize=True))
