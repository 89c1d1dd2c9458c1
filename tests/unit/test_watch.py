"""The watch: no false alarm however often one looks, an alarm when corrections double."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bot.core.watch import MOST_OLD, WANTED, Block, blocks_of, judge, log_stakes, stakes_of

ALPHA = 0.05
LIMIT = np.log(1 / ALPHA)


def ever_alarmed(rate: float, *, ratio: float = 1.0, beside: int = 4, blocks: int = 200) -> float:
    """Share of 2,000 lives in which the stake ever reached the limit, looked at after every issue."""
    random = np.random.default_rng(11)
    old = (random.random((2000, blocks, beside)) < rate).astype(float)
    new = (random.random((2000, blocks)) < rate * ratio).astype(float)
    return float((stakes_of(old, new).max(axis=-1) >= LIMIT).mean())


@pytest.mark.parametrize("beside", [1, MOST_OLD])
@pytest.mark.parametrize("rate", [0.02, 0.1, 0.4])
def test_equal_rates_alarm_no_more_often_than_alpha(rate: float, beside: int) -> None:
    assert ever_alarmed(rate, beside=beside) <= ALPHA


def test_a_bundle_that_is_corrected_less_never_alarms() -> None:
    assert ever_alarmed(0.2, ratio=0.5) <= 0.001


def test_repositories_that_differ_raise_no_alarm() -> None:
    """One at 2%, one at 40%, and all of the new issues late in the second: a pooled test would fall for it."""
    random = np.random.default_rng(3)
    rates = np.repeat([0.02, 0.4], 100)
    old = (random.random((2000, 200, 2)) < rates[:, None]).astype(float)
    new = (random.random((2000, 200)) < rates).astype(float)
    assert float((stakes_of(old, new).max(axis=-1) >= LIMIT).mean()) <= ALPHA


@pytest.mark.parametrize(
    ("rate", "beside", "power"), [(0.1, 4, 0.8), (0.1, 1, 0.6), (0.05, 4, 0.5)]
)
def test_twice_as_many_corrections_are_seen(rate: float, beside: int, power: float) -> None:
    assert ever_alarmed(rate, ratio=2.0, beside=beside) >= power


def test_shares_of_labels_are_outcomes_too() -> None:
    random = np.random.default_rng(5)
    shares: NDArray[np.float64] = random.choice([0.0, 1 / 3, 0.5, 1.0], size=(2000, 200, 5))
    stakes = stakes_of(shares[..., :4], shares[..., 4])
    assert float((stakes.max(axis=-1) >= LIMIT).mean()) <= ALPHA


def test_an_issue_without_old_ones_beside_it_moves_nothing() -> None:
    assert log_stakes([Block((), 1.0)] * 5).tolist() == pytest.approx([0.0] * 5)


def test_old_issues_stand_beside_new_ones_once_and_by_their_number_alone() -> None:
    few = blocks_of([0.0, 1.0, 0.5], [1.0] * 5)
    assert few == [Block((0.0,), 1.0), Block((1.0,), 1.0), Block((0.5,), 1.0)]
    many = blocks_of([0.0] * (MOST_OLD * WANTED), [0.0] * 10)
    assert {len(block.old) for block in many} == {MOST_OLD}
    assert blocks_of([], [1.0]) == []


def test_the_verdict_says_what_was_compared() -> None:
    nothing = judge([], alpha=ALPHA)
    assert (nothing.issues_after, nothing.rate_after, nothing.risen) == (0, None, False)
    bad = judge([Block((0.0, 0.0, 0.0, 0.0), 1.0)] * 20, alpha=ALPHA)
    assert (bad.issues_before, bad.issues_after) == (80, 20)
    assert (bad.rate_before, bad.rate_after) == (0.0, 1.0)
    assert bad.risen
    assert bad.stake >= 1 / ALPHA


def test_what_was_once_reached_counts() -> None:
    """The limit holds for all times: good issues afterwards do not take the alarm back."""
    alarmed = [Block((0.0, 0.0), 1.0)] * 20
    assert judge([*alarmed, *[Block((0.0, 0.0), 0.0)] * 500], alpha=ALPHA).risen
