"""The simulated maintainer: same seed, same acts; as often as stated; slips are wrong and marked."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.maintainer import Habits, Visit, visit

WANTED, UNWANTED = ("bug", "docs"), ("feature", "question")
USUAL = Habits()
MANY = 4000


def _visit(
    issue: int, habits: Habits = USUAL, *, seed: int = 0, there: tuple[str, ...] = ()
) -> Visit:
    return visit(habits, seed=seed, issue=issue, wanted=WANTED, unwanted=UNWANTED, there=there)


def test_same_seed_same_acts() -> None:
    first = [_visit(issue, there=("feature",)) for issue in range(50)]
    assert first == [_visit(issue, there=("feature",)) for issue in range(50)]
    assert first != [_visit(issue, seed=1, there=("feature",)) for issue in range(50)]


@pytest.mark.parametrize(("remove", "add"), [(0.7, 0.2), (0.3, 0.6)])
def test_corrects_as_often_as_stated(remove: float, add: float) -> None:
    habits = Habits(remove=remove, add=add, slip=0.0)
    told = [_visit(issue, habits, there=("bug", "feature")).changes for issue in range(MANY)]
    made = [(change.label, change.added) for changes in told for change in changes]
    assert set(made) == {("feature", False), ("docs", True)}
    assert made.count(("feature", False)) / MANY == pytest.approx(remove, abs=0.03)
    assert made.count(("docs", True)) / MANY == pytest.approx(add, abs=0.03)


def test_slips_are_wrong_and_as_often_as_stated() -> None:
    habits = Habits(remove=1.0, add=1.0, slip=0.03)
    told = [_visit(issue, habits, there=("bug", "feature")).changes for issue in range(MANY)]
    made = [change for changes in told for change in changes]
    slips = [change for change in made if change.slip]
    assert {(slip.label, slip.added) for slip in slips} == {("bug", False), ("question", True)}
    assert len(slips) / len(made) == pytest.approx(0.03, abs=0.008)


def test_one_change_a_label_and_none_where_all_is_well() -> None:
    habits = Habits(remove=1.0, add=1.0, slip=1.0)
    for issue in range(200):
        labels = [change.label for change in _visit(issue, habits, there=("feature",)).changes]
        assert len(labels) == len(set(labels))
    assert all(not _visit(issue, there=WANTED).changes for issue in range(200))


def test_labels_that_nobody_judged_are_left_alone() -> None:
    habits = Habits(remove=1.0, add=1.0)
    there = ("stale", *WANTED)
    assert all(not _visit(issue, habits, there=there).changes for issue in range(200))


def test_delay_is_lognormal_around_its_median() -> None:
    habits = Habits(hours=6.0, spread=1.2)
    logs = np.log([_visit(issue, habits).after.total_seconds() / 3600 for issue in range(MANY)])
    assert np.exp(np.median(logs)) == pytest.approx(6.0, rel=0.1)
    assert logs.std() == pytest.approx(1.2, rel=0.05)
