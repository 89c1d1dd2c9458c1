"""What humans chose stands: what they removed never comes back, what they set is never removed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.acceptance.stack import EAGER, US, Repo, Stack, wait_until

NO_OTHER = "  feature: {never: true}\n  question: {never: true}\n"
"""The head learns from what people do in these tests; that is not what they are about."""
EDITS = EAGER + NO_OTHER + "on_edit: reconsider\n"
ONE_KIND = EAGER + "exclusive: [[bug, feature, question]]\n"


@pytest.fixture(scope="module")
def repo(stack: Stack) -> Repo:
    """Every new issue gets `bug`, and edited ones are looked at again."""
    return stack.repository(rules=EDITS)


@pytest.fixture
def refused(repo: Repo) -> int:
    """An issue whose `bug`, set by us, a human removed."""
    number = repo.open()
    assert repo.labels(number) == {"bug": US}
    repo.unlabel(number, "bug")
    return number


# -- a label that a human removed never comes back ----------------------------------------------------


def test_an_edit_brings_no_removed_label_back(repo: Repo, refused: int, stack: Stack) -> None:
    stack.sandbox.edit_issue(repo.full_name, refused, body="It crashes, and crashes, and crashes.")
    stack.settle()
    assert repo.labels(refused) == {}
    decision = repo.decided(refused)["bug"]
    assert (decision.action, decision.reason) == ("abstain", "a human removed it from this issue")


def test_an_edit_is_really_reconsidered(repo: Repo, stack: Stack) -> None:
    """Without a removal the same edit does set the label, so the tests here can fail."""
    with stack.idle():
        number = repo.open(settle=False)
        stack.sandbox.hooks.wait()
        stack.sql("UPDATE deliveries SET status = 'done' WHERE status = 'stored'")
    stack.settle()
    assert repo.labels(number) == {}
    stack.sandbox.edit_issue(repo.full_name, number, body="It crashes on save.")
    stack.settle()
    assert repo.labels(number) == {"bug": US}


def test_a_redelivery_brings_no_removed_label_back(repo: Repo, refused: int, stack: Stack) -> None:
    opened = next(
        one for one in reversed(stack.sandbox.deliveries) if one.emission.action == "opened"
    )
    stack.sandbox.hooks.redeliver(opened)
    stack.settle()
    assert repo.labels(refused) == {}


def test_a_job_that_runs_twice_brings_no_removed_label_back(
    repo: Repo, refused: int, stack: Stack
) -> None:
    opened = repo.deliveries("issues", "opened")[-1]
    stack.run_again(opened)
    assert repo.labels(refused) == {}
    assert repo.our_events(refused) == [("labeled", "bug")]


def test_a_command_to_decide_again_brings_no_removed_label_back(
    repo: Repo, refused: int, stack: Stack
) -> None:
    stack.sandbox.set_role(repo.full_name, "tina", "triage")
    stack.sandbox.comment(repo.full_name, refused, "/relabel", actor="tina")
    stack.settle()
    assert repo.labels(refused) == {}
    decision = repo.decided(refused)["bug"]
    assert (decision.action, decision.reason) == ("abstain", "a human removed it from this issue")


@pytest.mark.parametrize("happening", ["lock", "spam", "transfer and back"])
def test_wherever_it_goes_no_removed_label_comes_back(
    repo: Repo, refused: int, stack: Stack, happening: str
) -> None:
    sandbox, name, number = stack.sandbox, repo.full_name, refused
    match happening:
        case "lock":
            sandbox.lock_issue(name, number, reason="resolved")
            sandbox.lock_issue(name, number, on=False)
        case "spam":
            sandbox.lock_issue(name, number, reason="spam")
            sandbox.close_issue(name, number, reason="not_planned")
            stack.settle()
            sandbox.lock_issue(name, number, on=False)
            sandbox.reopen_issue(name, number)
        case "transfer and back":
            away = stack.repository(rules=EDITS)
            sandbox.change_repositories(repo.installation_id, add=[])
            there = sandbox.transfer_issue(name, number, away.full_name)
            stack.settle()
            number = sandbox.transfer_issue(away.full_name, there, name)
    stack.settle()
    sandbox.edit_issue(name, number, body="It crashes, again.")
    stack.settle()
    assert repo.labels(number) == {}
    assert repo.decided(number)["bug"].reason == "a human removed it from this issue"


def test_learning_anew_brings_no_removed_label_back(repo: Repo, refused: int, stack: Stack) -> None:
    repo.write_rules(EDITS + "# read and learned again\n")
    stack.sandbox.edit_issue(repo.full_name, refused, body="Once more, it crashes.")
    stack.settle()
    assert repo.labels(refused) == {}


def test_a_removal_that_we_were_not_told_of_stands(repo: Repo, stack: Stack) -> None:
    number = repo.open()
    stack.sandbox.hooks.lose(1)
    repo.unlabel(number, "bug")
    stack.sandbox.edit_issue(repo.full_name, number, body="It crashes when I save.")
    stack.settle()
    assert repo.decided(number)["bug"].action == "apply"  # as we did not know
    assert repo.labels(number) == {}
    assert repo.our_events(number) == [("labeled", "bug")]


def test_a_removal_before_we_could_look_stands(repo: Repo, stack: Stack) -> None:
    with stack.idle():
        number = repo.open(labels=["bug"], author="reporter", settle=False)
        stack.sandbox.unlabel(repo.full_name, number, "bug", "maintainer")
    stack.settle()
    assert repo.labels(number) == {}


def test_a_removal_between_decision_and_writing_stands(repo: Repo, stack: Stack) -> None:
    """GitHub is down when we want to write; until it is back, a human has made up their mind."""
    stack.sandbox.faults.answer(503, method="POST", path="/labels$")
    with parked(stack):
        number = repo.open(settle=False)
    stack.sandbox.label(repo.full_name, number, "bug", "maintainer")
    stack.sandbox.unlabel(repo.full_name, number, "bug", "maintainer")
    stack.settle()
    assert repo.labels(number) == {}
    assert repo.our_events(number) == []


def test_another_bots_removal_is_no_human_choice(repo: Repo, stack: Stack) -> None:
    number = repo.open()
    repo.unlabel(number, "bug", actor="sorter[bot]")
    stack.sandbox.edit_issue(repo.full_name, number, body="It crashes again on save.")
    stack.settle()
    assert repo.labels(number) == {"bug": US}


@contextmanager
def parked(stack: Stack) -> Iterator[None]:
    """The block makes one delivery; it was tried once, and waits for its next try afterwards."""
    yield

    wait_until(lambda: any(job.due_in > 5 for job in stack.jobs()), what="the job waits")


# -- a label that a human set is never removed --------------------------------------------------------


def test_what_humans_set_stays_whatever_we_do(repo: Repo, stack: Stack) -> None:
    number = repo.open()
    repo.label(number, "feature", "maintainer")
    repo.label(number, "question", "reporter")
    stack.sandbox.edit_issue(repo.full_name, number, title="Not a bug at all")
    stack.settle()
    repo.write_rules(EDITS + "exclusive: [[bug, feature, question]]\n")
    stack.sandbox.edit_issue(repo.full_name, number, title="A wish")
    stack.settle()
    repo.write_rules(EDITS)
    assert repo.labels(number) == {"bug": US, "feature": "maintainer", "question": "reporter"}
    assert repo.asked("DELETE") == []


def test_we_never_replace_the_whole_set(stack: Stack) -> None:
    assert [one for one in stack.sandbox.requests if one.method == "PUT"] == []


def test_a_label_set_by_a_human_while_we_write_stays(repo: Repo, stack: Stack) -> None:
    name = repo.full_name
    with stack.just_before(
        "POST", "/labels$", lambda: stack.sandbox.label(name, newest(repo), "question")
    ) as met:
        number = repo.open()
    assert met
    assert repo.labels(number) == {"bug": US, "question": "maintainer"}


def newest(repo: Repo) -> int:
    return max(repo.stack.sandbox.state.repository(repo.full_name).issues)


# -- nothing from an exclusive group in which a human has chosen --------------------------------------


@pytest.fixture(scope="module")
def one_kind(stack: Stack) -> Repo:
    return stack.repository(rules=ONE_KIND)


def test_the_group_leaves_room_for_one(one_kind: Repo) -> None:
    """With nobody else's choice ours is made, so the tests below can fail."""
    number = one_kind.open()
    assert one_kind.labels(number) == {"bug": US}


def test_a_human_chose_first(one_kind: Repo, stack: Stack) -> None:
    with stack.idle():
        number = one_kind.open(settle=False)
        stack.sandbox.label(one_kind.full_name, number, "feature")
    stack.settle()
    assert one_kind.labels(number) == {"feature": "maintainer"}
    decision = one_kind.decided(number)["bug"]
    assert decision.action == "abstain"
    assert "the issue has feature" in decision.reason


def test_the_issue_form_chose_first(one_kind: Repo) -> None:
    number = one_kind.open(labels=["question"])
    assert one_kind.labels(number) == {"question": "reporter"}


def test_a_human_chose_between_decision_and_writing(one_kind: Repo, stack: Stack) -> None:
    stack.sandbox.faults.answer(503, method="POST", path="/labels$")
    with parked(stack):
        number = one_kind.open(settle=False)
    assert one_kind.decided(number)["bug"].action == "apply"
    stack.sandbox.label(one_kind.full_name, number, "feature")
    stack.settle()
    assert one_kind.labels(number) == {"feature": "maintainer"}
    (effect,) = [e for e in one_kind.effects(number) if e.label == "bug"]
    assert effect.status == "skipped"
    assert "feature" in effect.detail
