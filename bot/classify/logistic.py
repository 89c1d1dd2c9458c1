"""Logistic regressions of many labels at once, each on its own known rows, each with its own prior.

Minimises, per label, sum of log-loss over known rows + penalty / 2 * |weights - prior|^2 by L-BFGS
(Nocedal & Wright, Numerical Optimization, algorithm 7.4), vectorised over labels: one product with the
features serves them all. Refuses to touch unknown pairs.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Floats: TypeAlias = NDArray[np.float32]
Features: TypeAlias = "Floats | csr_matrix"

MEMORY = 6
ARMIJO = 1e-4
HALVINGS = 12
CROWDED = 0.7
"""Share of labels still moving below which the others leave the arrays."""

Step: TypeAlias = "tuple[Floats, Floats, NDArray[np.float64]]"
"""A step, the change of the gradient over it, and their product per label."""


@dataclass(frozen=True, slots=True)
class Linear:
    """weights [features, labels] and intercepts [labels]; logits are `features @ weights + intercepts`."""

    weights: Floats
    intercepts: Floats

    def logits(self, features: Features) -> Floats:
        return np.asarray(features @ self.weights + self.intercepts, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Prior:
    """Gaussian prior: means of weights [features, labels] and intercepts [labels], and penalties
    (inverse variances) per label."""

    weights: Floats
    intercepts: Floats
    penalty: Floats
    intercept_penalty: float = 0.01


def fit_logistic(
    features: Features,
    known: NDArray[np.int8],
    prior: Prior,
    *,
    weights: Floats | None = None,
    start: Linear | None = None,
    tolerance: float = 1e-2,
    max_steps: int = 60,
) -> Linear:
    """Posterior modes for `known` [n, L] in {+1, -1, 0}; a label without known rows keeps its prior.

    `weights` [n, L]: how often each pair counts, once if not given. `start`: where to begin (a
    previous fit), the prior if not given. `tolerance`: on the largest entry of a label's gradient,
    relative to how many rows its rarer answer has.
    """
    problem = _Problem(features, known, prior, weights)
    begin = start if start is not None else Linear(prior.weights, prior.intercepts)
    point = np.vstack([begin.weights, begin.intercepts[None, :]]).astype(np.float32)
    point = _minimise(problem, point, tolerance, max_steps)
    return Linear(weights=point[:-1], intercepts=point[-1])


class _Problem:
    """Value and gradient of every label's penalised loss at once; `point` is [features + 1, L]."""

    def __init__(
        self,
        features: Features,
        known: NDArray[np.int8],
        prior: Prior,
        weights: Floats | None = None,
    ) -> None:
        self.features = features
        self.transposed = features.T.tocsr() if isinstance(features, csr_matrix) else features.T
        self.sign = known.astype(np.float32)
        mass = np.abs(self.sign)
        self.mass = mass if weights is None else mass * weights.astype(np.float32)
        self.mean = np.vstack([prior.weights, prior.intercepts[None, :]]).astype(np.float32)
        self.penalty = np.broadcast_to(prior.penalty, self.mean.shape[1:]).astype(np.float32)
        self.intercept_penalty = np.float32(prior.intercept_penalty)

    @property
    def curvature(self) -> Floats:
        """Per label, an upper bound of the curvature along any unit feature."""
        return np.asarray(self.mass.sum(axis=0) / 4 + self.penalty, dtype=np.float32)

    @property
    def rarer(self) -> Floats:
        """Per label, how many known rows its rarer answer has."""
        positives, negatives = (self.sign > 0).sum(axis=0), (self.sign < 0).sum(axis=0)
        return np.asarray(np.minimum(positives, negatives) + 1, dtype=np.float32)

    def narrow(self, kept: NDArray[np.bool_]) -> None:
        """Go on with some of the labels only."""
        self.sign, self.mass = self.sign[:, kept], self.mass[:, kept]
        self.mean, self.penalty = self.mean[:, kept], self.penalty[kept]

    def measure(self, point: Floats) -> tuple[NDArray[np.float64], Floats]:
        margins = self.sign * (self.features @ point[:-1] + point[-1])
        # log(1 + exp(-m)) and 1 / (1 + exp(m)) from one exponential that cannot overflow.
        small = np.exp(-np.abs(margins))
        losses = (np.log1p(small) - np.minimum(margins, 0)) * self.mass
        residuals = -self.sign * self.mass * np.where(margins >= 0, small, 1) / (1 + small)
        away = point - self.mean
        pull = away * self.penalty
        pull[-1] = away[-1] * self.intercept_penalty
        gradient = np.empty_like(point)
        gradient[:-1] = self.transposed @ residuals
        gradient[-1] = residuals.sum(axis=0)
        value = losses.sum(axis=0, dtype=np.float64) + 0.5 * _dot(away, pull)
        return value, gradient + pull


