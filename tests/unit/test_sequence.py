"""The betting test by simulation: rarely wrong however long it is watched, and soon right."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bot.core.sequence import disproved, log_stakes

TARGET, DELTA = 0.9, 0.05


def issues(errors: NDArray[np.float64], *, seed: int) -> tuple[NDArray[np.float64], ...]:
    """Issues of one to three applied labels, wrong or right together, with chance `errors`."""
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 4, len(errors)).astype(float)
    return np.where(rng.random(len(errors)) < errors, n, 0.0), n


@pytest.mark.parametrize("error", [0.1, 0.05])
def test_a_kept_promise_is_seldom_called_broken(error: float) -> None:
    runs = 300
    alarms = sum(
        disproved(*issues(np.full(600, error), seed=seed), target=TARGET, delta=DELTA)
        for seed in range(runs)
    )
    assert alarms / runs <= DELTA + 2 * (DELTA * 0.95 / runs) ** 0.5


def test_a_broken_promise_is_found() -> None:
    found = [
        disproved(*issues(np.full(200, 0.3), seed=seed), target=TARGET, delta=DELTA)
        for seed in range(30)
    ]
    assert np.mean(found) > 0.95


def test_a_change_is_found_long_after_the_start() -> None:
    """A good year does not buy a bad month."""
    errors = np.concatenate([np.full(500, 0.04), np.full(150, 0.35)])
    found = [disproved(*issues(errors, seed=s), target=TARGET, delta=DELTA) for s in range(20)]
    assert np.mean(found) > 0.9


def test_the_stake_is_never_negative_and_starts_at_one() -> None:
    stakes = log_stakes(*issues(np.full(300, 0.02), seed=1), target=TARGET)
    assert np.isfinite(stakes).all()
    assert abs(stakes[0]) < 1
    assert not len(log_stakes(np.zeros(0), np.zeros(0), target=TARGET))
    assert not disproved(np.zeros(0), np.zeros(0), target=TARGET, delta=DELTA)


def test_many_labels_on_one_issue_cost_no_more_than_the_stake() -> None:
    right = np.zeros(40), np.full(40, 30.0)
    assert np.isfinite(log_stakes(*right, target=TARGET)).all()
