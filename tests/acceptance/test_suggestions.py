"""Suggestions: GitHub's own where there are any, else boxes where the rules ask; answers teach."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from bot.core.types import RepositoryLabel
from bot.jobs.talk.dismissals import look_for_answers
from bot.store import labels
from bot.store.tables import Answer, Effect
from tests.acceptance.stack import EAGER, US, Repo, Stack

RULES = "mode: suggest\n" + EAGER + "  feature: {threshold: 0.01}\n  question: {never: true}\n"
BOXES = RULES + "suggestions: comment\n"
TINA, EVE = "tina", "eve"


def open_repo(stack: Stack, rules: str, **options: object) -> Repo:
    repo = stack.repository(rules=rules, **options)  # type: ignore[arg-type]
    stack.sandbox.set_role(repo.full_name, TINA, "write")
    stack.sandbox.set_role(repo.full_name, EVE, "read")
    return repo


def ours(repo: Repo, number: int) -> list[str]:
    return repo.stack.sandbox.comments(repo.full_name, number, author=US)


def tick(repo: Repo, number: int, what: str, actor: str = TINA) -> None:
    repo.stack.sandbox.edit_comment(
        repo.full_name, number, f"- [ ] {what}", f"- [x] {what}", actor=actor
    )
    repo.stack.settle()


def verdicts(repo: Repo, number: int) -> dict[str, tuple[str, str]]:
    """Label -> (verdict, by whom)."""
    with repo.stack.database.session() as session:
        found = session.execute(
            select(Effect.label, Answer.verdict, Answer.actor)
            .join(Effect, Effect.id == Answer.effect_id)
            .where(Effect.issue_id == repo.issue_id(number))
            .order_by(Effect.id)
        ).all()
    return {label: (verdict, actor) for label, verdict, actor in found}


def poll(stack: Stack) -> str:
    """As the schedule does, with all suggestions old enough to be looked at."""
    stack.sql("UPDATE effects SET done_at = done_at - interval '1 day' WHERE kind = 'suggest'")
    stack.sql("UPDATE polls SET polled_at = polled_at - interval '1 day'")
    outcome = look_for_answers(stack.database, stack.context.auth)
    stack.settle()
    return outcome


def refits(repo: Repo) -> int:
    rows = repo.stack.sql("SELECT count(*) FROM refits WHERE repository_id = :id", id=repo.id)
    return int(rows[0][0])


# -- boxes ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def boxes(stack: Stack) -> Repo:
    return open_repo(stack, BOXES)


def test_suggestions_come_in_one_quiet_comment(boxes: Repo) -> None:
    number = boxes.open()
    (said,) = ours(boxes, number)
    assert "- [ ] `bug`" in said
    assert "- [ ] `feature`" in said
    assert "question" not in said
    assert boxes.labels(number) == {}


def test_a_tick_sets_the_label_in_that_persons_name(boxes: Repo) -> None:
    number = boxes.open()
    tick(boxes, number, "`bug`")
    assert set(boxes.labels(number)) == {"bug"}
    (told,) = boxes.label_events(number)
    assert (told.label, told.added, told.actor, told.actor_kind) == ("bug", True, TINA, "human")
    assert verdicts(boxes, number) == {"bug": ("approved", TINA)}


def test_none_of_these_speaks_against_all_that_are_not_ticked(boxes: Repo) -> None:
    number = boxes.open()
    tick(boxes, number, "`bug`")
    tick(boxes, number, "none of these")
    assert set(boxes.labels(number)) == {"bug"}
    assert verdicts(boxes, number) == {"bug": ("approved", TINA), "feature": ("dismissed", TINA)}
    last = boxes.label_events(number)[-1]
    assert (last.label, last.added, last.actor_kind) == ("feature", False, "human")


def test_a_tick_without_permission_does_nothing(boxes: Repo) -> None:
    number = boxes.open()
    tick(boxes, number, "`bug`", actor=EVE)
    tick(boxes, number, "none of these", actor="robot[bot]")
    assert boxes.labels(number) == {}
    assert verdicts(boxes, number) == {}


def test_a_label_that_was_not_suggested_cannot_be_ticked(boxes: Repo, stack: Stack) -> None:
    number = boxes.open()
    stack.sandbox.edit_comment(
        boxes.full_name, number, "- [ ] `bug`", "- [x] `question`\n- [ ] `bug`", actor=TINA
    )
    stack.settle()
    assert boxes.labels(number) == {}


def test_a_tick_that_is_told_twice_counts_once(boxes: Repo, stack: Stack) -> None:
    number = boxes.open()
    tick(boxes, number, "`bug`")
    boxes.unlabel(number, "bug")
    stack.run_again(boxes.deliveries("issue_comment", "edited")[-1])
    assert boxes.labels(number) == {}


def test_a_decision_that_comes_again_keeps_the_ticks(boxes: Repo, stack: Stack) -> None:
    number = boxes.open()
    tick(boxes, number, "`bug`")
    stack.sandbox.comment(boxes.full_name, number, "/relabel", actor=TINA)
    stack.settle()
    (said,) = [one for one in ours(boxes, number) if "[x]" in one]
    assert "- [x] `bug`" in said
    assert "- [ ] `feature`" in said


def test_a_command_answers_a_suggestion_too(boxes: Repo, stack: Stack) -> None:
    number = boxes.open()
    stack.sandbox.comment(boxes.full_name, number, "/label bug\n/unlabel feature", actor=TINA)
    stack.settle()
    assert verdicts(boxes, number) == {"bug": ("approved", TINA), "feature": ("dismissed", TINA)}


@pytest.mark.parametrize("what", ["`bug`", "none of these"])
def test_a_renamed_label_can_be_answered_under_the_name_that_the_comment_says(
    stack: Stack, what: str
) -> None:
    repo = open_repo(stack, BOXES)
    number = repo.open()
    stack.sandbox.edit_label(repo.full_name, "bug", new_name="defect")
    stack.settle()
    tick(repo, number, what)
    approved = what == "`bug`"
    assert set(repo.labels(number)) == ({"defect"} if approved else set())
    assert verdicts(repo, number)["defect"] == ("approved" if approved else "dismissed", TINA)


def test_a_name_that_another_label_has_taken_is_answered_for_neither(stack: Stack) -> None:
    """Whoever ticks `bug` may mean either."""
    repo = open_repo(stack, BOXES)
    number = repo.open()
    stack.sandbox.edit_label(repo.full_name, "bug", new_name="defect")
    stack.sandbox.create_label(repo.full_name, "bug")
    stack.settle()
    tick(repo, number, "`bug`")
    assert repo.labels(number) == {}


def test_an_approval_brings_back_no_other_label_that_was_taken_off(boxes: Repo) -> None:
    number = boxes.open()
    boxes.label(number, "bug")
    boxes.unlabel(number, "bug")
    tick(boxes, number, "`feature`")
    assert set(boxes.labels(number)) == {"feature"}


@pytest.mark.parametrize("rules", [RULES, RULES + "suggestions: none\n"])
def test_without_the_wish_there_is_no_comment(stack: Stack, rules: str) -> None:
    repo = open_repo(stack, rules)
    number = repo.open()
    assert ours(repo, number) == []
    assert repo.writes() == []


def test_a_dry_run_suggests_nothing(stack: Stack) -> None:
    repo = open_repo(stack, BOXES.replace("mode: suggest", "mode: dry-run"))
    number = repo.open()
    assert ours(repo, number) == []
    assert repo.writes() == []


# -- GitHub's own ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def native(stack: Stack) -> Repo:
    return open_repo(stack, BOXES, suggestions="on")


def test_where_github_has_suggestions_there_are_no_boxes(native: Repo) -> None:
    number = native.open()
    assert ours(native, number) == []
    assert {e.label for e in native.effects(number) if e.status == "done"} == {"bug", "feature"}


def test_a_dismissal_is_found_and_is_a_persons_word(native: Repo, stack: Stack) -> None:
    number = native.open()
    stack.sandbox.dismiss_suggestion(native.full_name, number, "bug", actor=TINA)
    stack.settle()
    assert verdicts(native, number) == {}
    assert native.row().head_id is not None
    before = refits(native)
    assert poll(stack).startswith("1 answers")
    assert refits(native) > before
    who = f"id:{stack.sandbox.state.account(TINA).id}"
    assert verdicts(native, number) == {"bug": ("dismissed", who)}
    (told,) = native.label_events(number)
    assert (told.label, told.added, told.actor_kind) == ("bug", False, "human")
    assert poll(stack).startswith("0 answers")


def test_an_approval_is_one_word_however_often_it_is_told(native: Repo, stack: Stack) -> None:
    number = native.open()
    stack.sandbox.approve_suggestion(native.full_name, number, "bug", actor=TINA)
    stack.settle()
    poll(stack)
    assert verdicts(native, number)["bug"][0] == "approved"
    (told,) = native.label_events(number)
    assert (told.label, told.added, told.actor, told.actor_kind) == ("bug", True, TINA, "human")


def test_a_dismissal_of_a_renamed_label_is_found(stack: Stack) -> None:
    """Whether GitHub tells its suggestions under the old name or the new one, we do not rely on it."""
    repo = open_repo(stack, BOXES, suggestions="on")
    number = repo.open()
    stack.sandbox.dismiss_suggestion(repo.full_name, number, "bug", actor=TINA)
    with repo.stack.database.session() as session:
        labels.save(session, repo.id, replace(label_of(repo, "bug"), name="defect"))
    poll(stack)
    assert verdicts(repo, number)["defect"][0] == "dismissed"
    (told,) = repo.label_events(number)
    assert (told.label, told.added) == ("defect", False)


def label_of(repo: Repo, name: str) -> RepositoryLabel:
    with repo.stack.database.session() as session:
        return next(one for one in labels.active(session, repo.id) if one.name == name)


def test_a_deleted_label_can_no_longer_be_answered(stack: Stack) -> None:
    repo = open_repo(stack, BOXES, suggestions="on")
    number = repo.open()
    stack.sandbox.delete_label(repo.full_name, "feature")
    stack.settle()
    poll(stack)
    assert repo.label_events(number) == []


def test_a_limit_leaves_the_installation_alone(native: Repo, stack: Stack) -> None:
    numbers = [native.open(), native.open()]
    for number in numbers:
        stack.sandbox.dismiss_suggestion(native.full_name, number, "bug", actor=TINA)
    stack.sandbox.faults.secondary_limit(method="GET", path=rf"/{native.full_name}/.*/suggestions")
    assert poll(stack).startswith("0 answers")
    assert poll(stack).startswith("2 answers")
