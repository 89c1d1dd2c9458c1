"""The watch over a promotion: equal exposure, no alarm without a rise, and a rise that takes the bundle back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from bot.core.types import Decision, LabelEvent
from bot.jobs.rollout import watching
from bot.jobs.rollout.watching import look_after
from bot.store import (
    bundles,
    decisions,
    effects,
    exposure,
    heads,
    issues,
    label_events,
    repositories,
    runs,
)
from bot.store.engine import Database
from bot.web.app import create_app
from tests.integration.stored import add_repository, an_issue

DAY = timedelta(days=1)
NOW = datetime.now(UTC).replace(microsecond=0)
LONG_AGO = NOW - 60 * DAY
SWAP = NOW - 10 * DAY


def labelled(
    session: Session, number: int, *, bundle: str, at: datetime, corrected_after: timedelta | None
) -> int:
    """An issue that a bundle set `bug` on, and when a person took it off again."""
    issue_id = issues.upsert(session, 70, an_issue(number), as_filed=True)
    (decision,) = decisions.record(
        session, issue_id, [Decision("bug", "apply", "", 0.9, 0.5)],
        delivery_id=None, head_id=None, bundle=bundle,
    )  # fmt: skip
    effect = effects.plan(session, issue_id, kind="add", label="bug", decision_id=decision)
    effects.finish(session, effect, status="done")
    for table, column in (("decisions", "decided_at"), ("effects", "done_at")):
        session.execute(
            text(f"UPDATE {table} SET {column} = :at WHERE issue_id = :id"),
            {"at": at, "id": issue_id},
        )
    events = [LabelEvent("bug", True, "us[bot]", "us", at)]
    if corrected_after is not None:
        # Everybody corrects once: the same person many times within minutes would be a mass relabel.
        person = f"person{number}"
        events.append(LabelEvent("bug", False, person, "human", at + corrected_after))
    label_events.record(session, issue_id, events, source="webhook")
    return issue_id


def promoted(database: Database, *, run_id: int | None = None) -> None:
    """`old` was replaced by `new` in the one repository there is."""
    with database.session() as session:
        add_repository(session)
        head = {}
        for bundle, state in (("old", "previous"), ("new", "champion")):
            bundles.add(
                session, bundle, name=f"{bundle} one", directory=bundle, state=state, run_id=run_id
            )
            head[bundle] = heads.save(
                session, 70, artefact=b"x", expectation={}, bundle=bundle, backend="int8", reason=""
            )
        repositories.activate_head(session, 70, head["new"])
        session.execute(text("UPDATE bundles SET added_at = :at"), {"at": SWAP})


def life(database: Database, *, before: int, after: int, wrong_every: int) -> None:
    """Issues under the old bundle, one in ten corrected, and then under the new one."""
    with database.session() as session:
        for n in range(before):
            late = timedelta(hours=1) if n % 10 == 0 else None
            at = LONG_AGO + n * timedelta(minutes=30)
            labelled(session, n + 1, bundle="old", at=at, corrected_after=late)
        for n in range(after):
            late = timedelta(hours=1) if n % wrong_every == 0 else None
            at = SWAP + (n + 1) * timedelta(minutes=30)
            labelled(session, 10_000 + n, bundle="new", at=at, corrected_after=late)


def served(database: Database) -> str:
    with database.session() as session:
        head = heads.active(session, 70)
    assert head is not None
    return head.bundle


def test_a_rise_takes_the_bundle_back_and_is_told(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with database.session() as session:
        run_id = runs.create(
            session, reason="weekly", launcher="local", directory=Path("x"), snapshot="s"
        )
    promoted(database, run_id=run_id)
    life(database, before=120, after=60, wrong_every=2)
    said = look_after(database)
    assert "old one (old) serves 1 repositories again" in said
    assert (
        "50.0% was corrected within 6 hours, 10.0% of what old had set (60 and 60 issues)" in said
    )
    assert served(database) == "old"
    assert any(record.levelname == "ERROR" for record in caplog.records)
    with database.session() as session:
        assert "Taken back: of what it set 50.0%" in runs.get(session, run_id).outcome
    with TestClient(create_app(database, webhook_secrets=["x"])) as client:
        told = client.get("/metrics").text
    assert 'labelwright_bundle_taken_back{bundle="new",name="new one"} 1.0' in told
    assert 'labelwright_bundle_repositories{bundle="old",state="champion"} 1.0' in told


def test_an_alarm_is_about_the_bundle_that_was_watched(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next promotion began while its figures were read: that one has set nothing yet."""
    promoted(database)
    life(database, before=120, after=60, wrong_every=2)
    demote = watching.demote

    def late(*args: Any, **more: Any) -> str:
        with database.session() as session:
            bundles.clear_previous(session)
            bundles.add(session, "third", name="", directory="", state="challenger", run_id=None)
        return demote(*args, **more)

    monkeypatch.setattr(watching, "demote", late)
    look_after(database)
    with database.session() as session:
        assert {row.id: row.state for row in bundles.newest(session)} == {
            "third": "challenger",
            "new": "champion",
            "old": "retired",
        }


def test_the_same_rate_alarms_nobody(database: Database) -> None:
    promoted(database)
    life(database, before=120, after=60, wrong_every=10)
    assert "no rise of corrections is proved" in look_after(database)
    assert served(database) == "new"
    with database.session() as session:
        row = bundles.get(session, "new")
        assert row is not None
        assert [window["hours"] for window in row.watch["windows"]] == [6, 72]
        assert row.watch["windows"][0]["issues_after"] == 60
        assert row.watch["against"] == "old"


def test_without_a_promotion_nothing_is_watched(database: Database) -> None:
    assert look_after(database) == "0 repositories are left to move; no bundle is watched"


def test_every_label_is_looked_at_after_the_same_time(database: Database) -> None:
    promoted(database)
    window = timedelta(hours=6)
    with database.session() as session:
        in_time = labelled(
            session, 1, bundle="new", at=NOW - DAY, corrected_after=timedelta(hours=5)
        )
        too_late = labelled(
            session, 2, bundle="new", at=NOW - DAY, corrected_after=timedelta(hours=7)
        )
        labelled(  # corrected at once, but others of its age still lie untouched
            session, 3, bundle="new", at=NOW - window / 2, corrected_after=timedelta(hours=1)
        )
        labelled(session, 4, bundle="old", at=NOW - DAY, corrected_after=None)
        found = exposure.outcomes(session, 70, bundle="new", window=window, since=LONG_AGO)
    assert {one.issue_id: one.corrected for one in found} == {in_time: 1.0, too_late: 0.0}


def test_what_was_decided_and_never_set_is_no_exposure(database: Database) -> None:
    """The silent share, dry runs, and writes that failed."""
    promoted(database)
    with database.session() as session:
        issue_id = labelled(session, 1, bundle="new", at=NOW - DAY, corrected_after=None)
        session.execute(text("UPDATE effects SET status = 'failed'"))
        silent = issues.upsert(session, 70, an_issue(2), as_filed=True)
        decisions.record(
            session, silent, [Decision("bug", "apply", "", 0.9, 0.5)],
            delivery_id=None, head_id=None, bundle="new",
        )  # fmt: skip
        found = exposure.outcomes(
            session, 70, bundle="new", window=timedelta(hours=6), since=LONG_AGO
        )
    assert issue_id
    assert found == []
