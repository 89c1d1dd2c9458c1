"""Logistic regressions of many repositories: what all of them say is the prior of each one's own.

Little data of a repository's own follows the others, much decides for itself; no switch to throw. Time and
memory follow the pairs that are known: labels are fitted on the issues that answer them, over the features
that those issues have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from bot.classify.logistic import Features, Linear, Prior, fit_logistic
from bot.core.evidence import KnownPairs
from training.task import Floats, Ints

OWN_FROM = 20
"""Issues from which a repository has a regression of its own,"""
MOST_OWN = 64
"""and at most so many have one, those with the most issues,"""
MOST_WEIGHTS = 200_000_000
"""as long as all of these have no more weights than this."""
TOGETHER = 16
"""Labels that are fitted at once: all of them would need the memory of all of them."""

OnPart = Callable[[int, int], None]
"""Called with (parts fitted, parts in all)."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A few labels of one repository (-1: of all), and the issues that answer them."""

    repo: int
    columns: Ints
    rows: Ints


@dataclass(frozen=True, slots=True)
class Own:
    """How a repository's own regression differs from the shared one, in the features it has shown."""

    repo: int
    columns: Ints
    active: Ints
    difference: Linear


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
                said = own.difference.logits(features[rows][:, own.active])
                found[np.ix_(rows, own.columns)] += said
        return found


def fit_hierarchy(
    features: Features,
    known: KnownPairs,
    repo: Ints,
    *,
    penalty: float,
    own_penalty: float,
    prior: Floats | None = None,
    workers: int = 1,
    on_part: OnPart | None = None,
) -> Hierarchy:
    """Fit on known pairs. Penalties are per weight: towards `prior` [features, L] (zero if not given) of
    the shared regression, towards that one of each repository's own. `workers` change the time, not the
    result."""
    positive, negative = (known > 0).sum(axis=0), (known < 0).sum(axis=0)
    shared = Linear(
        np.zeros((features.shape[1], known.shape[1]), np.float32)
        if prior is None
        else prior.copy(),
        np.log((positive + 0.5) / (negative + 0.5)).astype(np.float32),
    )
    common = list(_parts(known, -1, np.arange(len(known))))
    own = list(_own_parts(features, known, repo))
    total, done = len(common) + len(own), 0

    def fit(parts: Sequence[_Part], penalty: float) -> Iterator[Own]:
        nonlocal done
        for each in pool.map(lambda part: _fit(features, known, shared, part, penalty), parts):
            done += 1
            if on_part is not None:
                on_part(done, total)
            yield each

    with ThreadPoolExecutor(workers) as pool:
        # Their columns are apart: no fit reads what another one wrote.
        for each in fit(common, penalty):
            shared.weights[np.ix_(each.active, each.columns)] += each.difference.weights
            shared.intercepts[each.columns] += each.difference.intercepts
        return Hierarchy(shared, tuple(fit(own, own_penalty)))


def _own_parts(features: Features, known: KnownPairs, repo: Ints) -> Iterator[_Part]:
    room = MOST_WEIGHTS
    for index in _largest(repo):
        rows = np.flatnonzero(repo == index)
        parts = list(_parts(known, index, rows))
        room -= len(_active(features[rows])) * sum(len(part.columns) for part in parts)
        if room < 0:
            return
        yield from parts


def _largest(repo: Ints) -> list[int]:
    names, counts = np.unique(repo[repo >= 0], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_OWN]
    return [int(names[i]) for i in order if counts[i] >= OWN_FROM]


def _parts(known: KnownPairs, repo: int, rows: Ints) -> Iterator[_Part]:
    """Labels that the same issues answer come together, for only those issues are then looked at."""
    told = known[rows] != 0
    columns = np.flatnonzero(told.any(axis=0))
    columns = np.array(sorted(columns, key=lambda j: told[:, j].tobytes()), dtype=np.int64)
    for start in range(0, len(columns), TOGETHER):
        group = np.sort(columns[start : start + TOGETHER])
        yield _Part(repo, group, rows[told[:, group].any(axis=1)])


def _fit(features: Features, known: KnownPairs, prior: Linear, part: _Part, penalty: float) -> Own:
    here = features if len(part.rows) == len(known) else features[part.rows]
    active = _active(here)
    if len(active) < features.shape[1]:
        here = here[:, active]
    start = Linear(prior.weights[np.ix_(active, part.columns)], prior.intercepts[part.columns])
    penalties = np.full(len(part.columns), penalty, np.float32)
    fitted = fit_logistic(
        here,
        known[np.ix_(part.rows, part.columns)],
        Prior(start.weights, start.intercepts, penalties),
    )
    moved = Linear(fitted.weights - start.weights, fitted.intercepts - start.intercepts)
    return Own(part.repo, part.columns, active, moved)


def _active(features: Features) -> Ints:
    """The features that are met at all: no weight of another one moves."""
    if isinstance(features, csr_matrix):
        return np.flatnonzero(np.bincount(features.indices, minlength=features.shape[1]))
    return np.flatnonzero(features.any(axis=0))
