"""Batched logistic regressions against scikit-learn's and scipy's, one label at a time."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from bot.classify.logistic import Linear, Prior, fit_logistic


def prior(features: int, labels: int, *, penalty: float = 0.3) -> Prior:
    return Prior(
        weights=np.zeros((features, labels), np.float32),
        intercepts=np.zeros(labels, np.float32),
        penalty=np.full(labels, penalty, np.float32),
        intercept_penalty=1e-6,
    )


@pytest.fixture
def problem() -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 20)).astype(np.float32)
    truth = X @ rng.normal(size=(20, 6)) + rng.normal(size=(300, 6)) - 1
    known = np.where(truth > 0, 1, -1).astype(np.int8)
    known[rng.random(known.shape) < 0.3] = 0
    return X, known


@pytest.mark.parametrize("sparse", [False, True])
def test_every_label_is_as_scikit_learn_fits_it(
    problem: tuple[NDArray[np.float32], NDArray[np.int8]], sparse: bool
) -> None:
    X, known = problem
    features = csr_matrix(X) if sparse else X
    found = fit_logistic(features, known, prior(20, 6), tolerance=1e-4, max_steps=300)
    for label in range(6):
        rows = known[:, label] != 0
        peer = LogisticRegression(C=1 / 0.3, tol=1e-8, max_iter=1000)
        peer.fit(X[rows], known[rows, label])
        assert found.weights[:, label] == pytest.approx(peer.coef_[0], abs=5e-3)
        assert found.intercepts[label] == pytest.approx(peer.intercept_[0], abs=5e-3)


def test_the_prior_mean_is_where_little_evidence_stays(
    problem: tuple[NDArray[np.float32], NDArray[np.int8]],
) -> None:
    X, known = problem
    rng = np.random.default_rng(1)
    centred = Prior(
        weights=rng.normal(size=(20, 6)).astype(np.float32),
        intercepts=np.full(6, -1.0, np.float32),
        penalty=np.full(6, 2.0, np.float32),
        intercept_penalty=0.5,
    )
    found = fit_logistic(X, known, centred, tolerance=1e-4, max_steps=300)

    def cost(point: NDArray[np.float64], label: int) -> float:
        rows = known[:, label] != 0
        margins = known[rows, label] * (X[rows] @ point[:-1] + point[-1])
        away = point - np.append(centred.weights[:, label], -1.0)
        pull = 2.0 * (away[:-1] ** 2).sum() + 0.5 * away[-1] ** 2
        return float(np.logaddexp(0, -margins).sum() + pull / 2)

    for label in range(6):
        best = minimize(cost, np.zeros(21), args=(label,), method="L-BFGS-B")
        mine = np.append(found.weights[:, label], found.intercepts[label]).astype(float)
        assert cost(mine, label) <= best.fun + 1e-2


def test_a_label_without_known_rows_keeps_its_prior() -> None:
    centred = Prior(
        weights=np.ones((3, 2), np.float32),
        intercepts=np.array([0.5, -0.5], np.float32),
        penalty=np.full(2, 1.0, np.float32),
    )
    known = np.zeros((4, 2), np.int8)
    known[:, 1] = [1, -1, 1, -1]
    found = fit_logistic(np.eye(4, 3, dtype=np.float32), known, centred)
    assert (found.weights[:, 0] == 1).all()
    assert found.intercepts[0] == 0.5
    assert not (found.weights[:, 1] == 1).all()


def test_no_rows_at_all_is_the_prior() -> None:
    start = prior(3, 2)
    found = fit_logistic(np.zeros((0, 3), np.float32), np.zeros((0, 2), np.int8), start)
    assert (found.weights == start.weights).all()


def test_unknown_rows_change_nothing(
    problem: tuple[NDArray[np.float32], NDArray[np.int8]],
) -> None:
    X, known = problem
    more = np.vstack([X, 9 * np.ones((50, 20), np.float32)])
    padded = np.vstack([known, np.zeros((50, 6), np.int8)])
    found = fit_logistic(X, known, prior(20, 6), tolerance=1e-4)
    same = fit_logistic(more, padded, prior(20, 6), tolerance=1e-4)
    assert found.weights == pytest.approx(same.weights, abs=1e-3)


def test_a_warm_start_ends_where_a_cold_one_does(
    problem: tuple[NDArray[np.float32], NDArray[np.int8]],
) -> None:
    X, known = problem
    cold = fit_logistic(X, known, prior(20, 6), tolerance=1e-4, max_steps=300)
    half = fit_logistic(X[:150], known[:150], prior(20, 6))
    warm = fit_logistic(X, known, prior(20, 6), start=half, tolerance=1e-4, max_steps=300)
    assert warm.weights == pytest.approx(cold.weights, abs=5e-3)


def test_logits_are_affine() -> None:
    side = Linear(np.array([[2.0]], np.float32), np.array([1.0], np.float32))
    assert side.logits(np.array([[3.0]], np.float32)).tolist() == [[7.0]]
    assert side.logits(csr_matrix(np.array([[3.0]], np.float32))).tolist() == [[7.0]]
