"""How good the scores of issues are: F1 by arg-max or per-label thresholds, precision and coverage at a cut.

On known pairs; beside it the closed world, where a label that is not set counts as a no. Refuses to
choose thresholds or cuts on what it measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.classify import promise
from bot.core.evidence import KnownPairs
from bot.core.measure import measure
from training.scoring.stacking import Floats64

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

DEFAULT_THRESHOLD = 0.5
DELTA = 0.05


@dataclass(frozen=True, slots=True)
class F1:
    """Micro over all pairs; macro over the labels that have a positive."""

    micro: float
    macro: float
    per_label: dict[str, float]
    issues: int


def decide_labels(probabilities: Floats64, thresholds: Floats64, *, single: bool) -> Bools:
    """[n, L]: the most probable label of single-label data, else what reaches its threshold."""
    if not single:
        return np.asarray(probabilities >= thresholds)
    best = np.zeros_like(probabilities, dtype=bool)
    best[np.arange(len(best)), probabilities.argmax(axis=1)] = True
    return best


def f1_of(predicted: Bools, known: KnownPairs, labels: Sequence[str]) -> F1:
    """F1 over known pairs; what is unknown is neither right nor wrong."""
    right = (predicted & (known > 0)).sum(axis=0)
    wrong = (predicted & (known < 0)).sum(axis=0)
    positives = (known > 0).sum(axis=0)
    scores = 2 * right / (right + wrong + positives).clip(1)
    counted = positives > 0
    total = (right + wrong + positives).sum()
    return F1(
        micro=float(2 * right.sum() / max(total, 1)),
        macro=float(scores[counted].mean()) if counted.any() else 0.0,
        per_label={x: float(s) for x, s, c in zip(labels, scores, counted, strict=True) if c},
        issues=len(known),
    )


def average_precision(found: Floats64, known: KnownPairs) -> float:
    """Mean over labels with a positive: the area under precision against recall, on known pairs."""
    areas = []
    for label in np.flatnonzero((known > 0).any(axis=0)):
        told = known[:, label] != 0
        _, taken, right = _steps(found[told, label], known[told, label])
        areas.append(float(np.diff(right, prepend=0) @ (right / taken) / right[-1]))
    return float(np.mean(areas)) if areas else 0.0


def best_thresholds(probabilities: Floats64, known: KnownPairs) -> Floats64:
    """[L]: per label, the threshold of the best F1 on known pairs, drawn towards the one that is best
    for all labels together where a label has few positives."""
    pooled, _ = _best_threshold(probabilities.ravel(), known.ravel())
    found = np.full(known.shape[1], pooled)
    for j in range(known.shape[1]):
        own, positives = _best_threshold(probabilities[:, j], known[:, j])
        trust = positives / (positives + SHRINK)
        found[j] = trust * own + (1 - trust) * pooled
    return found


SHRINK = 20.0
"""Positives at which a label's own threshold and the common one weigh the same."""


def _best_threshold(probabilities: Floats64, known: NDArray[np.int8]) -> tuple[float, int]:
    told = known != 0
    positives = int((known > 0).sum())
    if positives == 0:
        return DEFAULT_THRESHOLD, 0
    scores, taken, right = _steps(probabilities[told], known[told])
    best = int((2 * right / (taken + positives)).argmax())
    following = scores[best + 1] if best + 1 < len(scores) else 0.0
    return float((scores[best] + following) / 2), positives


def _steps(scores: Floats64, known: NDArray[np.int8]) -> tuple[Floats64, Ints, Ints]:
    """Each score that occurs, highest first, with how many reach it, and how many of those are right: what
    scores alike is taken or left together."""
    order = np.argsort(-scores, kind="stable")
    ranked, right = scores[order], np.cumsum(known[order] > 0, dtype=np.int64)
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)])
    return ranked[last], last + 1, right[last]


@dataclass(frozen=True, slots=True)
class Promise:
    """The cuts [L] from which on labels are applied, and the precision they are meant to keep."""

    target: float
    cuts: Floats64
    """Infinite: nowhere in the training data was the precision sure enough."""


def no_promise(target: float, labels: int) -> Promise:
    """Nothing is applied."""
    return Promise(target, np.full(labels, np.inf))


def choose_cuts(
    probabilities: Floats64,
    known: KnownPairs,
    fold: NDArray[np.int64],
    labels: tuple[str, ...],
    *,
    target: float,
    single: bool,
) -> Promise:
    """What the bot would apply, had it scored these issues: its own tests, at confidence .95. `fold`:
    labels are trusted on one by their record on the others."""
    # The rows are in no order of time: the last of them tell nothing of today.
    scored = promise.Scored(probabilities, known, fold.astype(np.int32), current=False)
    made = promise.make_promise(
        scored, known, labels, exclusive=[labels] if single else [], target=target, delta=DELTA
    )
    cuts = [np.inf if cut.apply_at is None else cut.apply_at for cut in made.cuts]
    return Promise(target, np.array(cuts))


def at_cuts(
    probabilities: Floats64, known: KnownPairs, made: Promise, *, single: bool
) -> dict[str, float | None]:
    """What applying gives: precision, worst case, unknown share, coverage, label recall."""
    applied = _offered(probabilities, single=single) & (probabilities >= made.cuts)
    return {"target": made.target, **measure(applied, known).as_dict()}


def hindsight_coverage(
    probabilities: Floats64, known: KnownPairs, *, target: float, single: bool
) -> float:
    """Coverage of the lowest cut that would have kept the target on these very issues: an upper bound
    to compare models by, not something that could have been promised."""
    offered = _offered(probabilities, single=single)
    told = offered & (known != 0)
    scores, taken, right = _steps(probabilities[told], known[told])
    kept = np.flatnonzero(right / taken >= target)
    if not len(kept):
        return 0.0
    cut = scores[kept[-1]]
    return float((offered & (probabilities >= cut)).any(axis=1).mean())


def _offered(probabilities: Floats64, *, single: bool) -> Bools:
    if not single:
        return probabilities > 0
    return decide_labels(probabilities, np.zeros(0), single=True)
