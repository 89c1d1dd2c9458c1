"""Issues, label events, vectors, decisions and effects in the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import psycopg
import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from bot.core.types import Decision, LabelEvent
from bot.store import decisions, deliveries, effects, issues, label_events, vectors
from bot.store.engine import Database
from bot.store.tables import Delivery, Effect
from tests.integration.stored import NOW, add_repository, an_issue

KEY = {"bundle": "abc", "backend": "int8", "text_version": 1}


@pytest.fixture
def repository(session: Session) -> int:
    return add_repository(session)


def test_text_as_filed_is_never_overwritten(session: Session, repository: int) -> None:
    filed = an_issue()
    edited = replace(filed, title="Edited", body="Later", state="closed", labels=frozenset())
    issue = issues.upsert(session, repository, filed, as_filed=True)
    assert issues.upsert(session, repository, edited, as_filed=False) == issue
    assert issues.upsert(session, repository, edited, as_filed=True) == issue
    stored = issues.get(session, issue)
    assert (stored.title, stored.body, stored.as_filed) == ("It breaks", "When I click", True)
    assert (stored.state, stored.labels) == ("closed", frozenset())


def test_edited_text_gives_way_to_newer_text_and_to_text_as_filed(
    session: Session, repository: int
) -> None:
    issue = issues.upsert(session, repository, an_issue(title="v2"), as_filed=False)
    issues.upsert(session, repository, an_issue(title="v3"), as_filed=False)
    assert issues.get(session, issue).title == "v3"
    issues.upsert(session, repository, an_issue(title="v1"), as_filed=True)
    stored = issues.by_number(session, repository, 1)
    assert (stored.title, stored.as_filed) == ("v1", True)


def test_a_text_that_changes_leaves_its_vectors_behind(session: Session, repository: int) -> None:
    """A vector of other words would be learned from for ever; without one it is computed."""
    vector = np.ones(3, np.float32)
    issue = issues.upsert(session, repository, an_issue(title="v2"), as_filed=False)
    other = issues.upsert(session, repository, an_issue(2, title="v2"), as_filed=False)

    def kept(title: str, *, as_filed: bool) -> set[int]:
        vectors.save(session, [(issue, vector), (other, vector)], **KEY)
        issues.upsert(session, repository, an_issue(title=title), as_filed=as_filed)
        return {issue, other} - set(vectors.missing(session, [issue, other], **KEY))

    assert kept("v2", as_filed=False) == {issue, other}
    assert kept("v3", as_filed=False) == {other}
    assert kept("v1", as_filed=True) == {other}
    assert kept("v4", as_filed=False) == {issue, other}  # an edit does not change what was filed


def test_text_that_postgres_refuses_is_stored_without_it(session: Session, repository: int) -> None:
    odd = an_issue(title="nul\x00 here", body="lone \ud800 surrogate")
    stored = issues.get(session, issues.upsert(session, repository, odd, as_filed=True))
    assert (stored.title, stored.body) == ("nul here", "lone ? surrogate")


def test_history_is_oldest_first(session: Session, repository: int) -> None:
    for number in (3, 1, 2):
        issues.upsert(session, repository, an_issue(number), as_filed=False)
    assert [issue.number for issue in issues.history(session, repository)] == [1, 2, 3]
    assert issues.get(session, 999) is None


def event(label: str, added: bool, second: float, **more: object) -> LabelEvent:
    values = {"actor": "ada", "actor_kind": "human", **more}
    return LabelEvent(label, added, at=NOW + timedelta(seconds=second), **values)  # type: ignore[arg-type]


@pytest.fixture
def issue(session: Session, repository: int) -> int:
    return issues.upsert(session, repository, an_issue(), as_filed=True)


def test_recording_twice_changes_nothing(session: Session, issue: int) -> None:
    told = [event("bug", True, 0, github_id=1), event("bug", False, 5), event("bug", True, 9)]
    assert label_events.record(session, issue, told, source="webhook") == 3
    assert label_events.record(session, issue, told, source="webhook") == 0
    assert label_events.of_issue(session, issue) == told


def test_a_harvest_recognises_what_a_webhook_told(session: Session, issue: int) -> None:
    label_events.record(session, issue, [event("bug", True, 2)], source="webhook")
    harvested = event("bug", True, 0, github_id=41)
    assert label_events.record(session, issue, [harvested], source="harvest") == 0
    assert label_events.of_issue(session, issue) == [harvested]
    assert label_events.record(session, issue, [event("bug", True, 3)], source="webhook") == 0


@pytest.mark.parametrize(
    "second",
    [
        event("bug", True, 90),
        event("bug", True, 2, actor="bob"),
        event("docs", True, 2),
        event("bug", False, 2),
    ],
)
def test_other_events_are_kept_apart(session: Session, issue: int, second: LabelEvent) -> None:
    told = [event("bug", True, 0), second]
    assert label_events.record(session, issue, told, source="webhook") == 2


def test_quick_toggles_are_not_taken_for_repetitions(session: Session, issue: int) -> None:
    toggles = [event("bug", added, second) for second, added in enumerate([True, False, True])]
    for toggle in toggles:
        label_events.record(session, issue, [toggle], source="webhook")
    assert label_events.of_issue(session, issue) == toggles
    harvested = [replace(one, github_id=one.at.second + 50) for one in toggles]
    assert label_events.record(session, issue, harvested, source="harvest") == 0
    assert label_events.of_issue(session, issue) == harvested


def test_a_harvest_recognises_what_happened_in_one_second(session: Session, issue: int) -> None:
    """We set a label and a person takes it off at once; both were told by webhook."""
    ours = event("bug", True, 0, actor="us", actor_kind="us")
    told = [ours, event("bug", False, 0)]
    label_events.record(session, issue, told, source="webhook")
    harvested = [replace(one, github_id=n) for n, one in enumerate(told, start=40)]
    assert label_events.record(session, issue, harvested[::-1], source="harvest") == 0
    assert label_events.of_issue(session, issue) == harvested


def test_the_last_word_of_a_human_decides_what_is_removed(session: Session, issue: int) -> None:
    told = [
        event("bug", True, 0, actor="us", actor_kind="us"),
        event("bug", False, 100),
        event("bug", True, 200, actor="other[bot]", actor_kind="bot"),
        event("docs", False, 300),
        event("docs", True, 400),
        event("ci", False, 500, actor="other[bot]", actor_kind="bot"),
    ]
    label_events.record(session, issue, told, source="harvest")
    assert label_events.removed_by_human(session, issue) == {"bug"}
    assert label_events.of_repository(session, 70) == {issue: told}


def test_vectors_come_back_as_they_went(session: Session, repository: int) -> None:
    ids = [issues.upsert(session, repository, an_issue(n), as_filed=True) for n in (1, 2, 3)]
    rows = np.random.default_rng(0).normal(size=(2, 384)).astype(np.float32)
    vectors.save(session, zip(ids, rows, strict=False), **KEY)
    found, there = vectors.matrix(session, ids, dim=384, **KEY)
    assert there.tolist() == [True, True, False]
    assert np.array_equal(found[:2], rows)
    assert vectors.missing(session, [ids[2], ids[0]], **KEY) == [ids[2]]


def test_vectors_of_two_bundles_live_side_by_side(session: Session, issue: int) -> None:
    other = {**KEY, "bundle": "def"}
    vectors.save(session, [(issue, np.ones(3, np.float32))], **KEY)
    vectors.save(session, [(issue, np.zeros(5, np.float32))], **other)
    vectors.save(session, [(issue, np.full(3, 2, np.float32))], **KEY)
    assert vectors.matrix(session, [issue], dim=3, **KEY)[0].tolist() == [[2, 2, 2]]
    assert vectors.matrix(session, [issue], dim=5, **other)[1].all()
    assert vectors.missing(session, [issue], **{**KEY, "text_version": 2}) == [issue]


def test_vectors_leave_with_the_transaction(database: Database) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation), database.session() as session:
        vectors.save(session, [(12345, np.ones(3, np.float32))], **KEY)
    with database.session() as session:
        assert vectors.missing(session, [12345], **KEY) == [12345]


DECIDED = [
    Decision("bug", "apply", "sure", 0.97, 0.9),
    Decision("docs", "abstain", "unsure", 0.2, None),
]


def a_delivery(session: Session) -> int:
    values = {"target_id": 1, "guid": "g", "event": "issues", "body": b"{}"}
    return session.execute(insert(Delivery).values(values).returning(Delivery.id)).scalar_one()


def test_a_delivery_says_how_it_ended(session: Session) -> None:
    delivery = a_delivery(session)
    assert deliveries.get(session, delivery).status == "stored"
    deliveries.finish(session, delivery, status="done", outcome="2 labels")
    session.expire_all()
    stored = deliveries.get(session, delivery)
    assert (stored.status, stored.outcome, stored.body) == ("done", "2 labels", b"{}")
    assert deliveries.get(session, 999) is None


def test_one_delivery_decides_a_label_once(session: Session, issue: int) -> None:
    where = {"delivery_id": a_delivery(session), "head_id": None, "bundle": "abc"}
    first = decisions.record(session, issue, DECIDED, **where)
    again = decisions.record(session, issue, [replace(DECIDED[0], probability=0.95)], **where)
    assert again == first[:1]
    stored = decisions.of_issue(session, issue)
    assert [(row.label, row.action, row.probability) for row in stored] == [
        ("bug", "apply", 0.95),
        ("docs", "abstain", 0.2),
    ]


def test_an_effect_is_planned_once_and_finished(session: Session, issue: int) -> None:
    decided = decisions.record(
        session, issue, DECIDED, delivery_id=None, head_id=None, bundle="abc"
    )
    effect = effects.plan(session, issue, kind="add", label="bug", decision_id=decided[0])
    assert effects.plan(session, issue, kind="add", label="bug", decision_id=decided[0]) == effect
    assert session.get_one(Effect, effect).status == "pending"
    effects.finish(session, effect, status="done", waited_s=1.5)
    session.expire_all()
    stored = effects.of_issue(session, issue)
    assert [(row.status, row.waited_s) for row in stored] == [("done", 1.5)]
    assert stored[0].done_at is not None


@pytest.mark.parametrize("state", ["deleted", "transferred"])
def test_what_is_gone_stays_gone_whatever_is_told_late(
    session: Session, repository: int, state: str
) -> None:
    gone = an_issue(state=state, labels=frozenset())
    id_ = issues.upsert(session, repository, gone, as_filed=False)
    assert issues.upsert(session, repository, an_issue(), as_filed=True) == id_
    found = issues.get(session, id_)
    assert (found.state, found.labels) == (state, frozenset())


def test_what_waits_elsewhere_goes_on_waiting(
    session: Session, repository: int, issue: int
) -> None:
    other = issues.upsert(session, repository, an_issue(2), as_filed=True)
    for place in (issue, other):
        decided = [Decision("bug", "apply", "", 0.9, 0.5)]
        (decision,) = decisions.record(
            session, place, decided, delivery_id=None, head_id=None, bundle="b"
        )
        effects.plan(session, place, kind="add", label="bug", decision_id=decision)
    effects.end_waiting(session, status="failed", detail="x", delivery_id=1)
    effects.supersede(session, issue)
    ends = [(e.status, e.detail) for one in (issue, other) for e in effects.of_issue(session, one)]
    assert ends == [("skipped", effects.SUPERSEDED), ("pending", "")]
