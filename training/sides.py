"""What the vectors say: the network's own head, and a regression over the tuned vectors.

Log-odds per label, which `training.stacking` weighs together with those of words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.hierarchy import Floats, Hierarchy, fit_hierarchy
from training.task import Bools, Ints, Task

VECTOR_PENALTY = 100.0
"""Per weight, shared and own: the vectors have seen these labels, so they are not to be believed much."""
SPREAD = 10.0
"""Length that centred vectors are scaled by, so that the penalty speaks of weights of usual size."""


@dataclass(frozen=True, slots=True)
class VectorSide:
    """A regression over centred tuned vectors."""

    centre: Floats
    regression: Hierarchy

    def log_odds(self, vectors: Floats, repo: Ints) -> Floats:
        return self.regression.logits((vectors - self.centre) * SPREAD, repo)


def fit_vectors(vectors: Floats, task: Task) -> VectorSide:
    """Fit on the vectors and the known pairs of a task."""
    centre = vectors.mean(axis=0)
    regression = fit_hierarchy(
        (vectors - centre) * SPREAD,
        task.known,
        task.repo,
        penalty=VECTOR_PENALTY,
        own_penalty=VECTOR_PENALTY,
    )
    return VectorSide(centre, regression)


def network_log_odds(logits: Floats, *, allowed: Bools, single: bool) -> Floats:
    """Logits of independent labels as they are; of exclusive ones, each label against all others."""
    if not single:
        return logits
    shut = np.where(allowed, logits, -np.inf).astype(np.float64)
    share = np.exp(shut - shut.max(axis=1, keepdims=True))
    share = (share / share.sum(axis=1, keepdims=True)).clip(1e-6, 1 - 1e-6)
    odds: Floats = np.log(share / (1 - share)).astype(np.float32)
    return odds