def _minimise(problem: _Problem, point: Floats, tolerance: float, max_steps: int) -> Floats:
    """L-BFGS until every label's gradient is small; labels that are done leave the products."""
    found = point.copy()
    columns = np.arange(point.shape[1])
    past: deque[Step] = deque(maxlen=MEMORY)
    value, gradient = problem.measure(point)
    bound = tolerance * problem.rarer
    for _ in range(max_steps):
        active = np.abs(gradient).max(axis=0) > bound
        if not active.any():
            break
        if active.mean() < CROWDED:
            found[:, columns] = point
            problem.narrow(active)
            columns, bound, value = columns[active], bound[active], value[active]
            point, gradient = point[:, active], gradient[:, active]
            past = deque(((s[:, active], y[:, active], c[active]) for s, y, c in past), MEMORY)
        direction = _direction(gradient, past, problem.curvature)
        moved, moved_value, moved_gradient = _search(problem, point, value, gradient, direction)
        step, change = moved - point, moved_gradient - gradient
        curvature = _dot(step, change)
        past.append((step, change, np.where(curvature > 1e-10, curvature, np.inf)))
        point, value, gradient = moved, moved_value, moved_gradient
    found[:, columns] = point
    return found


def _direction(
    gradient: Floats,
    past: deque[Step],
    steepest: Floats,
) -> Floats:
    """The two-loop recursion, every label with its own coefficients; a pair without curvature for a
    label has an infinite one and so no say in it."""
    direction = -gradient
    alphas = []
    for step, change, curvature in reversed(past):
        alpha = (_dot(step, direction) / curvature).astype(np.float32)
        direction -= alpha * change
        alphas.append(alpha)
    if past:
        _, change, curvature = past[-1]
        usable = np.isfinite(curvature)
        size = np.where(usable, curvature, 1) / np.maximum(_dot(change, change), 1e-12)
        direction *= np.where(usable, size, 1 / steepest).astype(np.float32)
    else:
        direction *= 1 / steepest
    for (step, change, curvature), alpha in zip(past, reversed(alphas), strict=True):
        beta = (_dot(change, direction) / curvature).astype(np.float32)
        direction += (alpha - beta) * step
    return direction


def _search(
    problem: _Problem,
    point: Floats,
    value: NDArray[np.float64],
    gradient: Floats,
    direction: Floats,
) -> tuple[Floats, NDArray[np.float64], Floats]:
    """Backtracking per label (Armijo); a label that finds no descent stays where it is."""
    slope = np.minimum(_dot(gradient, direction), 0)
    size = np.ones(point.shape[1], dtype=np.float32)
    for _ in range(HALVINGS):
        moved = point + size * direction
        moved_value, moved_gradient = problem.measure(moved)
        failed = moved_value > value + ARMIJO * size * slope + 1e-6 * np.abs(value)
        if not failed.any():
            return moved, moved_value, moved_gradient
        size = np.where(failed, size / 2, size).astype(np.float32)
    size = np.where(failed, 0, size).astype(np.float32)
    moved = point + size * direction
    return moved, *problem.measure(moved)


def _dot(left: Floats, right: Floats) -> NDArray[np.float64]:
    return np.asarray(np.einsum("ij,ij->j", left, right), dtype=np.float64)
