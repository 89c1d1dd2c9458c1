"""The draw of the silent share: fair, steady, and raised for small repositories only so far."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.silence import ENOUGH, MOST, draw, monthly_share, silent


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_the_share_is_drawn(share: float) -> None:
    drawn = sum(silent(1_000_000 + 7 * n, seed=42, share=share) for n in range(20_000)) / 20_000
    assert drawn == pytest.approx(share, abs=4 * (share * (1 - share) / 20_000) ** 0.5)


@given(st.integers(1, 2**53), st.integers(1, 2**40), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_holds_the_smaller_one(issue: int, seed: int, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert silent(issue, seed=seed, share=low) <= silent(issue, seed=seed, share=high)
    assert not silent(issue, seed=seed, share=0)
    assert silent(issue, seed=seed, share=1)


def test_repositories_draw_apart() -> None:
    both = [silent(n, seed=1, share=0.3) and silent(n, seed=2, share=0.3) for n in range(20_000)]
    assert sum(both) / 20_000 == pytest.approx(0.09, abs=0.01)


@pytest.mark.parametrize(
    ("issues", "share"),
    [(0, 0.05), (29, 0.05), (30, MOST), (150, 0.2), (300, 0.1), (600, 0.05), (5000, 0.05)],
)
def test_enough_a_month_where_there_are_so_many(issues: int, share: float) -> None:
    assert monthly_share(0.05, issues=issues) == pytest.approx(share)


@given(st.floats(0, 1), st.integers(0, 10**6))
def test_what_was_asked_is_the_least_and_nothing_stays_nothing(asked: float, issues: int) -> None:
    found = monthly_share(asked, issues=issues)
    assert asked <= found <= max(asked, MOST)
    assert monthly_share(0, issues=issues) == 0
    assert found * issues >= min(ENOUGH, MOST * issues) - 1e-6 or asked == 0 or issues < ENOUGH


def test_the_probability_goes_with_the_draw() -> None:
    assert draw(7, seed=3, share=1.0).silent
    assert draw(7, seed=3, share=0.25).probability == 0.25
