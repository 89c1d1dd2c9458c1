"""The combiner: scipy's optimum, shrinkage towards the pool, and no peeking at its own block."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from bot.classify.calibrate import (
    DEFAULT,
    LABEL_STIFFNESS,
    OFFSET_STIFFNESS,
    cross_probabilities,
    fit_combiner,
)

Evidence = tuple[NDArray[np.float32], NDArray[np.int8]]


def made(n: int, labels: int, *, slope: float = 1.0, seed: int = 0) -> Evidence:
    rng = np.random.default_rng(seed)
    evidence = rng.normal(size=(4, n, labels)).astype(np.float32)
    truth = rng.random((n, labels)) < expit(slope * (evidence[0] + evidence[1]) - 1)
    return evidence, np.where(truth, 1, -1).astype(np.int8)


def test_without_evidence_it_is_the_default() -> None:
    found = fit_combiner(np.zeros((4, 0, 3), np.float32), np.zeros((0, 3), np.int8))
    assert found.coefficients == pytest.approx(np.tile(DEFAULT, (3, 1)))


def test_a_label_is_at_the_optimum_of_its_penalised_loss() -> None:
    evidence, known = made(400, 3)
    known[:, 2] = 0
    found = fit_combiner(evidence, known)
    pool = found.coefficients[2]
    stiffness = np.append(np.full(4, LABEL_STIFFNESS), OFFSET_STIFFNESS)
    design = np.vstack([evidence[:, :, 0], np.ones(400)]).T

    def cost(point: NDArray[np.float64]) -> float:
        margins = known[:, 0] * (design @ point)
        pull = 0.5 * (stiffness * (point - pool) ** 2).sum()
        return float(np.logaddexp(0, -margins).sum() + pull)

    best = minimize(cost, pool, method="BFGS")
    assert found.coefficients[0] == pytest.approx(best.x, abs=1e-2)


def test_a_label_without_pairs_follows_the_pool_and_a_rich_one_itself() -> None:
    evidence, known = made(3000, 3)
    flipped = known.copy()
    flipped[:, 0] *= -1
    flipped[5:, 1] = 0
    found = fit_combiner(evidence, flipped).coefficients
    assert found[0, 0] < -0.5
    assert abs(found[1, 0] - found[2, 0]) > 0.1
    assert abs(found[1, 0] - found[0, 0]) > 0.1


def test_probabilities_are_calibrated() -> None:
    evidence, known = made(4000, 2)
    p = fit_combiner(evidence, known).probabilities(evidence)
    for low, high in ((0.0, 0.2), (0.2, 0.5), (0.5, 0.8), (0.8, 1.0)):
        inside = (p >= low) & (p < high)
        assert (known[inside] > 0).mean() == pytest.approx(p[inside].mean(), abs=0.04)


def test_unknown_pairs_teach_nothing() -> None:
    evidence, known = made(300, 2)
    more = np.concatenate([evidence, 9 * np.ones((4, 100, 2), np.float32)], axis=1)
    padded = np.vstack([known, np.zeros((100, 2), np.int8)])
    once, again = fit_combiner(evidence, known), fit_combiner(more, padded)
    assert once.coefficients == pytest.approx(again.coefficients, abs=1e-2)


def test_a_block_does_not_see_its_own_truths() -> None:
    evidence, known = made(600, 2)
    block = np.repeat(np.arange(3, dtype=np.int32), 200)
    start = fit_combiner(evidence, known)
    p = cross_probabilities(evidence, known, block, start=start)
    changed = known.copy()
    changed[block == 1] *= -1
    q = cross_probabilities(evidence, changed, block, start=start)
    assert p[block == 1] == pytest.approx(q[block == 1], abs=1e-3)
    assert np.abs(p[block == 0] - q[block == 0]).max() > 0.05


def test_extreme_evidence_stays_finite() -> None:
    evidence = np.array([[[40.0]] * 30, [[-40.0]] * 30, [[0.0]] * 30, [[4.0]] * 30], np.float32)
    known = np.ones((30, 1), np.int8)
    found = fit_combiner(evidence, known)
    assert np.isfinite(found.coefficients).all()
    assert np.isfinite(found.probabilities(evidence)).all()
