"""Cutting a snapshot from the store: what machines set, what owners keep, what was deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from bot.core.types import Issue, LabelEvent, RepositoryLabel
from bot.errors import UserError
from bot.store import installations, issues, label_events, labels, repositories
from bot.store import tables as stored
from tests.training.dated import START, dated_rows
from training.snapshot.cut import CutSettings, cut_store
from training.snapshot.parts import BIASED, UNSETTLED
from training.snapshot.read import Snapshot

NOW = START + timedelta(days=400)
NAMES = ("bug", "feature", "question")


def fill(session: Session, *, id: int = 70, count: int = 100, private: bool = False) -> list[int]:
    """A repository with a history that nobody but humans labelled; ids of its issues in the store."""
    installations.upsert(session, id=7, account="acme")
    name = f"acme/r{id}"
    repositories.upsert(session, id=id, installation_id=7, full_name=name, private=private)
    found = [RepositoryLabel(id * 10 + i, name, f"about {name}") for i, name in enumerate(NAMES)]
    labels.sync(session, id, found)
    return [
        issues.upsert(session, id, an_issue(row, github_id=id * 1000 + number), as_filed=True)
        for number, row in enumerate(dated_rows(count, repo=name))
    ]


def an_issue(row: dict[str, object], *, github_id: int) -> Issue:
    return Issue(
        number=int(str(row["number"])),
        title=str(row["title"]),
        body=str(row["body"]),
        labels=frozenset(map(str, row["labels"])),  # type: ignore[call-overload]
        author="ada",
        author_is_bot=False,
        author_association="NONE",
        created_at=datetime.fromisoformat(str(row["created_at"])),
        closed_at=None,
        state="open",
        locked=False,
        is_pull_request=False,
        github_id=github_id,
    )


def act_on(session: Session, ids: Iterable[int], *, silent: bool = False) -> None:
    session.execute(
        update(stored.Issue)
        .where(stored.Issue.id.in_(list(ids)))
        .values(silence=0.1, silent=silent)
    )


@pytest.fixture
def cut(session: Session, tmp_path: Path) -> Callable[..., Snapshot]:
    def cut(now: datetime = NOW, **settings: object) -> Snapshot:
        return cut_store(
            session,
            tmp_path / "snapshot",
            settling=timedelta(days=7),
            now=now,
            settings=CutSettings(**settings),  # type: ignore[arg-type]
        )

    return cut


def test_history_from_before_installation_evaluates(
    session: Session, cut: Callable[..., Snapshot]
) -> None:
    fill(session)
    snapshot = cut()
    data = snapshot.repository("acme/r70")
    assert data.facts.counts == {"evaluate": 30, "train": 70}
    assert data.specs[0].description == "about bug"
    assert all(issue.as_filed for issue in data.issues)
    assert cut(NOW + timedelta(days=1)).id == snapshot.id


def test_only_the_silent_share_evaluates_where_we_acted(
    session: Session, cut: Callable[..., Snapshot]
) -> None:
    ids = fill(session, count=200)
    act_on(session, ids[80:])
    act_on(session, ids[100::4], silent=True)
    data = cut().repository("acme/r70")
    judged = [issue.number for issue in data.take("evaluate").issues]
    assert judged == [number + 1 for number in range(120, 200, 4)]
    assert {issue.number for issue in data.take("train").issues} == set(range(1, 121))


def test_a_silent_share_that_is_large_enough_is_the_window(
    session: Session, cut: Callable[..., Snapshot]
) -> None:
    ids = fill(session, count=200)
    act_on(session, ids[80:])
    act_on(session, ids[80::2], silent=True)
    snapshot = cut()
    data = snapshot.repository("acme/r70")
    judged = [issue.number for issue in data.take("evaluate").issues]
    assert len(judged) == 30
    assert min(judged) > 140
    assert all(number % 2 for number in judged)
    assert snapshot.manifest.left_out[BIASED] == 30
    assert max(issue.number for issue in data.take("train").issues) == min(judged) - 1


def test_what_has_not_settled_is_left_out(session: Session, cut: Callable[..., Snapshot]) -> None:
    fill(session)
    snapshot = cut(START + timedelta(hours=90) + timedelta(days=7))
    assert snapshot.manifest.left_out == {UNSETTLED: 10}
    assert max(issue.number for issue in snapshot.issues) == 90


def test_labels_of_machines_are_marked_and_teach_nothing(
    session: Session, cut: Callable[..., Snapshot]
) -> None:
    ids = fill(session)
    for number, kind in enumerate(("us", "bot", "form", "human")):
        event = LabelEvent(NAMES[number % 3], True, kind, kind, START + timedelta(days=number))  # type: ignore[arg-type]
        label_events.record(session, ids[number], [event], source="webhook")
    snapshot = cut()
    found = {issue.number: issue.part for issue in snapshot.issues}
    assert [found[number] for number in (1, 2, 3, 4)] == ["unlabelled"] * 3 + ["train"]
    provenance = snapshot.manifest.provenance
    assert {kind: provenance[kind] for kind in ("us", "bot", "form", "human")} == {
        "us": 1,
        "bot": 1,
        "form": 1,
        "human": 3,
    }
    assert not snapshot.repository("acme/r70").known[:3].any()


def test_an_authors_own_label_counts_less(session: Session, cut: Callable[..., Snapshot]) -> None:
    ids = fill(session)
    event = LabelEvent(NAMES[0], True, "ada", "human", START + timedelta(days=1))
    label_events.record(session, ids[0], [event], source="webhook")
    weights = cut().repository("acme/r70").weights
    assert weights[0, 0] == pytest.approx(0.5)
    assert weights[3, 0] == 1


def test_private_repositories_only_where_their_owner_allows(
    session: Session, cut: Callable[..., Snapshot]
) -> None:
    fill(session)
    fill(session, id=80, private=True)
    snapshot = cut()
    assert [data.name for data in snapshot.repositories] == ["acme/r70"]
    assert sum(snapshot.manifest.left_out.values()) == 100
    repositories.save_rules(session, 80, text="share_for_training: true", etag=None, error=None)
    assert [data.name for data in cut().repositories] == ["acme/r70", "acme/r80"]


def test_what_is_deleted_is_not_in_the_next_snapshot(
    session: Session, cut: Callable[..., Snapshot]
) -> None:
    fill(session)
    fill(session, id=80)
    before = cut()
    row = dated_rows(1, repo="acme/r70")[0]
    gone = replace(an_issue(row, github_id=70000), state="deleted")
    issues.upsert(session, 70, gone, as_filed=True)
    repositories.set_status(session, 80, "removed")
    after = cut()
    assert len(before.issues) == 200
    assert [data.name for data in after.repositories] == ["acme/r70"]
    assert {issue.number for issue in after.issues} == set(range(2, 101))


def test_a_name_that_passed_to_another_repository_is_cut_once(
    session: Session, cut: Callable[..., Snapshot]
) -> None:
    """Renamed or deleted, and nobody told us: who bears the name now is the one added last."""
    fill(session)
    fill(session, id=80, count=60)
    repositories.rename(session, 80, "acme/r70")
    snapshot = cut()
    (data,) = snapshot.repositories
    assert len(data.issues) == len(snapshot.issues) == 60


def test_a_suspended_installation_and_an_empty_store(
    session: Session, cut: Callable[..., Snapshot]
) -> None:
    with pytest.raises(UserError, match="the store: no issue to train on"):
        cut()
    fill(session)
    installations.suspend(session, 7)
    with pytest.raises(UserError, match="the store: no issue to train on"):
        cut()


def test_times_bear_their_zone(session: Session, cut: Callable[..., Snapshot]) -> None:
    fill(session)
    assert cut().issues[0].created_at == START.astimezone(UTC)
