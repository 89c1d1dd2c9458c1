"""Figures of a contender, against what can be counted by hand and against plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.training.contests import always, contest
from training.judge.bootstrap import (
    Difference,
    compare_coverage,
    compare_macro_f1,
    compare_served,
    resample,
)
from training.judge.judged import (
    Judged,
    calibration,
    calibration_error,
    coverage_at_promise,
    f1,
    figures,
    precision_at,
    precision_curve,
    rank,
)
from training.scoring.measure import f1_of, hindsight_coverage


def judged(p: Any, known: Any, *, target: float = 0.75, applied: Any = None) -> Judged:
    p, known = np.array(p, dtype=float), np.array(known, dtype=np.int8)
    offered = np.ones(p.shape, dtype=bool)
    applied = offered & (p > 0.5) if applied is None else np.array(applied)
    return Judged(("x", "y")[: p.shape[1]], known, p, offered, applied, always(applied), target)


def test_coverage_at_the_promised_precision_by_hand() -> None:
    part = judged([[0.9], [0.8], [0.7], [0.6], [0.5]], [[1], [1], [-1], [1], [-1]])
    ones = np.ones(5)
    assert coverage_at_promise(rank([part]), ones) == pytest.approx(0.8)  # 3 of 4 right
    strict = judged(part.probabilities, part.known, target=0.76)
    assert coverage_at_promise(rank([strict]), ones) == pytest.approx(0.4)
    # The same issue drawn twice counts twice.
    assert coverage_at_promise(rank([strict]), np.array([2, 0, 0, 0, 3.0])) == pytest.approx(0.4)


def test_unknown_pairs_are_neither_right_nor_wrong_but_arrive() -> None:
    part = judged([[0.9], [0.8], [0.7]], [[0], [1], [0]])
    assert coverage_at_promise(rank([part]), np.ones(3)) == 1
    unknown = judged([[0.9], [0.8]], [[0], [0]])
    assert coverage_at_promise(rank([unknown]), np.ones(2)) == 0


def test_ties_are_taken_or_left_together() -> None:
    part = judged([[0.9], [0.9], [0.9]], [[1], [-1], [-1]], target=0.9)
    assert coverage_at_promise(rank([part]), np.ones(3)) == 0


def test_the_same_as_the_figure_of_score_where_both_speak() -> None:
    part, _ = contest(seed=3)
    want = hindsight_coverage(part.probabilities, part.known, target=0.9, single=True)
    assert coverage_at_promise(rank([part]), np.ones(len(part.known))) == pytest.approx(want)
    micro, macro = f1([part])
    found = f1_of(part.predicted, part.known, part.labels)
    assert (micro, macro) == (pytest.approx(found.micro), pytest.approx(found.macro))


def test_each_repository_brings_its_own_promise() -> None:
    lax = judged([[0.9], [0.8]], [[1], [-1]], target=0.5)
    strict = judged([[0.95], [0.7]], [[1], [1]], target=0.99)
    both = rank([lax, strict])
    assert both.best.tolist() == [1, 2, 0, 3]
    assert both.issue.tolist() == [2, 0, 1, 3]
    assert both.margin.tolist() == pytest.approx([0.01, 0.5, -0.5, 0.01])


def test_the_curve_and_its_precisions() -> None:
    part = judged([[0.9], [0.8], [0.7], [0.6]], [[1], [1], [-1], [-1]])
    coverage, precision = precision_curve([part])
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert precision.tolist() == pytest.approx([1, 1, 2 / 3, 0.5])
    assert precision_at((coverage, precision), 0.75) == pytest.approx(2 / 3)
    assert precision_at((coverage[:2], precision[:2]), 0.75) is None


def test_calibration_by_hand() -> None:
    part = judged([[0.95], [0.95], [0.15], [0.5]], [[1], [-1], [-1], [0]])
    bins = calibration([part])
    assert [found["n"] for found in bins] == [1, 2]
    assert calibration_error(bins) == pytest.approx((0.15 + 2 * 0.45) / 3)
    assert calibration_error([]) is None


def test_figures_of_nothing_are_nothing() -> None:
    found = figures([])
    assert found["issues"] == 0
    assert found["micro_f1"] is None
    assert found["coverage_at_promise"] == 0
    nobody = judged(np.zeros((0, 2)), np.zeros((0, 2)))
    assert figures([nobody])["macro_f1"] is None


def test_a_contender_against_itself_differs_by_nothing() -> None:
    part, _ = contest(n=60)
    weights = resample([60], resamples=50, seed=0)
    for compare in (compare_coverage, compare_macro_f1, compare_served):
        found = compare([part], [part], weights)
        assert (found.value, found.error, found.p_worse) == (0, 0, 1)
        assert found.lower(0.025) == 0


def test_coverage_of_own_cuts_by_hand() -> None:
    first = judged([[0.9], [0.1], [0.1]], [[1], [1], [1]])
    second = judged([[0.9], [0.9], [0.1]], [[1], [1], [1]])
    drawn = [np.array([[1.0, 1, 1], [0, 3, 0], [3, 0, 0]])]
    found = compare_served([first], [second], drawn)
    assert (found.champion, found.challenger) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert found.draws.tolist() == pytest.approx([1 / 3, 1, 0])
    assert compare_served([], [], []).value == 0


def test_resamples_keep_the_size_of_each_repository() -> None:
    first, second = resample([5, 9], resamples=20, seed=1)
    assert first.sum(axis=1).tolist() == [5] * 20
    assert second.sum(axis=1).tolist() == [9] * 20
    again = resample([5, 9], resamples=20, seed=1)
    assert np.array_equal(first, again[0])


def test_macro_f1_of_a_resample_is_macro_f1_of_its_issues() -> None:
    part, other = contest(n=80, seed=2)
    weights = resample([80], resamples=5, seed=0)
    found = compare_macro_f1([part], [other], weights)
    for row, drawn in zip(weights[0], found.draws, strict=True):
        again = np.repeat(np.arange(80), row.astype(int))
        scores = [
            f1_of(one.predicted[again], one.known[again], one.labels).macro for one in (part, other)
        ]
        assert drawn == pytest.approx(scores[1] - scores[0])


def test_the_interval_covers_and_the_bound_is_the_more_careful_one() -> None:
    draws = np.random.default_rng(0).normal(0.1, 0.05, 2000)
    found = Difference(0.4, 0.5, draws)
    low, high = found.interval()
    assert low < found.value < high
    assert found.lower(0.025) <= np.quantile(draws, 0.025)
    assert found.lower(1e-5) < found.lower(0.025) < found.lower(0.05)
    assert found.p_worse > 0.9
    assert Difference(0.5, 0.4, draws * 0).p_worse == 0
