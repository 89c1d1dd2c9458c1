"""Paired bootstrap over issues, stratified by repository (Efron and Tibshirani 1993): how sure a difference is.

Both contenders are measured on the same resample. Refuses a lower bound finer than its resamples can
tell without the normal approximation beside it: the more careful of the two counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from training.judge.judged import Floats, Judged, coverage_at_promise, f1_counts, rank
from training.judge.redraw import error_of_mean

RESAMPLES = 2000
RESOLVED = 20
"""Resamples that must lie beyond a percentile for it to be read off them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Challenger minus champion: as measured, and in each resample."""

    champion: float
    challenger: float
    draws: Floats

    @property
    def value(self) -> float:
        return self.challenger - self.champion

    @property
    def error(self) -> float:
        """Standard error."""
        return float(self.draws.std(ddof=1)) if len(self.draws) > 1 else 0.0

    def lower(self, alpha: float) -> float:
        """What the difference surely exceeds, at one-sided level `alpha`."""
        normal = self.value - NormalDist().inv_cdf(1 - alpha) * self.error
        if alpha * len(self.draws) < RESOLVED:
            return normal
        return min(normal, float(np.quantile(self.draws, alpha)))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Percentile interval."""
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)

    @property
    def p_worse(self) -> float:
        """One-sided p-value of "the challenger is not worse"; small speaks against it."""
        if not self.error:
            return 0.0 if self.value < 0 else 1.0
        return NormalDist().cdf(self.value / self.error)

    def as_dict(self) -> dict[str, Any]:
        low, high = self.interval()
        return {
            "champion": self.champion,
            "challenger": self.challenger,
            "difference": self.value,
            "interval": [low, high],
            "standard_error": self.error,
            "p_worse": self.p_worse,
        }


Parts = Sequence[Judged]


def resample(sizes: Sequence[int], *, resamples: int, seed: int) -> list[Floats]:
    """For each repository, how often each of its issues is drawn: [resamples, n]."""
    rng = np.random.default_rng(seed)
    return [rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64) for n in sizes]


def compare_served(champion: Parts, challenger: Parts, weights: Sequence[Floats]) -> Difference:
    """Share of the issues that each one's own cuts apply a label to: the mean over redraws of the past that
    chooses them. The draws scatter by the issues that judge, and by that past."""
    issues = sum(part.covered.shape[1] for part in champion)
    if not issues:
        return Difference(0.0, 0.0, np.zeros(2))
    before, after = (
        sum(float(part.covered.mean(axis=0).sum()) for part in parts) / issues
        for parts in (champion, challenger)
    )
    rng = np.random.default_rng(0)
    draws = np.zeros(len(weights[0]))
    for one, other, w in zip(champion, challenger, weights, strict=True):
        gain = other.covered.astype(np.float64) - one.covered
        luck = gain.shape[1] * error_of_mean(gain.mean(axis=1)) * rng.standard_normal(len(w))
        draws += w @ gain.mean(axis=0) + luck
    return Difference(before, after, draws / issues)


def compare_coverage(champion: Parts, challenger: Parts, weights: Sequence[Floats]) -> Difference:
    """Coverage at the promised precision, pooled; `weights` as `resample` gives them."""
    joined = np.concatenate(weights, axis=1) if weights else np.zeros((2, 0))
    return _compare(
        [_coverage_of(parts) for parts in (champion, challenger)],
        np.ones(joined.shape[1]),
        joined,
    )


def compare_macro_f1(champion: Parts, challenger: Parts, weights: Sequence[Floats]) -> Difference:
    """Macro-F1, mean of the repositories; labels without a positive in a resample are left out of it."""
    once = [np.ones((1, w.shape[1])) for w in weights]
    figures = [(_macro(p, once)[0], _macro(p, weights)) for p in (champion, challenger)]
    (before, draws_before), (after, draws_after) = figures
    return Difference(float(before), float(after), draws_after - draws_before)


def _coverage_of(parts: Parts) -> Callable[[Floats], float]:
    ranking = rank(parts)
    return lambda weights: coverage_at_promise(ranking, weights)


def _compare(
    measures: Sequence[Callable[[Floats], float]], once: Floats, weights: Floats
) -> Difference:
    champion, challenger = measures
    draws = np.array([challenger(row) - champion(row) for row in weights])
    return Difference(champion(once), challenger(once), draws)


def _macro(parts: Parts, weights: Sequence[Floats]) -> Floats:
    """[resamples]: mean over repositories of the mean F1 over labels."""
    found = []
    for part, w in zip(parts, weights, strict=True):
        right, wrong, positives = (w @ count for count in f1_counts(part))
        there = positives > 0
        scores = np.where(there, 2 * right / np.maximum(right + wrong + positives, 1e-9), 0.0)
        if there.any():
            found.append(scores.sum(axis=1) / np.maximum(there.sum(axis=1), 1))
    return (
        np.asarray(np.mean(found, axis=0)) if found else np.zeros(len(weights[0]) if weights else 2)
    )
