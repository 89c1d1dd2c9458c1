"""Corrections by webhook and by harvest ask for a refit; issues that move, close or lock are handled."""

from __future__ import annotations

from typing import Any

import pytest

from bot.core.types import LabelSpec
from bot.jobs.learning import taught
from bot.jobs.requests import request_harvest
from bot.jobs.tasks import handle_delivery
from bot.store import corrections
from tests.acceptance.past import plain_history
from tests.acceptance.stack import EAGER, US, Repo, Stack

EDITS = EAGER + "on_edit: reconsider\n"
KINDS = (LabelSpec("bug"), LabelSpec("feature"))
Asked = list[tuple[int, frozenset[str]]]
ONE_KIND = EAGER + "exclusive: [[bug, feature]]\n"


@pytest.fixture
def repo(stack: Stack) -> Repo:
    """Every new issue gets `bug`, and edited ones are looked at again. New for each test: whoever
    corrects ten issues of one repository within seconds is taken for a mass relabel."""
    return stack.repository(labels=KINDS, rules=EDITS, history=plain_history(4))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """(repository, labels) of every refit that was asked for."""
    found: list[tuple[int, frozenset[str]]] = []
    ask = taught.request_refit

    def listening(session: Any, repository_id: int, *, labels: Any, reason: str) -> None:
        found.append((repository_id, frozenset(labels)))
        ask(session, repository_id, labels=labels, reason=reason)

    monkeypatch.setattr(taught, "request_refit", listening)
    return found


def kinds(repo: Repo, number: int) -> list[str]:
    with repo.stack.database.session() as session:
        return [one.kind for one in corrections.of_issue(session, repo.issue_id(number))]


# -- what is a correction, and what is none ---------------------------------------------------------------


def test_a_removal_of_our_label_asks_for_a_refit(repo: Repo, asked: Asked) -> None:
    number = repo.open()
    assert asked == []  # our own label is no news
    repo.unlabel(number, "bug")
    assert asked == [(repo.id, frozenset({"bug"}))]
    assert kinds(repo, number) == ["removal"]


def test_a_label_that_we_did_not_think_of_asks_for_a_refit(repo: Repo, asked: Asked) -> None:
    number = repo.open()
    repo.label(number, "feature")
    assert asked == [(repo.id, frozenset({"feature"}))]
    assert kinds(repo, number) == ["addition"]


def test_a_swap_touches_both_labels(stack: Stack, asked: Asked) -> None:
    repo = stack.repository(labels=KINDS, rules=ONE_KIND, history=plain_history(4))
    number = repo.open()
    assert repo.labels(number) == {"bug": US}
    repo.unlabel(number, "bug")
    repo.label(number, "feature")
    assert kinds(repo, number) == ["swap"]
    assert asked[-1] == (repo.id, frozenset({"bug", "feature"}))


def test_a_removal_taken_back_asks_for_a_refit_too(repo: Repo, asked: Asked) -> None:
    number = repo.open()
    repo.unlabel(number, "bug")
    repo.label(number, "bug")
    assert len(asked) == 2
    assert kinds(repo, number) == []


def test_what_machines_and_forms_do_asks_for_nothing(repo: Repo, asked: Asked) -> None:
    number = repo.open(labels=["feature"])
    repo.unlabel(number, "bug", actor="sorter[bot]")
    repo.label(number, "bug", actor="sorter[bot]")
    assert asked == []
    assert kinds(repo, number) == []


def test_where_we_did_nothing_there_is_nothing_to_correct(repo: Repo, asked: Asked) -> None:
    """An issue of the past, and one that was decided on in a dry run."""
    repo.unlabel(1, "bug")
    repo.write_rules("mode: dry-run\nlabels:\n  bug: {threshold: 0.01}\n")
    number = repo.open()
    repo.label(number, "bug")
    repo.write_rules(EDITS)
    assert asked == []
    assert kinds(repo, number) == []


def test_a_missed_correction_is_found_by_the_harvest(
    repo: Repo, stack: Stack, asked: Asked
) -> None:
    number = repo.open()
    stack.sandbox.hooks.lose(1)
    repo.unlabel(number, "bug")
    assert asked == []
    harvest(repo)
    assert asked == [(repo.id, frozenset({"bug"}))]
    assert kinds(repo, number) == ["removal"]


def harvest(repo: Repo) -> None:
    with repo.stack.database.session() as session:
        request_harvest(session, repo.id)
    repo.stack.settle()


def test_a_harvest_learns_nothing_twice(repo: Repo, asked: Asked) -> None:
    number = repo.open()
    repo.unlabel(number, "bug")
    before = len(repo.label_events(number))
    harvest(repo)
    assert len(repo.label_events(number)) == before
    assert len(asked) == 1


def test_many_corrections_at_once_are_one_refit(repo: Repo, stack: Stack, asked: Asked) -> None:
    numbers = [repo.open() for _ in range(6)]
    with stack.idle():
        for n, number in enumerate(numbers):
            stack.sandbox.unlabel(repo.full_name, number, "bug", f"maintainer{n}")
        stack.sandbox.hooks.wait()
        # The deliveries are handled by hand, so that what they ask for can be looked at.
        for delivery in repo.deliveries("issues", "unlabeled")[-6:]:
            handle_delivery(stack.context, delivery_id=delivery.id)
        assert [job.task for job in stack.jobs()].count("refit") == 1
    stack.settle()
    assert len(asked) == 6


