"""The road of a new issue, end to end: signed webhook in, label on GitHub out, and what is kept of it."""

from __future__ import annotations

import pytest

from bot.core.types import LabelSpec
from tests.acceptance.stack import EAGER, LABELS, US, Repo, Stack

TITLE = "Search index is empty after the build"
BODY = "The search box finds nothing since 1.4, the index file has no entries at all."


def test_a_new_issue_gets_its_label(learned: Repo) -> None:
    number = learned.open(TITLE, BODY)
    assert learned.labels(number).get("area: search") == US
    applied = {d.label for d in learned.decisions(number) if d.action == "apply"}
    assert learned.labels(number) == dict.fromkeys(applied, US)
    delivery = learned.deliveries("issues", "opened")[-1]
    assert delivery.status == "done"
    assert delivery.outcome.startswith("applied ")
    assert len([one for one in learned.asked("POST") if f"/{number}/" in one.path]) == 1


def test_every_decision_is_kept_with_its_reason(learned: Repo, stack: Stack) -> None:
    number = learned.open(TITLE, BODY)
    decided = learned.decided(number)
    assert set(decided) == learned.defined()
    delivery = learned.deliveries("issues", "opened")[-1]
    for decision in decided.values():
        assert decision.reason
        assert 0 <= decision.probability <= 1
        assert decision.head_id == learned.row().head_id
        assert decision.bundle == stack.context.encoder.bundle_id
        assert decision.delivery_id == delivery.id
    applied = [decision for decision in decided.values() if decision.action == "apply"]
    assert all(d.threshold is not None and d.probability >= d.threshold for d in applied)


def test_every_effect_says_how_it_ended(learned: Repo) -> None:
    number = learned.open(TITLE, BODY)
    actions = {d.id: (d.label, d.action) for d in learned.decisions(number)}
    done = {actions[e.decision_id] for e in learned.effects(number) if e.status == "done"}
    assert done == {(label, "apply") for label in learned.labels(number)}
    assert all(effect.done_at for effect in learned.effects(number))


def test_our_own_label_comes_back_as_ours(learned: Repo) -> None:
    """GitHub tells us of every label, also of those we set: kept as confirmation, not as evidence."""
    number = learned.open(TITLE, BODY)
    events = learned.label_events(number)
    assert {(e.label, e.added, e.actor, e.actor_kind) for e in events} == {
        (name, True, US, "us") for name in learned.labels(number)
    }
    assert len(events) == len(learned.labels(number))


def test_what_is_learned_is_what_was_there(learned: Repo) -> None:
    row = learned.row()
    assert (row.status, row.history_cursor, row.rules_error) == ("ready", None, None)
    stored = learned.stack.sql(
        "SELECT count(*) FROM issues WHERE repository_id = :id AND created_at < '2026-06-01'",
        id=learned.id,
    )
    assert stored[0][0] == 100


def test_a_repository_without_history_only_suggests(stack: Stack) -> None:
    repo = stack.repository(suggestions="on")
    number = repo.open("It crashes", "There is a traceback: something does not work as it should.")
    assert repo.labels(number) == {}
    decided = repo.decided(number)
    assert set(decided) == {label.name for label in LABELS}
    assert {decision.action for decision in decided.values()} <= {"suggest", "abstain"}
    suggested = {label for label, decision in decided.items() if decision.action == "suggest"}
    assert "bug" in suggested
    posted = [one.body["labels"] for one in repo.asked("POST", "/labels")]  # type: ignore[index]
    assert [{row["name"] for row in rows} for rows in posted] == [suggested]
    assert all(row["suggest"] is True for rows in posted for row in rows)


def test_where_there_are_no_suggestions_nothing_is_written(stack: Stack) -> None:
    repo = stack.repository()
    number = repo.open("It crashes", "There is a traceback: something does not work as it should.")
    assert repo.decided(number)["bug"].action == "suggest"
    assert repo.writes() == []
    assert {effect.status for effect in repo.effects(number)} == {"skipped"}


@pytest.mark.parametrize("labels", [(), (LabelSpec("stale"), LabelSpec("wontfix"))])
def test_a_repository_with_nothing_to_learn_is_left_in_peace(
    stack: Stack, labels: tuple[LabelSpec, ...]
) -> None:
    repo = stack.repository(labels=labels)
    number = repo.open()
    assert repo.row().status == "ready"
    assert repo.decisions(number) == []
    delivery = repo.deliveries("issues", "opened")[-1]
    assert (delivery.status, delivery.outcome) == (
        "ignored",
        f"{repo.full_name} has no label to learn",
    )
    assert repo.writes() == []


def test_an_issue_that_arrives_while_its_repository_is_learned_is_not_forgotten(
    stack: Stack,
) -> None:
    with stack.idle():
        repo = stack.repository(rules=EAGER, install=False)
        stack.sandbox.install(repo.owner, [repo.full_name])
        number = repo.open(settle=False)
    stack.settle()
    assert repo.labels(number) == {"bug": US}


def test_pull_requests_and_ignored_authors_are_left_alone(stack: Stack) -> None:
    repo = stack.repository(rules=EAGER + "ignore_authors: ['renovate*']\n")
    theirs = repo.open(author="renovate[bot]")
    change = repo.open(is_pull_request=True)
    assert repo.labels(theirs) == repo.labels(change) == {}
    assert repo.writes() == []
    assert {d.status for d in repo.deliveries("issues", "opened")} == {"ignored"}


def test_a_fit_happens_once_for_many_reasons(stack: Stack) -> None:
    """Ten labels defined at once are one refit that waits, not ten."""
    repo = stack.repository()
    before = len(stack.sql("SELECT 1 FROM heads WHERE repository_id = :id", id=repo.id))
    with stack.idle():
        for n in range(10):
            stack.sandbox.create_label(repo.full_name, f"kind-{n}")
        assert stack.sandbox.hooks.wait()
    stack.settle()
    after = len(stack.sql("SELECT 1 FROM heads WHERE repository_id = :id", id=repo.id))
    assert 1 <= after - before < 10
