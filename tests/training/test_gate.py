"""The gate keeps its word: luck hardly ever promotes, a real gain does, and it always says why."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import UserError
from tests.training.contests import case, contest, difference, measured, window
from training.judge.gate import PastRun, Served, Terms, Verdict, holm, judge, level_of_try, record
from training.judge.gate import past_run as past_run_of


def past_run(number: int, **changes: Any) -> PastRun:
    values: dict[str, Any] = {
        "run": f"past-{number}",
        "champion": "old",
        "challenger": f"other-{number}",
        "snapshot": f"snap-past-{number}",
        "windows": {"a/one": window(-10 - number)},
        "tried": True,
        "promoted": False,
    }
    return PastRun(**{**values, **changes})


def why(verdict: Verdict) -> str:
    return " ".join(verdict.reasons)


def test_a_clear_win_is_promoted_and_says_by_how_much() -> None:
    verdict = judge(case())
    assert verdict.promote
    assert verdict.alpha == pytest.approx(0.025)
    assert "covers 70.0% of the issues, the champion 50.0%" in why(verdict)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"coverage": difference(0.0)}, "must be surely above 0"),
        ({"coverage": difference(0.03)}, "may be as low as -"),
        ({"equal": difference(-0.01)}, "at equal precision it covers 49.0%"),
        ({"served": {"a/one": Served(88, 12, 0.9)}}, "88.0% of the applied labels were right"),
        ({"macro_f1": difference(-0.011)}, "macro-F1 fell from 0.500 to 0.489"),
        ({"served": {"a/one": Served(75, 25, 0.9)}}, "75.0% of 100 applied labels were right"),
        ({"corrections": (10, 2, 1)}, "forgets 2 that the champion honours"),
        ({"over_twin": difference(0.0)}, "fit the recipe without its terms"),
        (
            {
                "repositories": {"a/one": difference(0.2), "b/two": difference(-0.2)},
                "issues": {"a/one": 300, "b/two": 50},
            },
            "b/two falls from 50.0% to 30.0%",
        ),
    ],
)
def test_what_keeps_the_champion(changes: dict[str, Any], said: str) -> None:
    verdict = judge(case(**changes))
    assert not verdict.promote
    assert verdict.tried
    assert verdict.reasons[0].startswith("The champion stays: ")
    assert said in why(verdict)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"known_issues": 199}, "199 evaluation issues with 400 labels set by humans are too few"),
        ({"positives": 99}, "too few to tell"),
        ({"promised": 0}, "it would apply nothing"),
        ({"challenger": "old"}, "is the champion itself"),
    ],
)
def test_below_the_minimum_nothing_is_tried_and_nothing_spent(
    changes: dict[str, Any], said: str
) -> None:
    verdict = judge(case(**changes))
    assert (verdict.promote, verdict.tried, verdict.alpha) == (False, False, 0.0)
    assert said in why(verdict)


def test_what_is_tolerated() -> None:
    small = {"a/one": difference(0.2), "b/two": difference(-0.2)}
    assert judge(case(repositories=small, issues={"a/one": 300, "b/two": 49})).promote
    assert judge(case(macro_f1=difference(-0.009))).promote
    doubtful = {"a/one": Served(88, 12, 0.9)}
    assert judge(case(served=doubtful, served_before={"a/one": Served(87, 13, 0.9)})).promote
    assert judge(case(served={"a/one": Served(0, 0, 0.9)})).promote
    assert judge(case(corrections=(10, 2, 2))).promote
    assert judge(case(over_twin=difference(0.01))).promote


def test_alpha_is_spent_over_tries_against_one_champion() -> None:
    runs = [past_run(i) for i in range(40)]
    spent = [level_of_try("old", runs[:k], alpha=0.05) for k in range(40)]
    assert spent[0] == pytest.approx(0.025)
    assert sum(spent) < 0.05
    assert spent == sorted(spent, reverse=True)
    others = [past_run(i, champion="older") for i in range(9)]
    not_tried = [past_run(i, tried=False) for i in range(9)]
    assert judge(case(), others + not_tried).alpha == pytest.approx(0.025)


def test_a_name_that_is_given_twice_hides_no_try() -> None:
    """`labelwright-train evaluate` calls every run `by hand` if it is told no name."""
    before = past_run(1, run="by hand")
    assert judge(case(run="by hand"), [before]).alpha == pytest.approx(0.05 / 6)
    same = past_run(1, run="by hand", windows={"a/one": window()})
    assert not judge(case(run="by hand"), [same]).tried


def test_a_run_that_is_judged_anew_is_no_second_try() -> None:
    shown = case()
    mine = past_run_of(record(shown, judge(shown)))
    assert judge(shown, [mine]) == judge(shown)
    # Against another champion it is one: its evaluation part has been looked at.
    assert not judge(case(champion="newer"), [mine]).tried


def test_a_gain_that_sufficed_at_the_first_try_does_not_at_the_tenth() -> None:
    small = case(coverage=difference(0.05))
    assert judge(small).promote
    assert not judge(small, [past_run(i) for i in range(9)]).promote


@pytest.mark.parametrize(
    ("changes", "used"),
    [
        ({}, False),
        ({"windows": {"a/one": window(0)}}, True),
        ({"windows": {"a/one": window(0)}, "tried": False}, False),
        ({"windows": {"b/two": window(0)}}, False),
        ({"windows": {"a/one": window(1)}}, False),
    ],
)
def test_an_evaluation_window_is_used_once(changes: dict[str, Any], used: bool) -> None:
    verdict = judge(case(), [past_run(1, **changes)])
    assert verdict.promote is not used
    assert ("evaluation part of a/one was used by run past-1" in why(verdict)) is used


def test_a_record_of_a_run_comes_back_as_a_past_run() -> None:
    found = case()
    kept = json.loads(json.dumps(record(found, judge(found))))
    run = past_run_of(kept)
    assert run == PastRun("run-1", "old", "new", "snap-1", {"a/one": window()}, True, True)
    again = judge(case(run="run-2", snapshot="snap-2"), [run])
    assert "was used by run run-1" in why(again)
    with pytest.raises(UserError, match="no record of a run"):
        past_run_of({"run": "x"})


def test_undated_windows_are_taken_for_the_same() -> None:
    from training.snapshot.manifest import Window

    undated = {"a/one": Window(None, None)}
    assert not judge(case(windows=undated), [past_run(1, windows=undated)]).tried


def test_luck_promotes_at_most_alpha_over_all_tries() -> None:
    """Five hundred deployments, each of whose champions is challenged ten times by its equals."""
    rng = np.random.default_rng(0)
    deployments, fallen = 500, 0
    shape = rng.normal(size=400)
    for _ in range(deployments):
        for number in range(10):
            found = difference(0.0)
            value = rng.normal(0, 0.02)
            found = type(found)(0.5, 0.5 + value, value + 0.02 * shape)
            past = [past_run(i) for i in range(number)]
            if judge(case(coverage=found, repositories={}, issues={}), past).promote:
                fallen += 1
                break
    assert fallen <= 0.05 * deployments + 3 * (deployments * 0.05 * 0.95) ** 0.5
    assert fallen > 0  # not by never promoting


def test_equals_are_not_promoted_when_all_is_measured() -> None:
    verdicts = [judge(measured(*contest(seed=seed), seed=seed)) for seed in range(60)]
    assert sum(verdict.promote for verdict in verdicts) <= 5  # expected at .025: 1.5
    assert all(verdict.tried for verdict in verdicts)


def test_a_real_gain_is_promoted_when_all_is_measured() -> None:
    better = [
        judge(measured(*contest(skills=(1.0, 1.8), seed=seed), seed=seed)) for seed in range(12)
    ]
    assert sum(verdict.promote for verdict in better) >= 10


def test_worse_is_never_promoted_when_all_is_measured() -> None:
    worse = [
        judge(measured(*contest(skills=(1.4, 1.0), seed=seed), seed=seed)) for seed in range(12)
    ]
    assert not any(verdict.promote for verdict in worse)


def test_holm_by_hand() -> None:
    p = {"a": 0.01, "b": 0.02, "c": 0.03, "d": 0.5}
    assert holm(p, alpha=0.05) == ["a"]
    assert holm({"a": 0.012, "b": 0.016, "c": 0.024}, alpha=0.05) == ["a", "b", "c"]
    assert holm({}, alpha=0.05) == []


figures = st.floats(-0.5, 0.5).map(lambda value: difference(value))


@given(coverage=figures, macro=figures, known=st.integers(0, 500), lost=st.integers(0, 5))
def test_a_verdict_follows_from_the_terms_and_says_why(
    coverage: Any, macro: Any, known: int, lost: int
) -> None:
    terms = Terms()
    verdict = judge(
        case(coverage=coverage, macro_f1=macro, known_issues=known, corrections=(9, lost, 1)),
        terms=terms,
    )
    assert verdict.reasons
    assert all(reason.endswith(".") or reason.endswith(").") for reason in verdict.reasons)
    if verdict.promote:
        assert coverage.lower(verdict.alpha) > 0
        assert macro.value >= -terms.macro_margin
        assert known >= terms.least_issues
        assert lost <= 1
    assert verdict.tried is (known >= terms.least_issues)
    assert verdict.reasons[0].startswith(
        "The challenger is promoted" if verdict.promote else "The champion stays"
    )


@given(value=st.floats(-0.3, 0.3), tries=st.integers(0, 30))
def test_more_tries_never_make_it_easier(value: float, tries: int) -> None:
    found = case(coverage=difference(value))
    runs = [past_run(i) for i in range(tries + 1)]
    if judge(found, runs).promote:
        assert judge(found, runs[:tries]).promote
