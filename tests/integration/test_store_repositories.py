"""Installations, repositories, labels and heads in the store."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from bot.core.types import Decision, LabelEvent, RepositoryLabel
from bot.store import (
    beats,
    decisions,
    heads,
    installations,
    issues,
    label_events,
    labels,
    repositories,
    schedule_runs,
)
from bot.store.engine import Database
from bot.store.tables import Delivery
from tests.integration.stored import NOW, add_repository, an_issue


@pytest.fixture
def repository(session: Session) -> int:
    return add_repository(session)


def test_a_repository_is_found_by_any_case_of_its_name(session: Session, repository: int) -> None:
    found = repositories.by_name(session, "acme/widget")
    assert found is not None
    assert (found.id, found.private, found.status) == (repository, True, "new")
    assert repositories.by_name(session, "acme/other") is None


def test_a_known_repository_keeps_its_status_and_a_removed_one_starts_anew(
    session: Session, repository: int
) -> None:
    again = {"id": repository, "installation_id": 7, "full_name": "acme/renamed", "private": False}
    repositories.set_status(session, repository, "ready")
    repositories.save_cursor(session, repository, "page 3")
    repositories.upsert(session, **again)
    session.expire_all()
    kept = repositories.get(session, repository)
    assert (kept.status, kept.full_name, kept.history_cursor) == (
        "ready",
        "acme/renamed",
        "page 3",
    )
    installations.remove(session, 7)
    assert repositories.all_active(session) == []
    repositories.upsert(session, **again)
    session.expire_all()
    assert repositories.get(session, repository).status == "new"


def test_rules_are_kept_as_read(session: Session, repository: int) -> None:
    repositories.save_rules(session, repository, text="mode: suggest", etag='"x"', error=None)
    stored = repositories.get(session, repository)
    session.refresh(stored)
    assert (stored.rules_text, stored.rules_etag, stored.rules_error) == (
        "mode: suggest",
        '"x"',
        None,
    )
    assert stored.rules_checked_at is not None


def test_installations_that_are_suspended_or_removed_are_not_active(session: Session) -> None:
    for id_ in (1, 2, 3):
        installations.upsert(session, id=id_, account=f"account {id_}")
    installations.suspend(session, 2)
    installations.remove(session, 3)
    assert [row.id for row in installations.active(session)] == [1]
    installations.upsert(session, id=3, account="back")
    installations.suspend(session, 2, suspended=False)
    session.expire_all()
    assert [row.id for row in installations.active(session)] == [1, 2, 3]


def test_writes_of_an_installation_are_spaced(database: Database) -> None:
    with database.session() as session:
        installations.upsert(session, id=7, account="acme", write_interval=100.0)
        installations.upsert(session, id=8, account="other", write_interval=100.0)
    waits = []
    for _ in range(3):
        with database.session() as session:
            waits.append(installations.reserve_write(session, 7))
    assert waits[0] == pytest.approx(0.0, abs=5.0)
    assert waits[1] - waits[0] == pytest.approx(100.0, abs=5.0)
    assert waits[2] - waits[1] == pytest.approx(100.0, abs=5.0)
    with database.session() as session:
        assert installations.reserve_write(session, 8) == pytest.approx(0.0, abs=5.0)


def test_an_unknown_installation_has_no_budget(session: Session) -> None:
    with pytest.raises(LookupError, match="12 is unknown"):
        installations.reserve_write(session, 12)


def test_sync_adds_updates_and_deletes_by_github_id(session: Session, repository: int) -> None:
    bug, docs = RepositoryLabel(1, "bug", "a fault"), RepositoryLabel(2, "docs", "")
    labels.sync(session, repository, [bug, docs])
    labels.sync(session, repository, [RepositoryLabel(1, "bug", "a defect", "ff0000")])
    assert labels.active(session, repository) == [RepositoryLabel(1, "bug", "a defect", "ff0000")]
    # Deleted and created again: the name is the same, the label is another.
    labels.sync(session, repository, [RepositoryLabel(9, "bug", "")])
    assert labels.known_ids(session, repository) == {"bug": 9}
    labels.sync(session, repository, [])
    assert labels.known_ids(session, repository) == {}


def test_labels_that_swap_names_take_their_history_along(session: Session, repository: int) -> None:
    labels.sync(session, repository, [RepositoryLabel(1, "a", ""), RepositoryLabel(2, "b", "")])
    issue = issues.upsert(session, repository, an_issue(labels=frozenset({"a"})), as_filed=True)
    label_events.record(
        session, issue, [LabelEvent("a", True, "ada", "human", NOW, 11)], source="harvest"
    )
    labels.sync(session, repository, [RepositoryLabel(1, "b", ""), RepositoryLabel(2, "a", "")])
    assert [event.label for event in label_events.of_issue(session, issue)] == ["b"]
    assert issues.get(session, issue).labels == frozenset({"b"})
    assert labels.former_names(session, repository) == {}


def decided_on(session: Session, issue: int, *names: str) -> int:
    """One delivery, and what it decided on these labels."""
    values = {"target_id": 1, "guid": "g", "event": "issues", "body": b"{}"}
    delivery = session.execute(insert(Delivery).values(values).returning(Delivery.id)).scalar_one()
    decisions.record(
        session, issue, [Decision(name, "abstain", f"was {name}", 0.1, None) for name in names],
        delivery_id=delivery, head_id=None, bundle="b",
    )  # fmt: skip
    return delivery


def test_labels_that_swap_names_take_decisions_along(session: Session, repository: int) -> None:
    labels.sync(session, repository, [RepositoryLabel(1, "a", ""), RepositoryLabel(2, "b", "")])
    issue = issues.upsert(session, repository, an_issue(), as_filed=True)
    decided_on(session, issue, "a", "b")
    labels.sync(session, repository, [RepositoryLabel(1, "b", ""), RepositoryLabel(2, "a", "")])
    found = {row.label: row.reason for row in decisions.of_issue(session, issue)}
    assert found == {"a": "was b", "b": "was a"}


def test_a_label_may_take_the_name_of_one_that_was_deleted(
    session: Session, repository: int
) -> None:
    labels.sync(
        session, repository, [RepositoryLabel(1, "bug", ""), RepositoryLabel(2, "fault", "")]
    )
    issue = issues.upsert(session, repository, an_issue(), as_filed=True)
    delivery = decided_on(session, issue, "bug", "fault")
    labels.delete(session, repository, 1)
    labels.save(session, repository, RepositoryLabel(2, "bug", ""))
    assert labels.known_ids(session, repository) == {"bug": 2}
    rows = decisions.of_issue(session, issue)
    assert [(row.label, row.reason) for row in rows if row.delivery_id == delivery] == [
        ("bug", "was fault")
    ]


def test_events_harvested_under_an_old_name_are_stored_under_the_new(
    session: Session, repository: int
) -> None:
    labels.save(session, repository, RepositoryLabel(1, "bug", ""))
    issue = issues.upsert(session, repository, an_issue(), as_filed=True)
    labels.save(session, repository, RepositoryLabel(1, "kind/bug", ""))
    assert labels.former_names(session, repository) == {"bug": "kind/bug"}
    assert issues.get(session, issue).labels == frozenset({"kind/bug"})
    label_events.record(
        session, issue, [LabelEvent("bug", True, "ada", "human", NOW, 5)], source="harvest"
    )
    assert [event.label for event in label_events.of_issue(session, issue)] == ["kind/bug"]


def test_a_rename_in_one_repository_leaves_the_others_alone(
    session: Session, repository: int
) -> None:
    repositories.upsert(session, id=71, installation_id=7, full_name="acme/b", private=False)
    for repo in (repository, 71):
        labels.save(session, repo, RepositoryLabel(repo, "bug", ""))
    other = issues.upsert(session, 71, an_issue(), as_filed=True)
    labels.save(session, repository, RepositoryLabel(repository, "kind/bug", ""))
    assert issues.get(session, other).labels == frozenset({"bug"})
    assert labels.known_ids(session, 71) == {"bug": 71}


def test_heads_are_versioned_and_one_serves(session: Session, repository: int) -> None:
    first = save_head(session, repository, b"one", {"precision": float("nan"), "rows": (1, 2.5)})
    second = save_head(session, repository, b"two", {})
    assert heads.active(session, repository) is None
    repositories.activate_head(session, repository, second)
    active = heads.active(session, repository)
    assert (active.id, active.version, active.artefact) == (second, 2, b"two")
    assert [head.version for head in heads.versions(session, repository)] == [2, 1]
    session.expire_all()
    assert heads.get(session, first).expectation == {"precision": None, "rows": [1, 2.5]}


def test_the_head_of_another_repository_cannot_serve(session: Session, repository: int) -> None:
    repositories.upsert(session, id=71, installation_id=7, full_name="acme/b", private=False)
    head = save_head(session, 71, b"x", {})
    with pytest.raises(LookupError, match="does not belong"):
        repositories.activate_head(session, repository, head)


def save_head(session: Session, repository: int, artefact: bytes, expectation: dict) -> int:
    return heads.save(
        session,
        repository,
        artefact=artefact,
        expectation=expectation,
        bundle="abc",
        backend="int8",
        reason="test",
    )


def test_a_due_time_that_ended_is_claimed_once(session: Session) -> None:
    assert schedule_runs.claim(session, "reconcile", NOW)
    schedule_runs.finish(session, "reconcile", NOW, outcome="fine")
    assert not schedule_runs.claim(session, "reconcile", NOW)
    assert schedule_runs.claim(session, "reconcile", NOW + timedelta(hours=1))
    assert schedule_runs.latest(session, "reconcile") == NOW + timedelta(hours=1)
    assert schedule_runs.latest(session, "other") is None


def test_beats_grow_stale_and_are_swept(session: Session) -> None:
    beats.beat(session, "w1", bundle=None, backend=None)
    beats.beat(session, "w1", bundle="abc", backend="int8")
    beats.beat(session, "w2", bundle="abc", backend="int8")
    beats.forget(session, "w2")
    seen = beats.fresh(session, within=timedelta(minutes=1))
    assert [(row.worker, row.bundle) for row in seen] == [("w1", "abc")]
    beats.sweep(session, older_than=timedelta(minutes=-1))
    assert beats.fresh(session, within=timedelta(minutes=1)) == []


def test_decisions_of_no_issue_are_none(session: Session) -> None:
    assert decisions.record(session, 1, [], delivery_id=None, head_id=None, bundle="b") == []
