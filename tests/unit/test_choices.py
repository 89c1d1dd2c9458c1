"""Choices of cuts over time: what they may spend, what they hold, and that repetition breaks nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bot.classify.choices import NEW_PAIRS, Earlier, choice_after, heed_practice, turned_lately
from bot.classify.cuts import choose_cut
from bot.classify.expectation import Expectation
from bot.core.unbiased import Practice

TARGET, DELTA = 0.9, 0.05


def expectation(**more: object) -> Expectation:
    bare = Expectation(
        target=TARGET, delta=DELTA, n=0, precision=None, lower_bound=None, unknown_share=None,
        worst_case=None, coverage=None, label_recall=None, labels=(),
    )  # fmt: skip
    return replace(bare, **more)  # type: ignore[arg-type]


def test_all_choices_ever_spend_no_more_than_delta() -> None:
    spent = [Earlier(choice=k).spends(DELTA) for k in range(1, 5000)]
    assert spent == sorted(spent, reverse=True)
    assert 0.99 * DELTA < sum(spent) < DELTA
    assert Earlier(choice=1, proves=False).spends(DELTA) == 0


@pytest.mark.parametrize(("pairs", "choice"), [(449, 3), (350, 4), (450, 4), (351, 3)])
def test_a_choice_proves_anew_when_evidence_has_changed(pairs: int, choice: int) -> None:
    before = expectation(choice=3, rank=0.94, pairs=400)
    found = choice_after(before, pairs=pairs, target=TARGET)
    assert (found.choice, found.proves) == (choice, choice > 3)
    assert found.held == 0.94
    assert found.pairs == (pairs if found.proves else 400)


def test_another_promise_voids_what_was_proved_but_not_what_was_spent() -> None:
    before = expectation(choice=3, rank=0.94, pairs=400)
    for found in (
        choice_after(before, pairs=400, target=0.95),
        choice_after(before, pairs=400, target=TARGET, comparable=False),
    ):
        assert (found.choice, found.proves, found.held) == (4, True, None)
    assert choice_after(None, pairs=7, target=TARGET) == Earlier(pairs=7)
    rolled_back = choice_after(before, pairs=500, target=TARGET, made=9)
    assert rolled_back.choice == 10


def test_what_was_proved_is_held_without_a_test_while_its_record_reaches_the_target() -> None:
    p = np.full(100, 0.95)
    barely = np.arange(100) < 90
    assert choose_cut(p, barely, target=TARGET, delta=DELTA) is None
    assert choose_cut(p, barely, target=TARGET, delta=0.0, held=0.95) is not None
    assert choose_cut(p, barely, target=TARGET, delta=0.0, held=0.96) is None
    assert choose_cut(p, np.arange(100) < 89, target=TARGET, delta=0.0, held=0.95) is None
    assert choose_cut(p, barely, target=TARGET, delta=0.0, held=0.95, stricter_than=0.95) is None


def ever_broken(seed: int) -> bool:
    """A year of choices on evidence that grows by 60 pairs each, all of them right with chance .895:
    whether a cut was ever proved."""
    rng = np.random.default_rng(seed)
    p, right = rng.beta(20, 1, 2400), rng.random(2400) < 0.895
    before: Expectation | None = None
    for seen in range(300, 2400, NEW_PAIRS + 10):
        now = choice_after(before, pairs=seen, target=TARGET)
        rank = choose_cut(
            p[:seen], right[:seen], target=TARGET, delta=now.spends(DELTA), held=now.held
        )
        if rank is not None:
            return True
        before = expectation(choice=now.choice, pairs=now.pairs)
    return False


def test_the_promise_holds_over_all_choices_together() -> None:
    """Each choice alone at delta would break it in several times as many repositories."""
    broken = np.mean([ever_broken(seed) for seed in range(200)])
    assert broken <= DELTA + 2 * (DELTA * 0.95 / 200) ** 0.5


@pytest.mark.parametrize(("precision", "at_most"), [(0.9, 0.012), (0.93, 0.002)])
def test_a_promise_that_is_kept_is_hardly_ever_taken_for_turned(
    precision: float, at_most: float
) -> None:
    looks = np.random.default_rng(1).random((4000, 40)) < precision
    assert np.mean([turned_lately(look, target=TARGET) != "" for look in looks]) <= at_most


def test_only_the_newest_tell_whether_labelling_turned() -> None:
    right = np.arange(60) % 3 > 0
    assert turned_lately(right, target=TARGET)
    assert not turned_lately(right[:24], target=TARGET)
    assert not turned_lately(np.append(right, np.ones(20, np.bool_)), target=TARGET)


DAY = 86400.0
LABELS = ("bug", "feature")


def practised(errors: float, *, silent: bool, n: int = 300, column: int = 0) -> Practice:
    """One label applied to every issue, wrong with chance `errors`; where we acted a right one is unknown."""
    rng = np.random.default_rng(3)
    applied = np.zeros((n, 2), bool)
    applied[:, column] = True
    known = np.zeros((n, 2), np.int8)
    wrong = rng.random(n) < errors
    known[:, column] = np.where(wrong, -1, 1 if silent else 0)
    return Practice(applied, known, np.full(n, 20.0 if silent else 0.0))


def heeded(practice: Practice, earlier: Earlier, *, age: float = 1.0) -> Earlier:
    filed = 1e9 - age * DAY + np.arange(len(practice.weights))
    return heed_practice(
        earlier, practice, LABELS, filed=filed, now=1e9, target=TARGET, delta=DELTA
    )


@pytest.mark.parametrize("silent", [True, False])
def test_what_practice_disproves_is_tightened_and_muted(silent: bool) -> None:
    found = heeded(practised(0.3, silent=silent), Earlier(held=0.94))
    assert (found.stricter_than, found.since) == (0.94, 1e9)
    assert list(found.broken) == ["bug"]
    assert "known to be wrong" in found.broken["bug"]


@pytest.mark.parametrize("silent", [True, False])
def test_a_promise_that_is_kept_is_left_alone(silent: bool) -> None:
    earlier = Earlier(choice=3, held=0.94)
    assert heeded(practised(0.06, silent=silent), earlier) == earlier


def test_where_nothing_is_proved_there_is_nothing_to_tighten() -> None:
    found = heeded(practised(0.3, silent=True), Earlier())
    assert (found.stricter_than, found.since) == (None, None)
    assert found.broken


def test_old_practice_and_what_was_acted_on_is_forgotten() -> None:
    bad = practised(0.3, silent=True)
    assert not heeded(bad, Earlier(held=0.94), age=120).broken
    assert not heeded(bad, Earlier(held=0.94, since=1e9)).broken


def test_nothing_that_arrived_yet() -> None:
    nothing = Practice(np.zeros((0, 2), bool), np.zeros((0, 2), np.int8), np.zeros(0))
    assert heeded(nothing, Earlier(held=0.9)) == Earlier(held=0.9)
