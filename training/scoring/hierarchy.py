"""Logistic regressions of many repositories: what all of them say is the prior of each one's own.

Little data of a repository's own follows the others, much decides for itself; no switch to throw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bot.classify.logistic import Features, Linear, Prior, fit_logistic
from bot.core.evidence import KnownPairs
from training.task import Floats, Ints

OWN_FROM = 20
"""Issues from which a repository has a regression of its own,"""
MOST_OWN = 64
"""and at most so many have one, those with the most issues."""
TOGETHER = 32
"""Labels that are fitted at once: all of them would need the memory of all of them."""


@dataclass(frozen=True, slots=True)
class Own:
    """A repository's own regression for the labels that it has answered."""

    repo: int
    columns: Ints
    regression: Linear


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The shared regression, and those of repositories with enough issues."""

    shared: Linear
    own: tuple[Own, ...]

    def logits(self, features: Features, repo: Ints) -> Floats:
        """[n, L]; a repository without a regression of its own (-1) is scored by the shared one."""
        found = self.shared.logits(features)
        for own in self.own:
            rows = np.flatnonzero(repo == own.repo)
            if len(rows):
                found[np.ix_(rows, own.columns)] = own.regression.logits(features[rows])
        return found


def fit_hierarchy(
    features: Features, known: KnownPairs, repo: Ints, *, penalty: float, own_penalty: float
) -> Hierarchy:
    """Fit on known pairs. Penalties are per weight: towards zero of the shared regression, towards
    that one of each repository's own."""
    positive, negative = (known > 0).sum(axis=0), (known < 0).sum(axis=0)
    flat = Linear(
        np.zeros((features.shape[1], known.shape[1]), dtype=np.float32),
        np.log((positive + 0.5) / (negative + 0.5)).astype(np.float32),
    )
    shared = _fit(features, known, flat, penalty=penalty)
    own = []
    for index in _largest(repo):
        rows = np.flatnonzero(repo == index)
        columns = np.flatnonzero((known[rows] != 0).any(axis=0))
        prior = Linear(shared.weights[:, columns], shared.intercepts[columns])
        fitted = _fit(features[rows], known[np.ix_(rows, columns)], prior, penalty=own_penalty)
        own.append(Own(index, columns, fitted))
    return Hierarchy(shared, tuple(own))


def _largest(repo: Ints) -> list[int]:
    names, counts = np.unique(repo[repo >= 0], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_OWN]
    return [int(names[i]) for i in order if counts[i] >= OWN_FROM]


def _fit(features: Features, known: KnownPairs, prior: Linear, *, penalty: float) -> Linear:
    """A group of labels after the other; they don't depend on each other."""
    weights, intercepts = prior.weights.copy(), prior.intercepts.copy()
    for start in range(0, known.shape[1], TOGETHER):
        here = slice(start, min(start + TOGETHER, known.shape[1]))
        penalties = np.full(here.stop - here.start, penalty, np.float32)
        group = Prior(prior.weights[:, here], prior.intercepts[here], penalties)
        fitted = fit_logistic(features, known[:, here], group)
        weights[:, here], intercepts[here] = fitted.weights, fitted.intercepts
    return Linear(weights, intercepts)
