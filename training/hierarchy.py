"""Logistic regressions of many repositories: what all of them say is the prior of each one's own.

Little data of a repository's own follows the others, much decides for itself; no switch to throw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.classify.logistic import Features, Linear, Prior, fit_logistic
from bot.core.evidence import KnownPairs
from training.task import Ints

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The shared regression, and one per repository where these were asked for."""

    shared: Linear
    own: tuple[Linear, ...]

    def logits(self, features: Features, repo: Ints) -> Floats:
        """[n, L]; a repository without a regression of its own (-1) is scored by the shared one."""
        found = self.shared.logits(features)
        for index, own in enumerate(self.own):
            rows = np.flatnonzero(repo == index)
            if len(rows):
                found[rows] = own.logits(features[rows])
        return found


def fit_hierarchy(
    features: Features, known: KnownPairs, repo: Ints, *, penalty: float, own_penalty: float
) -> Hierarchy:
    """Fit on known pairs. Penalties are per weight: towards zero of the shared regression, towards
    that one of each repository's own. Without repositories (all -1) only the shared one."""
    positive, negative = (known > 0).sum(axis=0), (known < 0).sum(axis=0)
    flat = Prior(
        weights=np.zeros((features.shape[1], known.shape[1]), dtype=np.float32),
        intercepts=np.log((positive + 0.5) / (negative + 0.5)).astype(np.float32),
        penalty=np.full(known.shape[1], penalty, np.float32),
    )
    shared = fit_logistic(features, known, flat)
    prior = Prior(
        shared.weights, shared.intercepts, np.full(known.shape[1], own_penalty, np.float32)
    )
    own = []
    for index in range(int(repo.max(initial=-1)) + 1):
        rows = np.flatnonzero(repo == index)
        own.append(fit_logistic(features[rows], known[rows], prior) if len(rows) else shared)
    return Hierarchy(shared, tuple(own))
