from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from bot.core.types import IssueText
from training.data import FiledIssue
from training.scoring.answers import answer_of, mean_of, truth_of
from training.scoring.held_out import HeldOut
from training.task import LabelSpace, make_task


def issue(repo: str, *labels: str) -> FiledIssue:
    return FiledIssue(repo, IssueText("t", "b"), frozenset(labels))


@dataclass(frozen=True)
class Fixed:
    """A scorer that says the same of every issue."""

    space: LabelSpace
    held_out: HeldOut | None
    says: tuple[float, ...]

    def probabilities(self, issues: Sequence[FiledIssue]) -> np.ndarray:
        return np.tile(self.says, (len(issues), 1))


SINGLE = make_task([issue("a", "bug"), issue("a", "docs"), issue("b", "bug")] * 5).space
MULTI = make_task(
    [issue("a", "kind/bug", "area/x"), issue("a", "kind/docs"), issue("b", "kind/bug")] * 5
).space


def test_a_label_that_is_new_to_its_repository_is_missed_not_forgiven() -> None:
    truth = truth_of(SINGLE, [issue("b", "docs"), issue("b"), issue("new", "docs")])
    assert truth.tolist() == [[-1, 1], [0, 0], [-1, 1]]
    names = MULTI.labels
    truth = truth_of(MULTI, [issue("b", "area/x", "kind/bug")])
    assert dict(zip(names, truth[0].tolist(), strict=True)) == {
        "area/x": 1,
        "kind/bug": 1,
        "kind/docs": 0,
    }


def test_in_the_closed_world_what_is_not_set_is_a_no() -> None:
    truth = MULTI.closed_world([issue("a", "kind/bug"), issue("a"), issue("b", "area/x")])
    told = [dict(zip(MULTI.labels, row, strict=True)) for row in truth.tolist()]
    assert told[0] == {"area/x": -1, "kind/bug": 1, "kind/docs": -1}
    assert told[1] == {"area/x": 0, "kind/bug": 0, "kind/docs": 0}
    assert told[2] == {"area/x": 1, "kind/bug": -1, "kind/docs": 0}


def test_thresholds_are_the_repositorys_own_where_it_has_shown_enough() -> None:
    rng = np.random.default_rng(0)
    space = make_task([issue(repo, x) for repo in "abc" for x in ("x", "y", "y z")] * 5).space
    space = replace(space, single=False)
    repo = np.repeat([0, 1, 2], [200, 200, 10])
    known = np.where(rng.random((410, 3)) < 0.5, 1, -1).astype(np.int8)
    level = np.array([0.2, 0.7, 0.4])[repo][:, None]
    told = level + 0.1 * (known > 0) + rng.random(known.shape) * 0.01
    shown = HeldOut(told, known, known, repo, repo)
    scorer = Fixed(space, shown, (0.25, 0.25, 0.25))
    first, second, few, new, every = (
        answer_of(scorer, [issue("a", "x"), issue("a", "y")], repo=name, target=0.9)["thresholds"]
        for name in ("a", "b", "c", "d", None)
    )
    assert all(0.2 < value < 0.31 for value in first.values())
    assert all(0.7 < value < 0.81 for value in second.values())
    assert few == new == every


def test_what_counts_as_a_no_decides_the_threshold() -> None:
    """Of half the issues nobody answered whether they are about x; the model takes these for less likely."""
    rng = np.random.default_rng(0)
    known = np.where(rng.random((300, 1)) < 0.5, 1, -1).astype(np.int8)
    known[200:] = 0
    closed = np.where(known > 0, 1, -1).astype(np.int8)
    told = 0.5 + 0.2 * (known > 0) + 0.15 * (known == 0) + rng.random(known.shape) * 0.02
    told[known < 0] -= 0.3
    space = replace(MULTI, labels=("area/x",), siblings=(frozenset({"area/x"}),) * 2)
    scorer = Fixed(space, HeldOut(told, known, closed, known[:, 0] * 0, known[:, 0] * 0), (0.66,))
    issues = [issue("a", "area/x"), issue("a", "area/x")]
    answer = answer_of(scorer, issues, repo=None, target=0.9)
    assert answer["thresholds"]["area/x"] < 0.6
    assert 0.66 < answer["thresholds_closed_world"]["area/x"] < 0.7
    assert (answer["f1"]["micro"], answer["f1_closed_world"]["micro"]) == (1, 0)


def test_without_held_out_issues_nothing_is_promised() -> None:
    scorer = Fixed(SINGLE, None, (0.9, 0.1))
    answer = answer_of(scorer, [issue("a", "bug"), issue("a", "docs")], repo=None, target=0.9)
    assert answer["cuts"] == {}
    assert answer["promise"]["coverage"] == 0
    assert answer["f1"]["micro"] == pytest.approx(0.5)


def test_means_leave_out_what_was_not_measured() -> None:
    answers = [{"f1": {"micro": 0.2}, "cut": None, "n": 1}, {"f1": {"micro": 0.4}, "cut": 0.5}]
    assert mean_of(answers) == {"f1": {"micro": pytest.approx(0.3)}, "cut": 0.5, "n": 1.0}
