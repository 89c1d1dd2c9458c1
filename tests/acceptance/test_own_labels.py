"""The head never learns from its own labels as if a human had set them, and from other bots' not at all."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.types import LabelSpec
from bot.jobs.learning import learn
from bot.jobs.requests import request_learning
from bot.store import issues
from tests.acceptance.past import plain_history
from tests.acceptance.stack import EAGER, US, Repo, Stack

KINDS = (LabelSpec("bug"), LabelSpec("feature"))


class Taught:
    """What the last fit was given: issue number -> {label: +1, -1 or 0}."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, int]] = {}
        self.weak: dict[int, set[str]] = {}
        """Issue number -> labels that are weak evidence."""


@pytest.fixture
def taught(monkeypatch: pytest.MonkeyPatch) -> Taught:
    found, fit = Taught(), learn.fit_head
    embed = learn.embed
    numbers: list[int] = []

    def embedding(context: Any, encoder: Any, past: Any) -> Any:
        numbers[:] = [issue.number for issue in past]
        return embed(context, encoder, past)

    def fitting(history: Any, specs: Any, **more: Any) -> Any:
        names = [spec.name for spec in specs]
        found.rows = {
            number: dict(zip(names, map(int, row), strict=True))
            for number, row in zip(numbers, history.known, strict=True)
        }
        found.weak = {
            number: {name for name, ours in zip(names, row, strict=True) if ours}
            for number, row in zip(numbers, history.weak, strict=True)
        }
        return fit(history, specs, **more)

    monkeypatch.setattr(learn, "embed", embedding)
    monkeypatch.setattr(learn, "fit_head", fitting)
    return found


@pytest.fixture(scope="module")
def repo(stack: Stack) -> Repo:
    return stack.repository(labels=KINDS, rules=EAGER, history=plain_history(4))


def learn_now(repo: Repo) -> None:
    """As if the settling days of all issues had passed."""
    stack = repo.stack
    stack.sql(
        "UPDATE issues SET created_at = now() - interval '30 days' WHERE repository_id = :id"
        " AND created_at > now() - interval '1 day'",
        id=repo.id,
    )
    with stack.database.session() as session:
        request_learning(session, repo.id, reason="test")
    stack.settle()


def test_human_labels_are_learned(repo: Repo, taught: Taught) -> None:
    learn_now(repo)
    assert taught.rows[1] == {"bug": 1, "feature": -1}


def test_our_own_label_is_weak_evidence_and_no_known_one(repo: Repo, taught: Taught) -> None:
    number = repo.open()
    assert repo.labels(number) == {"bug": US}
    learn_now(repo)
    assert taught.rows[number] == {"bug": 0, "feature": 0}
    assert taught.weak[number] == {"bug"}
    assert not taught.weak[1], "a human set that"


def test_not_even_when_nobody_told_us_that_it_was_ours(
    repo: Repo, taught: Taught, stack: Stack
) -> None:
    """The webhook that says so is lost; a later one shows the label on the issue."""
    with stack.just_before("POST", "/labels$", lambda: stack.sandbox.hooks.lose(1)):
        number = repo.open()
    stack.sandbox.close_issue(repo.full_name, number)
    stack.settle()
    with stack.database.session() as session:
        seen = issues.by_number(session, repo.id, number)
        assert seen is not None
        assert seen.labels == {"bug"}
    learn_now(repo)
    assert taught.rows[number] == {"bug": 0, "feature": 0}


def test_nor_when_the_answer_to_our_write_was_lost_too(
    repo: Repo, taught: Taught, stack: Stack
) -> None:
    stack.sandbox.faults.drop(method="POST", path="/labels$", after=True)
    with stack.just_before("POST", "/labels$", lambda: stack.sandbox.hooks.lose(1)):
        number = repo.open()
    stack.sandbox.close_issue(repo.full_name, number)
    stack.settle()
    assert repo.labels(number) == {"bug": US}
    learn_now(repo)
    assert taught.rows[number] == {"bug": 0, "feature": 0}


def test_nor_when_it_is_read_back_as_history(repo: Repo, taught: Taught, stack: Stack) -> None:
    number = repo.open()
    stack.sandbox.change_repositories(repo.installation_id, remove=[repo.full_name])
    stack.settle()
    stack.sql(
        "DELETE FROM label_events WHERE issue_id IN"
        " (SELECT id FROM issues WHERE repository_id = :id)",
        id=repo.id,
    )
    stack.sandbox.change_repositories(repo.installation_id, add=[repo.full_name])
    stack.settle()
    assert taught.rows[number]["bug"] == 0
    assert taught.rows[1] == {"bug": 1, "feature": -1}


def test_a_label_of_another_bot_teaches_nothing(repo: Repo, taught: Taught, stack: Stack) -> None:
    with stack.idle():
        number = repo.open(settle=False)
        stack.sandbox.label(repo.full_name, number, "bug", "sorter[bot]")
    stack.settle()
    learn_now(repo)
    assert taught.rows[number] == {"bug": 0, "feature": 0}
    assert not taught.weak[number]


def test_a_label_of_a_form_teaches_nothing(repo: Repo, taught: Taught) -> None:
    number = repo.open(labels=["bug"])
    learn_now(repo)
    assert taught.rows[number] == {"bug": 0, "feature": 0}
    assert not taught.weak[number]


def test_a_removal_by_a_human_teaches_no(repo: Repo, taught: Taught) -> None:
    number = repo.open()
    repo.unlabel(number, "bug")
    learn_now(repo)
    assert taught.rows[number]["bug"] == -1
    assert not taught.weak[number]


def test_a_human_beside_us_teaches_what_they_chose(repo: Repo, taught: Taught) -> None:
    number = repo.open()
    repo.label(number, "feature")
    learn_now(repo)
    assert taught.rows[number] == {"bug": 0, "feature": 1}


def test_an_unlabelled_issue_teaches_nothing(repo: Repo, taught: Taught, stack: Stack) -> None:
    repo.write_rules("mode: dry-run\n")
    number = repo.open()
    repo.write_rules(EAGER)
    learn_now(repo)
    assert taught.rows[number] == {"bug": 0, "feature": 0}
