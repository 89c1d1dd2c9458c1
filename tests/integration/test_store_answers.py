"""What people say to us, in the store: commands are theirs, answers count once, neighbours are at home."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from bot.core.evidence import NOT_TEACHING
from bot.core.types import LabelEvent
from bot.store import answers, effects, installations, issues, label_events, repositories, vectors
from bot.store.label_events import ON_BEHALF
from bot.store.neighbours import nearest_labelled
from bot.store.tables import Answer
from tests.integration.stored import NOW, add_repository, an_issue

US = "labelwright[bot]"
KEY = {"bundle": "abc", "backend": "int8", "text_version": 1}
TOLD = LabelEvent("bug", True, "ann", "human", NOW)
BY_US = LabelEvent("bug", True, US, "us", NOW + timedelta(seconds=2))


@pytest.fixture
def repository(session: Session) -> int:
    return add_repository(session)


@pytest.fixture
def issue(session: Session, repository: int) -> int:
    return issues.upsert(session, repository, an_issue(), as_filed=True)


# -- a person's word, brought about by us -----------------------------------------------------------------


@pytest.mark.parametrize("later", [BY_US, replace(BY_US, github_id=77)])
def test_what_we_did_for_somebody_stays_theirs(
    session: Session, issue: int, later: LabelEvent
) -> None:
    """GitHub says that we did it, by webhook and by harvest."""
    label_events.record(session, issue, [TOLD], source=ON_BEHALF)
    assert label_events.record(session, issue, [later], source="harvest") == 0
    (kept,) = label_events.of_issue(session, issue)
    assert (kept.actor, kept.actor_kind) == ("ann", "human")


def test_what_github_told_first_becomes_theirs(session: Session, issue: int) -> None:
    label_events.record(session, issue, [replace(BY_US, github_id=77)], source="webhook")
    label_events.record(session, issue, [TOLD], source=ON_BEHALF)
    label_events.record(session, issue, [TOLD], source=ON_BEHALF)
    (kept,) = label_events.of_issue(session, issue)
    assert (kept.actor, kept.actor_kind, kept.github_id) == ("ann", "human", 77)


def test_what_we_did_by_ourselves_stays_ours(session: Session, issue: int) -> None:
    """An hour before, and the other way round: not the same act."""
    before = replace(BY_US, at=NOW - timedelta(hours=1))
    removal = replace(BY_US, added=False, at=NOW - timedelta(seconds=30))
    label_events.record(session, issue, [before, removal], source="webhook")
    label_events.record(session, issue, [TOLD], source=ON_BEHALF)
    kinds = [event.actor_kind for event in label_events.of_issue(session, issue)]
    assert kinds == ["us", "us", "human"]


def test_a_removal_on_behalf_is_a_humans(session: Session, issue: int) -> None:
    label_events.record(session, issue, [replace(TOLD, added=False)], source=ON_BEHALF)
    label_events.record(session, issue, [replace(BY_US, added=False)], source="webhook")
    assert label_events.removed_by_human(session, issue) == {"bug"}


# -- commands ---------------------------------------------------------------------------------------------


def test_a_comment_is_asked_once(session: Session, issue: int) -> None:
    first = answers.ask(session, issue, comment_id=5, actor="ann")
    answers.progress(session, first.id, done=2, said=["a", "b"])
    again = answers.ask(session, issue, comment_id=5, actor="ann")
    assert (again.id, again.done, again.said, again.status) == (first.id, 2, ["a", "b"], "open")
    answers.close(session, first.id, status="done")
    assert answers.ask(session, issue, comment_id=5, actor="ann").status == "done"
    assert answers.ask(session, issue, comment_id=6, actor="ann").id != first.id


def test_a_refusal_is_remembered_for_the_person(session: Session, issue: int) -> None:
    asked = answers.ask(session, issue, comment_id=5, actor="eve")
    assert not answers.was_refused(session, 70, "eve")
    answers.close(session, asked.id, status="refused")
    assert answers.was_refused(session, 70, "eve")
    assert not answers.was_refused(session, 70, "ann")
    assert not answers.was_refused(session, 71, "eve")


# -- answers ----------------------------------------------------------------------------------------------


def suggested(session: Session, issue: int, label: str = "docs", detail: str = "") -> int:
    effect = effects.plan(session, issue, kind="suggest", label=label)
    effects.finish(session, effect, status="done", detail=detail)
    return effect


def aged(session: Session, effect: int, age: str) -> None:
    session.execute(
        text("UPDATE effects SET done_at = now() - CAST(:age AS interval) WHERE id = :id"),
        {"age": age, "id": effect},
    )


def test_the_first_answer_counts(session: Session, issue: int) -> None:
    effect = suggested(session, issue)
    told = {"actor": "ann", "source": "native", "at": datetime.now(UTC)}
    assert answers.answer(session, effect, verdict="dismissed", **told)
    assert not answers.answer(session, effect, verdict="approved", **told)
    assert session.get_one(Answer, effect).verdict == "dismissed"
    assert answers.open_suggestions(session, issue, "native") == []


def test_suggestions_in_a_comment_are_kept_apart(session: Session, issue: int) -> None:
    suggested(session, issue, "docs")
    suggested(session, issue, "bug", detail=answers.IN_COMMENT)
    assert [one.label for one in answers.open_suggestions(session, issue, "native")] == ["docs"]
    assert [one.label for one in answers.open_suggestions(session, issue, "comment")] == ["bug"]


@pytest.mark.parametrize(
    ("age", "seen", "due"),
    [
        ("5 minutes", None, False),
        ("30 minutes", None, True),
        ("2 days", "1 hour", False),
        ("2 days", "13 hours", True),
        ("13 days", "4 days", True),
        ("15 days", None, False),
    ],
)
def test_polls_become_seldom_and_end(
    session: Session, issue: int, age: str, seen: str | None, due: bool
) -> None:
    aged(session, suggested(session, issue), age)
    if seen is not None:
        answers.looked(session, issue)
        session.execute(
            text("UPDATE polls SET polled_at = now() - CAST(:seen AS interval)"), {"seen": seen}
        )
    found = answers.due(session, most=10)
    assert [one.issue_id for one in found] == ([issue] if due else [])


def test_polls_are_bounded_and_the_longest_unseen_comes_first(
    session: Session, repository: int
) -> None:
    ids = [issues.upsert(session, repository, an_issue(n), as_filed=True) for n in (1, 2, 3)]
    for hours, id_ in zip((2, 5, 3), ids, strict=True):
        aged(session, suggested(session, id_), f"{hours} hours")
    assert [one.number for one in answers.due(session, most=2)] == [2, 3]


def test_whom_we_do_not_serve_is_not_polled(session: Session, issue: int) -> None:
    aged(session, suggested(session, issue), "1 day")
    repositories.set_status(session, 70, "paused")
    assert answers.due(session, most=10) == []


# -- neighbours -------------------------------------------------------------------------------------------


def test_neighbours_are_issues_that_people_labelled_so(session: Session, repository: int) -> None:
    ids = [
        issues.upsert(session, repository, an_issue(n, labels=frozenset(names)), as_filed=True)
        for n, names in enumerate([["bug"], ["bug"], ["bug"], ["docs"], ["bug"], ["bug"]], start=1)
    ]
    rows = [[1, 0], [1, 0.1], [1, 1], [1, 0], [1, 0.2], [1, 0.05]]
    vectors.save(
        session, [(i, np.array(r, np.float32)) for i, r in zip(ids, rows, strict=True)], **KEY
    )
    label_events.record(session, ids[4], [replace(BY_US, at=NOW)], source="webhook")
    label_events.record(session, ids[1], [replace(BY_US, at=NOW), TOLD], source="webhook")
    found = nearest_labelled(session, ids[0], "bug", **KEY)
    assert [one.number for one in found] == [6, 2, 3]
    assert found[0].similarity == pytest.approx(0.99875, abs=1e-4)
    assert len(nearest_labelled(session, ids[0], "bug", most=1, **KEY)) == 1
    assert nearest_labelled(session, ids[0], "bug", **{**KEY, "bundle": "other"}) == []


def test_the_last_word_on_a_neighbours_label_is_told_by_github_not_by_our_order(
    session: Session, repository: int
) -> None:
    """A harvest reads backwards, and GitHub cuts times to the second."""
    asked, taken_off = (
        issues.upsert(session, repository, an_issue(n, labels=frozenset({"bug"})), as_filed=True)
        for n in (1, 2)
    )
    one = np.ones(2, np.float32)
    vectors.save(session, [(asked, one), (taken_off, one)], **KEY)
    told = LabelEvent("bug", True, "ada", "human", NOW, 11), replace(BY_US, at=NOW, github_id=12)
    for event in reversed(told):
        label_events.record(session, taken_off, [event], source="harvest")
    assert nearest_labelled(session, asked, "bug", **KEY) == []


@pytest.mark.parametrize("state", sorted(NOT_TEACHING))
def test_issues_that_teach_nothing_are_no_neighbours_and_not_polled(
    session: Session, repository: int, state: str
) -> None:
    asked, gone = (
        issues.upsert(session, repository, an_issue(n, labels=frozenset({"bug"})), as_filed=True)
        for n in (1, 2)
    )
    one = np.ones(2, np.float32)
    vectors.save(session, [(asked, one), (gone, one)], **KEY)
    aged(session, suggested(session, gone), "1 day")
    assert nearest_labelled(session, asked, "bug", **KEY)
    assert answers.due(session, most=10)
    session.execute(
        text("UPDATE issues SET state = :state WHERE id = :id"), {"state": state, "id": gone}
    )
    assert nearest_labelled(session, asked, "bug", **KEY) == []
    assert answers.due(session, most=10) == []


def test_neighbours_stay_in_their_repository(session: Session, issue: int) -> None:
    installations.upsert(session, id=8, account="other")
    repositories.upsert(session, id=71, installation_id=8, full_name="other/x", private=True)
    secret = issues.upsert(session, 71, an_issue(9, github_id=5), as_filed=True)
    one = np.ones(2, np.float32)
    vectors.save(session, [(issue, one), (secret, one)], **KEY)
    assert nearest_labelled(session, issue, "bug", **KEY) == []


@pytest.mark.parametrize("status", ["paused", "removed"])
def test_learning_that_ends_does_not_end_a_pause(
    session: Session, repository: int, status: str
) -> None:
    repositories.advance(session, repository, "ready")
    repositories.set_status(session, repository, status)  # type: ignore[arg-type]
    repositories.advance(session, repository, "ready")
    found = repositories.get(session, repository)
    assert found is not None
    assert found.status == status