# -- it never fights, wherever issues go ------------------------------------------------------------------


@pytest.fixture
def refused(repo: Repo) -> int:
    """An issue whose `bug`, set by us, a human removed."""
    number = repo.open()
    assert repo.labels(number)["bug"] == US
    repo.unlabel(number, "bug")
    return number


def test_closing_and_reopening_brings_no_removed_label_back(
    repo: Repo, refused: int, stack: Stack
) -> None:
    stack.sandbox.close_issue(repo.full_name, refused)
    stack.sandbox.reopen_issue(repo.full_name, refused)
    stack.settle()
    assert "bug" not in repo.labels(refused)


def test_reading_everything_again_brings_no_removed_label_back(
    repo: Repo, refused: int, stack: Stack
) -> None:
    """Backfill and harvest, and an edit after them, with what webhooks told forgotten."""
    stack.sandbox.change_repositories(repo.installation_id, remove=[repo.full_name])
    stack.settle()
    stack.sql("DELETE FROM label_events WHERE issue_id = :id", id=repo.issue_id(refused))
    stack.sandbox.change_repositories(repo.installation_id, add=[repo.full_name])
    stack.settle()
    harvest(repo)
    stack.sandbox.edit_issue(repo.full_name, refused, body="It crashes, again.")
    stack.settle()
    assert "bug" not in repo.labels(refused)
    assert repo.decided(refused)["bug"].reason == "a human removed it from this issue"


def test_the_refit_that_it_caused_brings_no_removed_label_back(
    repo: Repo, refused: int, stack: Stack
) -> None:
    assert stack.jobs() == []  # the refit has run
    stack.sandbox.edit_issue(repo.full_name, refused, title="Still crashing")
    stack.settle()
    assert "bug" not in repo.labels(refused)


def test_a_renamed_label_stays_removed(stack: Stack) -> None:
    """Events keep up with the name, also those that are told late under the old one."""
    rules = "labels:\n  bug: {threshold: 0.01}\n  defect: {threshold: 0.01}\non_edit: reconsider\n"
    repo = stack.repository(labels=KINDS, rules=rules, history=plain_history(4))
    number = repo.open()
    repo.unlabel(number, "bug")
    stack.sandbox.edit_label(repo.full_name, "bug", new_name="defect")
    stack.settle()
    assert {event.label for event in repo.label_events(number)} == {"defect"}
    assert kinds(repo, number) == ["removal"]
    stack.sandbox.edit_issue(repo.full_name, number, body="It crashes, again.")
    stack.settle()
    assert repo.labels(number) == {}


def test_a_new_label_starts_from_its_name(repo: Repo, stack: Stack) -> None:
    stack.sandbox.create_label(repo.full_name, "documentation", description="Words that mislead")
    stack.settle()
    number = repo.open("The manual is wrong", "The documentation misleads.")
    decision = repo.decided(number)["documentation"]
    assert decision.action != "apply"
    assert decision.probability > 0
    assert "documentation" not in repo.labels(number)


def test_a_locked_issue_is_not_written_to(repo: Repo, stack: Stack) -> None:
    with stack.idle():
        number = repo.open(settle=False)
        stack.sandbox.lock_issue(repo.full_name, number)
    stack.settle()
    assert repo.labels(number) == {}
    assert {effect.detail for effect in repo.effects(number) if effect.kind == "add"} == {
        "the issue is locked"
    }


def test_a_transferred_issue_takes_along_what_people_said(repo: Repo, refused: int) -> None:
    stack = repo.stack
    target = f"{repo.owner}/second"
    target_id = stack.sandbox.add_repository(target, labels=KINDS)
    stack.sandbox.put_file(target, ".github/labelwright.yml", EDITS)
    for issue in plain_history(3):
        stack.sandbox.seed_issue(
            target, title=issue.title, body=issue.body, labels=issue.labels,
            created_at=issue.created_at,
        )  # fmt: skip
    stack.sandbox.change_repositories(repo.installation_id, add=[target])
    stack.settle()
    moved = Repo(stack, target, target_id, repo.installation_id)
    assert moved.labels(moved.open())["bug"] == US  # it does label there
    number = stack.sandbox.transfer_issue(repo.full_name, refused, target)
    stack.settle()
    assert "bug" not in moved.labels(number)
    assert moved.decided(number)["bug"].reason == "a human removed it from this issue"
    assert kinds(repo, refused) == []


def test_spam_and_deleted_issues_teach_nothing(repo: Repo, stack: Stack, asked: Asked) -> None:
    spam, deleted = repo.open("Buy now"), repo.open("Gone soon")
    for number in (spam, deleted):
        repo.unlabel(number, "bug")
    assert kinds(repo, spam) == kinds(repo, deleted) == ["removal"]
    stack.sandbox.lock_issue(repo.full_name, spam, reason="spam")
    stack.sandbox.delete_issue(repo.full_name, deleted)
    stack.settle()
    assert kinds(repo, spam) == kinds(repo, deleted) == []
