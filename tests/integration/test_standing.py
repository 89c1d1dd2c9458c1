"""How a promise stands, from the store to people and gauges: silent share, corrections, tallies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text, update

from bot.cli.status import lines, table
from bot.core.types import LabelEvent
from bot.jobs.context import Context
from bot.jobs.learning.standing import measure_standing
from bot.sandbox.server import SandboxServer
from bot.store import label_events, standings, tallies
from bot.store.engine import Database
from bot.store.tables import Issue
from bot.web.app import create_app
from tests.integration.down_the_road import Road, open_road

SETTLING = timedelta(days=7)
LONG_AGO = datetime.now(UTC) - timedelta(days=30)


@pytest.fixture
def road(context: Context, sandbox: SandboxServer) -> Road:
    """An issue that was labelled `bug` a month ago."""
    road = open_road(context, sandbox)
    road.label()
    with context.database.session() as session:
        old = update(Issue).where(Issue.id == road.issue_id).values(created_at=LONG_AGO)
        session.execute(old)
    return road


def measured(road: Road) -> dict:
    with road.context.database.session() as session:
        return measure_standing(session, road.repository_id, settling=SETTLING)


def told(road: Road, label: str, *, added: bool, labels: set[str]) -> None:
    """A maintainer adds or removes a label."""
    event = LabelEvent(label, added, "maintainer", "human", datetime.now(UTC))
    with road.context.database.session() as session:
        label_events.record(session, road.issue_id, [event], source="test")
        here = update(Issue).where(Issue.id == road.issue_id)
        session.execute(here.values(labels=sorted(labels)))


def bug(figures: dict) -> dict:
    return next(row for row in figures["labels"] if row["label"] == "bug")


def test_without_a_silent_share_there_is_a_correction_rate_and_no_more(road: Road) -> None:
    figures = measured(road)
    assert figures["realised"] is None
    assert figures["corrections"]["says"] == "correction rate, a lower bound on error"
    assert (figures["corrections"]["value"], figures["corrections"]["n"]) == (0.0, 1)
    assert bug(figures)["set"] == 1
    told(road, "bug", added=False, labels=set())
    figures = measured(road)
    assert (figures["corrections"]["value"], bug(figures)["corrected"]) == (1.0, 1)
    said = "\n".join(lines(figures))
    assert "Realised: unknown" in said
    assert "a lower bound on error" in said
    assert "100.0%" in said


def test_on_the_silent_share_humans_tell_what_is_right(road: Road) -> None:
    with road.context.database.session() as session:
        drawn = update(Issue).where(Issue.id == road.issue_id)
        session.execute(drawn.values(silence=0.05, silent=True))
    told(road, "bug", added=True, labels={"bug"})
    figures = measured(road)
    realised = figures["realised"]
    assert (realised["issues"], realised["precision"]["value"]) == (1, 1.0)
    assert realised["precision"]["low"] < 0.9
    assert not realised["disproved"]
    assert (bug(figures)["right"], bug(figures)["set"]) == (1, 0)
    assert figures["corrections"]["value"] is None
    assert "of the silent share: 100.0%" in "\n".join(lines(figures))
    assert table(figures).row_count == len(figures["labels"])


def test_labels_that_have_not_settled_are_no_truth(road: Road) -> None:
    with road.context.database.session() as session:
        young = update(Issue).where(Issue.id == road.issue_id)
        session.execute(young.values(created_at=datetime.now(UTC)))
    assert measured(road)["corrections"]["n"] == 0


def gauges(database: Database) -> dict[str, float]:
    client = TestClient(create_app(database, webhook_secrets=["s"]))
    rows = client.get("/metrics").text.splitlines()
    told = (row.rpartition(" ") for row in rows if not row.startswith("#"))
    return {name: float(value) for name, _, value in told}


def test_gauges_show_what_was_measured_last(road: Road) -> None:
    with road.context.database.session() as session:
        standings.save(session, road.repository_id, measured(road))
    found = gauges(road.context.database)
    here = '{repository="acme/widget"}'
    assert found[f"labelwright_promised_precision{here}"] == 0.9
    assert found[f"labelwright_correction_rate{here}"] == 0.0
    assert f"labelwright_silent_precision{here}" not in found


def test_rows_that_were_tallied_are_counted_once(road: Road) -> None:
    def counted() -> dict[str, float]:
        found = gauges(road.context.database)
        kept = ("labelwright_decisions", "labelwright_deliveries", "labelwright_label_")
        return {name: value for name, value in found.items() if name.startswith(kept)}

    def sql(statement: str) -> list:
        with road.context.database.session() as session:
            done = session.execute(text(statement))
            return list(done.all()) if done.returns_rows else []

    before = counted()
    assert before['labelwright_decisions_total{action="apply"}'] == 1
    assert sql("SELECT 1 FROM tally_marks") == []
    sql("UPDATE decisions SET decided_at = decided_at - interval '2 days'")
    sql("UPDATE effects SET created_at = created_at - interval '2 days'")
    sql("UPDATE deliveries SET status = 'done', received_at = received_at - interval '2 days'")
    sql("UPDATE effects SET done_at = done_at - interval '2 days'")
    once = counted()
    assert {row.source for row in sql("SELECT source FROM tally_marks")} == set(tallies._OVER)
    assert counted() == once
    assert once['labelwright_decisions_total{action="apply"}'] == 1
    assert once["labelwright_label_seconds_sum"] == pytest.approx(
        before["labelwright_label_seconds_sum"], abs=1e-3
    )
    road.label(delivery=2)
    assert sum(v for name, v in counted().items() if "decisions_total" in name) == 4
