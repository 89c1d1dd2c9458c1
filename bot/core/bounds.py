"""Exact bounds on a share that was seen `right` times in `n`. Counts may be fractions, for samples that
were weighed: then `n` is the effective size (Korn and Graubard 1998), and the bounds are close, not exact.
"""

from __future__ import annotations

from scipy.special import betainc, betaincinv


def upper_bound(right: float, n: float, *, delta: float) -> float:
    """Clopper-Pearson: the share that `right` of `n` does not exceed, at confidence 1 - delta."""
    return 1.0 if right >= n else float(betaincinv(right + 1, n - right, 1 - delta))


def lower_bound(right: float, n: float, *, delta: float) -> float:
    """Clopper-Pearson: the share that `right` of `n` reaches, at confidence 1 - delta."""
    return 0.0 if right <= 0 else float(betaincinv(right, n - right + 1, delta))


def p_value(right: float, n: float, *, target: float) -> float:
    """Chance of at least `right` of `n` if the share were `target`; small speaks for more than that."""
    return float(betainc(right, n - right + 1, target)) if right > 0 else 1.0
