"""Cuts against scipy's binomial test, and the promise itself by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest

from bot.classify.cuts import RANKS, choose_cut, list_ranks
from bot.core.bounds import lower_bound, p_value, upper_bound

TARGET, DELTA = 0.9, 0.05


@given(st.integers(1, 400), st.data(), st.sampled_from([0.8, 0.9, 0.95]))
def test_bounds_and_p_values_are_the_exact_ones(n: int, data: st.DataObject, target: float) -> None:
    right = data.draw(st.integers(0, n))
    peer = binomtest(right, n, target, alternative="greater")
    assert p_value(right, n, target=target) == pytest.approx(peer.pvalue, abs=1e-9)
    low = peer.proportion_ci(0.95, method="exact").low
    high = binomtest(right, n, alternative="less").proportion_ci(0.95, method="exact").high
    assert lower_bound(right, n, delta=0.05) == pytest.approx(low, abs=1e-9)
    assert upper_bound(right, n, delta=0.05) == pytest.approx(high, abs=1e-9)


@given(st.lists(st.tuples(st.sampled_from(np.linspace(0, 1, 21)), st.booleans()), max_size=80))
def test_ranks_are_prefixes_that_keep_ties_together(pairs: list[tuple[float, bool]]) -> None:
    p = np.array([p for p, _ in pairs])
    right = np.array([r for _, r in pairs], dtype=bool)
    ranks = list_ranks(p, right)
    assert len(ranks) <= len(RANKS)
    assert [rank.n for rank in ranks] == sorted({rank.n for rank in ranks})
    for rank in ranks:
        over = p >= rank.cut
        assert (rank.n, rank.right) == (over.sum(), right[over].sum())
        assert p[over].mean() == pytest.approx(rank.expected)
        assert rank.expected >= RANKS[-1]


def test_nothing_to_test_gives_no_cut() -> None:
    assert choose_cut(np.zeros(0), np.zeros(0, bool), target=TARGET, delta=DELTA) is None
    hopeless = np.full(50, 0.4)
    assert choose_cut(hopeless, np.ones(50, bool), target=TARGET, delta=DELTA) is None


def test_little_evidence_gives_no_cut_and_more_does() -> None:
    def cut(n: int) -> object:
        return choose_cut(np.full(n, 0.97), np.ones(n, bool), target=TARGET, delta=DELTA)

    assert cut(28) is None
    assert cut(60) is not None


def test_the_loosest_rank_that_holds_is_taken() -> None:
    """The first thousand are surely right, the next thousand are not."""
    p = np.concatenate([np.full(1000, 0.98), np.full(1000, 0.88)])
    right = np.concatenate([np.ones(1000, bool), np.arange(1000) % 2 == 0])
    found = choose_cut(p, right, target=TARGET, delta=DELTA)
    assert found is not None
    assert found.cut == pytest.approx(0.98)


def violations(truth: NDArray[np.float64], p: NDArray[np.float64], *, runs: int) -> float:
    """How often the chosen cut's true precision is below the target."""
    rng = np.random.default_rng(0)
    broken = 0
    for _ in range(runs):
        rank = choose_cut(p, rng.random(len(p)) < truth, target=TARGET, delta=DELTA)
        broken += rank is not None and truth[p >= rank.cut].mean() < TARGET
    return broken / runs


@pytest.mark.parametrize("n", [60, 300, 1500])
@pytest.mark.parametrize("shape", ["just below", "falling", "overconfident", "only the top is bad"])
def test_the_promise_breaks_no_oftener_than_delta(shape: str, n: int) -> None:
    rng = np.random.default_rng(n)
    p = np.sort(rng.beta(12, 1, n))[::-1]
    truth = {
        "just below": np.full(n, TARGET - 0.001),
        "falling": np.linspace(0.95, 0.8, n),
        "overconfident": p - 0.06,
        "only the top is bad": np.where(np.arange(n) < n / 3, 0.85, 0.92),
    }[shape]
    # Two standard errors of a share of .05 over 1,500 runs are .011.
    assert violations(truth, p, runs=1500) <= DELTA + 0.011


def test_a_good_head_is_let_through() -> None:
    """The price of the promise: with 500 pairs at .95 the cut is found nearly always."""
    rng = np.random.default_rng(1)
    p = np.clip(rng.normal(0.95, 0.02, 500), 0, 0.999)
    found = [
        choose_cut(p, rng.random(500) < p, target=TARGET, delta=DELTA) is not None
        for _ in range(200)
    ]
    assert np.mean(found) > 0.9
