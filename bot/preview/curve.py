"""Precision against coverage, at every threshold one might have set; and both over time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from bot.core.measure import Measure, measure
from bot.preview.ledger import Ledger
from bot.preview.past import Past

POINTS = 60
LOWEST = 0.2
"""Probability under which nobody would apply a label."""
FEWEST_KNOWN = 10
"""Known pairs under which a precision is chance."""
PERIODS = 12


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """All labels applied from one probability up."""

    threshold: float
    coverage: float
    precision: float
    worst_case: float
    known: int


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of the history with its own figures."""

    first: datetime
    last: datetime
    measure: Measure


def curve(ledger: Ledger) -> tuple[CurvePoint, ...]:
    """From the strictest threshold to `LOWEST`, about `POINTS` of them, over what the score alone decides."""
    p = np.where(ledger.free, ledger.probabilities, np.nan)
    told = np.sort(p[~np.isnan(p) & (p >= LOWEST)])[::-1]
    if not len(told):
        return ()
    steps = np.unique(told[np.linspace(0, len(told) - 1, POINTS).round().astype(int)])[::-1]
    points = (_point(ledger, p, float(threshold)) for threshold in steps)
    return tuple(point for point in points if point is not None)


def _point(ledger: Ledger, p: np.ndarray, threshold: float) -> CurvePoint | None:
    found = measure(p >= threshold, ledger.known)
    known = found.right + found.wrong
    if known < FEWEST_KNOWN:
        return None
    return CurvePoint(
        threshold=threshold,
        coverage=found.coverage or 0.0,
        precision=found.precision or 0.0,
        worst_case=found.worst_case or 0.0,
        known=known,
    )


def over_time(past: Past, ledger: Ledger, target: float) -> tuple[Period, ...]:
    """Up to `PERIODS` stretches with equally many issues, oldest first."""
    count = min(PERIODS, max(1, len(past.issues) // 10))
    parts = np.array_split(np.arange(len(past.issues)), count)
    return tuple(
        Period(
            first=past.issues[part[0]].created_at,
            last=past.issues[part[-1]].created_at,
            measure=measure(ledger.applied[target][part], ledger.known[part]),
        )
        for part in parts
        if len(part)
    )
