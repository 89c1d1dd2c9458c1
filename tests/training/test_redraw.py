"""Cuts chosen again on redraws of the past: what luck in a cut is worth, and that it wins nothing."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bot.classify.head import DELTA
from bot.classify.promise import Scored, make_promise
from tests.training.contests import contest
from training.judge import redraw
from training.judge.bootstrap import compare_served, resample
from training.judge.judged import Judged
from training.judge.redraw import DRAWN, GROUPS, REDRAWS, covered, error_of_mean


def learned(past: Judged, *, target: float = 0.9) -> Any:
    """What `covered` asks of a head whose past said `past`."""
    n = len(past.known)
    scored = Scored(past.probabilities, past.known, np.arange(n, dtype=np.int32) * 5 // n)

    def promise(scored: Scored, target: float) -> Any:
        return make_promise(
            scored, past.known, past.labels, exclusive=(past.labels,), target=target, delta=DELTA
        )

    return SimpleNamespace(
        past=SimpleNamespace(rows=np.arange(n), scored=scored), promise=promise, target=target
    )


def test_the_error_of_a_mean_over_groups_is_the_one_of_the_textbook() -> None:
    values = np.random.default_rng(3).normal(size=GROUPS)
    found = error_of_mean(DRAWN @ values / GROUPS)
    assert found == pytest.approx(values.std() / np.sqrt(GROUPS), rel=0.15)
    assert error_of_mean(np.full(REDRAWS, 0.4)) == 0


def test_what_is_drawn_once_gives_the_cuts_that_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    past, now = contest(n=400, skills=(2.0, 2.0))
    head = learned(past)
    cuts = [cut.apply_at for cut in head.promise(head.past.scored, 0.9).cuts]
    serves = now.offered & (now.probabilities >= [np.inf if c is None else c for c in cuts])
    assert serves.any(), "or this test shows nothing"
    monkeypatch.setattr(redraw, "DRAWN", np.ones((1, GROUPS), dtype=np.int64))
    found = covered(head, now.probabilities, now.offered, target=0.9)
    assert np.array_equal(found, serves.any(axis=1)[None])


def test_nothing_to_choose_on_covers_nothing() -> None:
    past, now = contest(n=40)
    head = learned(past)
    head.past.rows = head.past.rows[:0]
    assert not covered(head, now.probabilities, now.offered, target=0.9).any()


def test_an_equal_that_just_passes_its_test_has_not_won() -> None:
    """The same scores but for a hair, one issue of the past more right: a cut passes with the one, and fails
    with the other."""
    past, now = contest(n=400, seed=1)
    found = [_served(one, now) for one in _around_the_edge(past)]
    weights = resample([len(now.known)], resamples=1000, seed=0)
    by_one_cut = found[1].applied.any(axis=1).mean() - found[0].applied.any(axis=1).mean()
    assert by_one_cut > 0.1, "or this test shows nothing"
    gain = compare_served(found[:1], found[1:], weights)
    assert gain.lower(0.025) < 0
    assert gain.value < by_one_cut / 2


def _served(past: Judged, now: Judged) -> Judged:
    head = learned(past)
    cuts = [cut.apply_at for cut in head.promise(head.past.scored, 0.9).cuts]
    applied = now.offered & (now.probabilities >= [np.inf if c is None else c for c in cuts])
    seen = covered(head, now.probabilities, now.offered, target=0.9)
    return replace(now, applied=applied, covered=seen)


def _around_the_edge(past: Judged) -> tuple[Judged, Judged]:
    """Two pasts that differ in one pair: with the first nothing passes, with the second something does."""
    known = past.known.copy()
    wrong = np.argwhere(past.offered & (known < 0) & (past.probabilities > 0.8))
    before = past
    for row, column in wrong:
        known = known.copy()
        known[row] = -1
        known[row, column] = 1
        after = replace(past, known=known)
        if any(
            cut.apply_at for cut in learned(after).promise(learned(after).past.scored, 0.9).cuts
        ):
            return before, after
        before = after
    raise AssertionError("nothing ever passes")
