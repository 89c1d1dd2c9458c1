"""What the network says, as log-odds per label, which `training.scoring.stacking` weighs with those of words."""

from __future__ import annotations

import numpy as np

from training.task import Bools, Floats


def network_log_odds(logits: Floats, *, allowed: Bools, single: bool) -> Floats:
    """Logits of independent labels as they are; of exclusive ones, each label against all others."""
    if not single:
        return logits
    shut = np.where(allowed, logits, -np.inf).astype(np.float64)
    share = np.exp(shut - shut.max(axis=1, keepdims=True))
    share = (share / share.sum(axis=1, keepdims=True)).clip(1e-6, 1 - 1e-6)
    odds: Floats = np.log(share / (1 - share)).astype(np.float32)
    return odds
