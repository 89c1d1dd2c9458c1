"""What a contender says of evaluation issues, as arrays, and the figures that follow from it.

Every figure takes weights of the issues, so that a bootstrap resample is measured like the sample.
Refuses to count what nobody knows as right or wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bot.core.evidence import KnownPairs
from bot.core.measure import measure, pooled

Bools: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]

LIKELY = 0.5
"""Calibrated probability from which a label is predicted, for F1."""
BINS = 10
COVERAGES = (0.25, 0.5, 0.75)


@dataclass(frozen=True, slots=True)
class Judged:
    """One contender on the evaluation part of one repository: n issues, L labels."""

    labels: tuple[str, ...]
    known: KnownPairs
    """[n, L]: +1, -1, 0."""
    probabilities: Floats
    """[n, L], calibrated."""
    offered: Bools
    """[n, L]: the likeliest label of each exclusive group, and all labels of none."""
    applied: Bools
    """[n, L]: what the serving path decides to apply."""
    covered: Bools
    """[redraws, n]: whether an issue gets a label by the cuts of each redraw of the past."""
    target: float

    @property
    def predicted(self) -> Bools:
        return np.asarray(self.offered & (self.probabilities >= LIKELY))


@dataclass(frozen=True, slots=True)
class Ranking:
    """All offered pairs of some repositories, likeliest first, as `coverage_at_promise` needs them."""

    issue: NDArray[np.int64]
    """[m]: number of the pair's issue, counted through the repositories."""
    known: Floats
    """[m]: 1 where the truth is known."""
    right: Floats
    """[m]: 1 where it is known and right."""
    margin: Floats
    """[m]: right - target where known, else 0: the promise holds while their sum is not negative."""
    last_of_tie: Bools
    best: NDArray[np.int64]
    """[n]: rank of each issue's likeliest pair; m if it has none."""


def rank(parts: Sequence[Judged]) -> Ranking:
    """Pairs of all `parts` as one list."""
    starts = np.cumsum([0, *(len(part.known) for part in parts)])
    issue, p, truth, target = [], [], [], []
    for part, start in zip(parts, starts, strict=False):
        rows, columns = np.nonzero(part.offered)
        issue.append(rows + start)
        p.append(part.probabilities[rows, columns])
        truth.append(part.known[rows, columns])
        target.append(np.full(len(rows), part.target))
    order = np.argsort(-_joined(p), kind="stable")
    sorted_p, sorted_issue = _joined(p)[order], _joined(issue)[order].astype(np.int64)
    said = _joined(truth)[order]
    best = np.full(int(starts[-1]), len(order))
    np.minimum.at(best, sorted_issue, np.arange(len(order)))
    return Ranking(
        issue=sorted_issue,
        known=(said != 0).astype(np.float64),
        right=(said > 0).astype(np.float64),
        margin=np.where(said != 0, (said > 0) - _joined(target)[order], 0.0),
        last_of_tie=np.append(sorted_p[1:] < sorted_p[:-1], True)[: len(order)],
        best=best,
    )


def coverage_at_promise(ranking: Ranking, weights: Floats) -> float:
    """Share of the issues (weighted [n]) with a label above the lowest cut at which the precision of
    known pairs is what was promised. The cut is chosen on these very issues, for every contender alike:
    a measure to compare by at equal precision, not something that could have been promised."""
    if not len(ranking.issue) or not weights.sum():
        return 0.0
    w = weights[ranking.issue]
    kept = (np.cumsum(w * ranking.margin) >= -1e-9) & (np.cumsum(w * ranking.known) > 0)
    passed = np.flatnonzero(kept & ranking.last_of_tie)
    if not len(passed):
        return 0.0
    return float(weights[ranking.best <= passed[-1]].sum() / weights.sum())


def precision_curve(parts: Sequence[Judged]) -> tuple[Floats, Floats]:
    """Coverage and precision [m] of every cut, from strict to lax; precision 1 before any known pair."""
    ranking = rank(parts)
    first = np.zeros(len(ranking.issue))
    first[ranking.best[ranking.best < len(first)]] = 1
    known = np.cumsum(ranking.known)
    precision = np.where(known > 0, np.cumsum(ranking.right) / np.maximum(known, 1), 1.0)
    coverage = np.cumsum(first) / max(len(ranking.best), 1)
    return coverage[ranking.last_of_tie], precision[ranking.last_of_tie]


def precision_at(curve: tuple[Floats, Floats], coverage: float) -> float | None:
    """Precision of the strictest cut that covers so much; None where no cut does."""
    reached = np.flatnonzero(curve[0] >= coverage)
    return float(curve[1][reached[0]]) if len(reached) else None


def f1_counts(part: Judged) -> tuple[Floats, Floats, Floats]:
    """Right, wrong and positive [n, L] as numbers, to be weighted and summed."""
    predicted, known = part.predicted, part.known
    return (
        (predicted & (known > 0)).astype(np.float64),
        (predicted & (known < 0)).astype(np.float64),
        (known > 0).astype(np.float64),
    )


def f1(parts: Sequence[Judged]) -> tuple[float | None, float | None]:
    """Micro over all pairs; macro over the labels of a repository with a positive, mean of repositories."""
    sums = [[count.sum(axis=0) for count in f1_counts(part)] for part in parts]
    right, wrong, positives = (sum(float(one[i].sum()) for one in sums) for i in range(3))
    macros = [score for one in sums if (score := macro_f1(*one)) is not None]
    micro = 2 * right / (right + wrong + positives) if positives else None
    return micro, float(np.mean(macros)) if macros else None


def macro_f1(right: Floats, wrong: Floats, positives: Floats) -> float | None:
    """Mean F1 over the labels [L] that have a positive."""
    there = positives > 0
    if not there.any():
        return None
    return float((2 * right[there] / (right + wrong + positives)[there]).mean())


def calibration(parts: Sequence[Judged]) -> list[dict[str, float]]:
    """Known pairs in ten bins of probability: how many, mean probability, share that was right."""
    p = _joined([part.probabilities[part.known != 0] for part in parts])
    right = _joined([part.known[part.known != 0] > 0 for part in parts])
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    return [
        {"n": int(here.sum()), "said": float(p[here].mean()), "was": float(right[here].mean())}
        for b in range(BINS)
        if (here := bins == b).any()
    ]


def calibration_error(bins: Sequence[Mapping[str, float]]) -> float | None:
    """Expected calibration error: mean gap between what was said and what was, by pairs."""
    n = sum(found["n"] for found in bins)
    gap = sum(found["n"] * abs(found["said"] - found["was"]) for found in bins)
    return gap / n if n else None


def figures(parts: Sequence[Judged]) -> dict[str, Any]:
    """All figures of one contender on some repositories taken as one."""
    micro, macro = f1(parts)
    bins, curve = calibration(parts), precision_curve(parts)
    issues = sum(len(part.known) for part in parts)
    return {
        "issues": issues,
        "known_issues": int(sum((part.known != 0).any(axis=1).sum() for part in parts)),
        "positives": int(sum((part.known > 0).sum() for part in parts)),
        "micro_f1": micro,
        "macro_f1": macro,
        "coverage_at_promise": coverage_at_promise(rank(parts), np.ones(issues)),
        "precision_at_coverage": {f"{at:g}": precision_at(curve, at) for at in COVERAGES},
        "served": pooled([measure(part.applied, part.known) for part in parts]).as_dict(),
        "calibration_error": calibration_error(bins),
        "calibration": bins,
    }


def _joined(parts: Sequence[NDArray[Any]]) -> Floats:
    """One array of numbers, empty for no parts."""
    return np.concatenate([np.zeros(0), *parts])
