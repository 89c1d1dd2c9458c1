"""Writes to one installation keep the distance that GitHub asks for; a rule of behaviour, not a speed."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bot.store import installations
from tests.acceptance.stack import EAGER, US, Repo, Stack

APART = 1.0
LEEWAY = 0.1
"""Seconds by which the way to GitHub may differ between two writes; without spacing all fall in this."""


@pytest.fixture
def repo(stack: Stack) -> Repo:
    repo = stack.repository(rules=EAGER)
    with stack.database.session() as session:
        installations.set_write_interval(session, repo.installation_id, APART)
    return repo


def write_times(repo: Repo) -> list[float]:
    return sorted(one.at.timestamp() for one in repo.asked("POST"))


def test_two_issues_at_once_are_written_apart(repo: Repo, stack: Stack) -> None:
    numbers = [repo.open(settle=False) for _ in range(2)]
    stack.settle(hurry=False)
    assert [repo.labels(number) for number in numbers] == [{"bug": US}] * 2
    first, second = write_times(repo)
    assert second - first >= APART - LEEWAY


def test_many_at_once_keep_apart(repo: Repo, stack: Stack) -> None:
    numbers = [repo.open(settle=False) for _ in range(6)]
    stack.settle(hurry=False)
    assert [repo.labels(number) for number in numbers] == [{"bug": US}] * 6
    times = write_times(repo)
    assert len(times) == 6
    assert all(later - earlier >= APART - LEEWAY for earlier, later in pairwise(times))


def test_a_label_and_a_suggestion_are_two_writes(stack: Stack) -> None:
    repo = stack.repository(rules="labels:\n  feature: {threshold: 0.01}\n", suggestions="on")
    with stack.database.session() as session:
        installations.set_write_interval(session, repo.installation_id, APART)
    number = repo.open("It crashes", "There is a traceback: something does not work as it should.")
    decided = {d.action for d in repo.decided(number).values()}
    assert decided >= {"apply", "suggest"}
    stack.settle(hurry=False)
    first, second = write_times(repo)
    assert second - first >= APART - LEEWAY
