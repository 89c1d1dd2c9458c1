"""Estimates of the silent share by simulation: they hit the truth, and their bounds hold it."""

from __future__ import annotations

import numpy as np
import pytest

from bot.core.unbiased import Practice, correction_rate, coverage, label_recall, precision

DELTA = 0.05


def practice(
    *, seed: int, n: int = 2000, truth: float = 0.9, shares: tuple[float, ...] = (0.1,)
) -> Practice:
    """Two labels, each applied to a third of the issues; `shares` of silence follow each other in time.
    Where we acted a wrong label is corrected with probability .6, and a right one is unknown."""
    rng = np.random.default_rng(seed)
    applied = rng.random((n, 2)) < 1 / 3
    right = rng.random((n, 1)) < truth  # the pairs of an issue are right or wrong together
    share = np.repeat(shares, -(-n // len(shares)))[:n]
    silent = rng.random(n) < share
    known = np.where(right, 1, -1) * np.ones((1, 2), int)
    unseen = ~silent[:, None] & applied & (right | (rng.random((n, 2)) > 0.6))
    known = np.where(unseen, 0, np.where(applied, known, -1))
    return Practice(applied, known.astype(np.int8), np.where(silent, 1 / share, 0.0))


def test_the_bounds_hold_the_truth_as_often_as_they_say() -> None:
    missed = 0
    for seed in range(200):
        found = precision(practice(seed=seed), delta=DELTA)
        missed += not found.low <= 0.9 <= found.high
    assert missed / 200 <= DELTA + 2 * (DELTA * 0.95 / 200) ** 0.5


def test_one_error_that_weighs_little_makes_nothing_surer() -> None:
    """A share of silence that changed, and an error in the light part: the variance of that sample alone would
    stand for more draws than there were."""
    rng, missed, lives = np.random.default_rng(7), 0, 1000
    for _ in range(lives):
        labels = np.arange(3) < rng.integers(1, 4, (60, 1))
        known = np.where(rng.random((60, 3)) < 0.02, -1, 1).astype(np.int8)
        found = Practice(labels, known, rng.choice([20.0, 20.0, 5.0], 60))
        missed += precision(found, delta=DELTA).low > 0.98
    assert missed / lives <= DELTA / 2 + 2 * (DELTA / 2 / lives) ** 0.5


def test_weights_undo_a_share_that_changed() -> None:
    """Precision .95 while a tenth was silent, .65 while half was: counting heads would say .7."""

    def found(seed: int) -> float:
        early = practice(seed=seed, truth=0.95, shares=(0.1,))
        late = practice(seed=seed + 1000, truth=0.65, shares=(0.5,))
        both = Practice(
            np.concatenate([early.applied, late.applied]),
            np.concatenate([early.known, late.known]),
            np.concatenate([early.weights, late.weights]),
        )
        share = precision(both, delta=DELTA)
        assert share.value is not None
        return share.value

    assert np.mean([found(seed) for seed in range(20)]) == pytest.approx(0.8, abs=0.02)


def test_corrections_bound_the_error_from_below() -> None:
    found = [correction_rate(practice(seed=seed), delta=DELTA).value for seed in range(20)]
    assert np.mean([value for value in found if value is not None]) == pytest.approx(0.06, abs=0.01)


def test_coverage_and_recall() -> None:
    applied = np.array([[True, False], [False, False], [True, True], [True, True]])
    known = np.array([[1, -1], [1, 0], [1, -1], [1, 1]], np.int8)
    found = Practice(applied, known, np.array([10.0, 10.0, 10.0, 0.0]))
    assert coverage(found, delta=DELTA).value == pytest.approx(2 / 3)
    assert label_recall(found, delta=DELTA).value == pytest.approx(2 / 3)
    assert precision(found, delta=DELTA).value == pytest.approx(2 / 3)
    assert precision(found, delta=DELTA).n == 3


def test_nothing_seen_is_said() -> None:
    nothing = Practice(np.zeros((3, 2), bool), np.zeros((3, 2), np.int8), np.zeros(3))
    found = precision(nothing, delta=DELTA)
    assert (found.value, found.low, found.high, found.n) == (None, 0.0, 1.0, 0)


def test_errors_are_looked_for_where_they_can_be_seen() -> None:
    applied = np.ones((2, 2), bool)
    known = np.array([[-1, 0], [-1, 0]], np.int8)
    wrong, looked = Practice(applied, known, np.array([20.0, 0.0])).errors()
    assert wrong.sum(axis=1).tolist() == [1, 1]
    assert looked.sum(axis=1).tolist() == [1, 2]
