"""A label that the repository does not have is never created, and a deleted one never returns."""

from __future__ import annotations

import pytest

from bot.core.types import LabelSpec
from bot.store import heads
from tests.acceptance.past import plain_history
from tests.acceptance.stack import EAGER, LABELS, US, Repo, Stack, wait_until

UNSURE = "unsure: needs-a-look\n"


@pytest.fixture
def repo(stack: Stack) -> Repo:
    return stack.repository(rules=EAGER)


def test_a_label_that_only_the_rules_know_is_not_created(stack: Stack) -> None:
    repo = stack.repository(rules=UNSURE + "labels:\n  invented: {threshold: 0.01}\n")
    number = repo.open("Hm", "")
    assert repo.defined() == {label.name for label in LABELS}
    assert repo.labels(number) == {}
    assert repo.asked("POST") == []


def test_the_unsure_label_is_set_where_the_repository_has_it(stack: Stack) -> None:
    repo = stack.repository(rules=UNSURE, labels=[*LABELS, LabelSpec("needs-a-look")])
    number = repo.open("Hm", "")
    assert repo.labels(number) == {"needs-a-look": US}


def test_a_deleted_label_stops_at_once(repo: Repo, stack: Stack) -> None:
    assert repo.labels(repo.open()) == {"bug": US}
    with stack.idle():
        stack.sandbox.delete_label(repo.full_name, "bug")
        number = repo.open(settle=False)
    stack.settle()
    assert repo.labels(number) == {}
    assert "bug" not in repo.defined()
    assert not [d for d in repo.decisions(number) if d.action == "apply"]


def test_a_deletion_that_we_were_not_told_of_is_seen(repo: Repo, stack: Stack) -> None:
    stack.sandbox.hooks.lose(1)
    stack.sandbox.delete_label(repo.full_name, "bug")
    number = repo.open()
    assert repo.decided(number)["bug"].action == "apply"  # as we did not know
    assert repo.labels(number) == {}
    assert "bug" not in repo.defined()
    (effect,) = [e for e in repo.effects(number) if e.label == "bug"]
    assert (effect.status, effect.detail) == ("skipped", "the label was deleted")


def test_a_label_deleted_in_the_moment_of_writing_does_not_return(repo: Repo, stack: Stack) -> None:
    """GitHub makes it anew out of its name; what we caused, we undo."""
    with stack.just_before(
        "POST", "/labels$", lambda: stack.sandbox.delete_label(repo.full_name, "bug")
    ) as met:
        number = repo.open()
    assert met
    assert "bug" not in repo.defined()
    assert repo.labels(number) == {}
    (effect,) = [e for e in repo.effects(number) if e.label == "bug"]
    assert (effect.status, effect.detail) == ("skipped", "deleted while we wrote")


def test_the_moment_is_a_real_danger(repo: Repo, stack: Stack) -> None:
    """The sandbox does create missing labels, as GitHub does, so the tests here can fail."""
    number = repo.open()
    client = stack.context.client(repo.installation_id)
    client.add_labels(repo.full_name, number, ["out-of-nowhere"])
    assert "out-of-nowhere" in repo.defined()
    stack.settle()


def test_a_label_deleted_before_our_answer_was_lost_does_not_return(
    repo: Repo, stack: Stack
) -> None:
    """The recreating write was done, but its answer never came; the next try cleans up."""
    stack.sandbox.faults.drop(method="POST", path="/labels$", after=True)
    with stack.just_before(
        "POST", "/labels$", lambda: stack.sandbox.delete_label(repo.full_name, "bug")
    ):
        number = repo.open()
    assert "bug" not in repo.defined()
    assert repo.labels(number) == {}


def test_a_renamed_label_goes_on_under_its_new_name(stack: Stack) -> None:
    repo = stack.repository(
        history=plain_history(5), rules="labels:\n  defect: {threshold: 0.01}\n"
    )
    stack.sandbox.edit_label(repo.full_name, "bug", new_name="defect")
    stack.settle()
    number = repo.open()
    assert repo.labels(number) == {"defect": US}
    past = stack.sql(
        "SELECT labels FROM issues WHERE repository_id = :id AND number = 1", id=repo.id
    )
    assert past[0][0] == ["defect"]
    assert {e.label for e in repo.label_events(1)} == {"defect"}


def test_a_rename_keeps_what_was_learned(stack: Stack) -> None:
    repo = stack.repository(history=plain_history(5))
    stack.sandbox.edit_label(repo.full_name, "bug", new_name="defect")
    stack.settle()
    with stack.database.session() as session:
        (row, *_) = [
            row
            for row in heads.active(session, repo.id).expectation["labels"]
            if row["label"] == "defect"
        ]
    assert row["positives"] == 5


def test_a_label_deleted_while_we_wait_to_write_is_not_written(repo: Repo, stack: Stack) -> None:
    stack.sandbox.faults.answer(503, method="POST", path="/labels$")
    number = repo.open(settle=False)
    wait_until(lambda: any(job.due_in > 5 for job in stack.jobs()), what="the job waits")
    stack.sandbox.delete_label(repo.full_name, "bug")
    stack.settle()
    assert "bug" not in repo.defined()
    assert repo.labels(number) == {}
