"""From forward-chained scores to cuts and to what the head expects of itself.

A label is applied only on a record of its own: its own cut is the lowest at which its known pairs,
shrunk towards doubt, reach the target. Over what is left one pooled cut is tested. Refuses to apply
what only a label's name speaks for, and what too few humans ever answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.classify.cuts import choose_cut, lower_bound, upper_bound
from bot.classify.expectation import Expectation, expect

MIN_POSITIVES = 5
MIN_NEGATIVES = 5
SUGGEST_AT = 0.4
LENIENCE = 2.5
"""However good the pool, a pair is applied only if it is at most this much likelier to be wrong than the
promise allows on average; it costs little coverage and is the cushion for a repository that drifts."""
DOUBT = (8.0, 2.0)
"""Right and wrong applications that every label is taken to have behind it: a prior of .8, so that
thin records do not vouch for themselves, and shifts within a small label do not break the promise."""
MAX_UNKNOWN = 0.5
"""Share of a label's applications whose truth nobody settled, above which its record proves nothing."""


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
    kept = winners(p, labels, exclusive)
    why = _untaught(history)
    own = np.full(len(labels), np.inf)
    for j in range(len(labels)):
        if not why[j]:
            own[j], why[j] = _own_cut(p[kept[:, j], j], known[kept[:, j], j], target, delta)
    flat = kept & (p >= own) & (known != 0)
    pooled = choose_cut(p[flat], known[flat] > 0, target=target, delta=delta)
    if pooled is None:
        own[:] = np.inf
        why = [reason or _unproven(p[flat], known[flat], target) for reason in why]
    else:
        own = np.maximum(own, pooled.cut)
    apply_at = tuple(float(cut) if np.isfinite(cut) else None for cut in own)
    expectation = expect(
        kept & (p >= own),
        known,
        history,
        labels=labels,
        apply_at=apply_at,
        why_muted=tuple(why),
        target=target,
        delta=delta,
        lower_bound=lower_bound(pooled.right, pooled.n, delta=delta) if pooled else None,
    )
    cuts = tuple(
        LabelCut(cut, SUGGEST_AT, reason) for cut, reason in zip(apply_at, why, strict=True)
    )
    return Promise(cuts=cuts, expectation=expectation)


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
            kept[:, columns] &= best[:, None] == np.arange(len(columns))
    return kept


def _untaught(history: NDArray[np.int8]) -> list[str]:
    positives, negatives = (history > 0).sum(axis=0), (history < 0).sum(axis=0)
    return [
        f"known by little more than its name: {yes} issues have it, {MIN_POSITIVES} are needed"
        if yes < MIN_POSITIVES
        else f"hardly ever withheld ({no} times, {MIN_NEGATIVES} are needed): it tells nothing"
        if no < MIN_NEGATIVES
        else ""
        for yes, no in zip(positives, negatives, strict=True)
    ]


def _own_cut(
    p: NDArray[np.float64], known: NDArray[np.int8], target: float, delta: float
) -> tuple[float, str]:
    """The lowest cut at which one label's record reaches the target, or infinity and why."""
    order = np.argsort(-p, kind="stable")
    order = order[p[order] >= max(0.5, 1 - LENIENCE * (1 - target))]
    right, n = np.cumsum(known[order] > 0), np.cumsum(known[order] != 0)
    yes, no = DOUBT
    reached = (right + yes) >= target * (n + yes + no) - 1e-9
    answered = n >= (1 - MAX_UNKNOWN) * np.arange(1, len(n) + 1)
    good = np.flatnonzero(reached & answered)
    if len(good):
        return float(p[order[good[-1]]]), ""
    if not len(n) or not n[-1]:
        return np.inf, "never sure enough of it on past issues"
    if not reached.any():
        return np.inf, _short_of(int(right[-1]), int(n[-1]), target, delta)
    return np.inf, (
        f"of {len(n)} past issues it would go to, {len(n) - n[-1]} carry no label of its family:"
        " nobody can say whether it is right"
    )


def _short_of(right: int, n: int, target: float, delta: float) -> str:
    if upper_bound(right, n, delta=delta) < target:
        return f"right in {right} of {n} known cases, surely below {target:.0%}"
    return f"right in {right} of {n} known cases, too few to trust it with {target:.0%}"


def _unproven(p: NDArray[np.float64], known: NDArray[np.int8], target: float) -> str:
    right, n = int((known > 0).sum()), len(p)
    return f"all labels together: {right} of {n} right does not prove {target:.0%} yet"
