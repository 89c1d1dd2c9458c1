"""From forward-chained scores to cuts and to what the head expects of itself.

Pooled over labels first; a label that is surely below the target is muted before that, and one whose
own record at the pooled cut is too thin or too low gets a stricter cut or none. Refuses to apply what
only the label's name speaks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.classify.cuts import lower_bound, lowest_passed, try_cuts, upper_bound
from bot.classify.expectation import Expectation, expect

MIN_POSITIVES = 5
MIN_NEGATIVES = 5
SUGGEST_AT = 0.4
LOWEST_CUT = 0.5
"""A label more likely wrong than right is never applied, however good the pool."""


@dataclass(frozen=True, slots=True)
class LabelCut:
    """What `Score` says of a label's cuts."""

    apply_at: float | None
    suggest_at: float
    why_muted: str


@dataclass(frozen=True, slots=True)
class Scored:
    """Issues scored by what came before them: probabilities [n, L] and known pairs [n, L]."""

    probabilities: NDArray[np.float64]
    known: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Promise:
    cuts: tuple[LabelCut, ...]
    expectation: Expectation


def make_promise(
    scored: Scored,
    history: NDArray[np.int8],
    labels: tuple[str, ...],
    *,
    exclusive: Sequence[Sequence[str]],
    target: float,
    delta: float,
) -> Promise:
    """Choose cuts on `scored`; `history` [all, L] counts what each label has been taught."""
    p, known = scored.probabilities, scored.known
    decoded = winners(p, labels, exclusive)
    why = _untaught(history)
    open_ = np.array([not reason for reason in why])
    candidates = decoded & open_ & (p >= LOWEST_CUT)
    for j in np.flatnonzero(open_):
        right, n = _record(candidates[:, j], known[:, j])
        if n and upper_bound(right, n, delta=delta) < target:
            why[j] = f"right in only {right} of {n} known cases, surely below {target:.2f}"
            candidates[:, j] = False
    flat = candidates & (known != 0)
    best = lowest_passed(try_cuts(p[flat], known[flat] > 0, target=target, delta=delta))
    cut = max(best.cut, LOWEST_CUT) if best else None
    if cut is None:
        missing = f"too little evidence yet that labels applied here would be {target:.0%} right"
        why = [reason or missing for reason in why]
    cuts = tuple(
        LabelCut(apply_at=None if reason else cut, suggest_at=SUGGEST_AT, why_muted=reason)
        for reason in why
    )
    apply_at = tuple(c.apply_at for c in cuts)
    thresholds = np.array([np.inf if c is None else c for c in apply_at])
    return Promise(
        cuts=cuts,
        expectation=expect(
            decoded & (p >= thresholds),
            known,
            history,
            labels=labels,
            apply_at=apply_at,
            why_muted=tuple(why),
            target=target,
            delta=delta,
            lower_bound=lower_bound(best.right, best.n, delta=delta) if best else None,
        ),
    )


def winners(
    p: NDArray[np.float64], labels: Sequence[str], exclusive: Sequence[Sequence[str]]
) -> NDArray[np.bool_]:
    """Pairs [n, L] that are left when every exclusive group keeps its likeliest label."""
    kept = np.ones(p.shape, dtype=np.bool_)
    at = {label: j for j, label in enumerate(labels)}
    for group in exclusive:
        columns = [at[label] for label in group if label in at]
        if len(columns) > 1 and len(p):
            best = p[:, columns].argmax(axis=1)
            kept[:, columns] = best[:, None] == np.arange(len(columns))
    return kept


def _untaught(history: NDArray[np.int8]) -> list[str]:
    positives, negatives = (history > 0).sum(axis=0), (history < 0).sum(axis=0)
    return [
        f"known only by its name so far: {yes} issues have it, {MIN_POSITIVES} are needed"
        if yes < MIN_POSITIVES
        else f"never seen withheld often enough: {no} times, {MIN_NEGATIVES} are needed"
        if no < MIN_NEGATIVES
        else ""
        for yes, no in zip(positives, negatives, strict=True)
    ]


def _record(applied: NDArray[np.bool_], known: NDArray[np.int8]) -> tuple[int, int]:
    return int((applied & (known > 0)).sum()), int((applied & (known != 0)).sum())
