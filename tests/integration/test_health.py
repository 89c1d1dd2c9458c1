"""Readiness says what is missing; metrics tell what the database knows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from bot.core.types import Decision
from bot.jobs.queue import defer
from bot.store import beats, decisions, deliveries, effects, issues, schedule_runs
from bot.store.engine import Database
from bot.store.tables import Delivery
from bot.web.app import create_app
from tests.integration.stored import NOW, add_repository, an_issue


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    with TestClient(create_app(database, webhook_secrets=["x"])) as client:
        yield client


@pytest.fixture
def away(database: Database) -> Iterator[TestClient]:
    gone = Database(make_url(database.url).set(database="no_such_database"))
    with TestClient(create_app(gone, webhook_secrets=["x"])) as client:
        yield client
    gone.close()


def metrics(client: TestClient) -> dict[str, float]:
    lines = client.get("/metrics").text.splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def test_the_process_lives_whatever_else_is_away(away: TestClient) -> None:
    assert away.get("/healthz").json() == {"status": "ok"}


def test_ready_needs_a_worker_that_serves_a_bundle(client: TestClient, database: Database) -> None:
    answer = client.get("/readyz")
    checks = answer.json()["checks"]
    assert answer.status_code == 503
    assert [checks[name]["ok"] for name in ("database", "queue", "bundle")] == [True, False, False]
    with database.session() as session:
        beats.beat(session, "w1", bundle=None, backend=None)
    checks = client.get("/readyz").json()["checks"]
    assert [checks[name]["ok"] for name in ("database", "queue", "bundle")] == [True, True, False]
    with database.session() as session:
        beats.beat(session, "w1", bundle="abc123", backend="int8")
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert answer.json()["checks"]["bundle"] == {"ok": True, "detail": "abc123/int8"}


def test_a_worker_that_went_silent_does_not_count(client: TestClient, database: Database) -> None:
    with database.session() as session:
        beats.beat(session, "w1", bundle="abc123", backend="int8")
        session.execute(text("UPDATE worker_beats SET seen_at = now() - interval '5 minutes'"))
    assert client.get("/readyz").status_code == 503


def test_an_old_schema_is_not_ready(client: TestClient, database: Database) -> None:
    with database.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'older'"))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "labelwright migrate" in answer.json()["checks"]["database"]["detail"]


def test_without_the_database_nothing_is_ready_and_metrics_say_so(away: TestClient) -> None:
    answer = away.get("/readyz")
    assert answer.status_code == 503
    assert not any(check["ok"] for check in answer.json()["checks"].values())
    assert metrics(away)["labelwright_database_up"] == 0


def test_metrics_tell_deliveries_decisions_queue_and_workers(
    client: TestClient, database: Database
) -> None:
    with database.session() as session:
        for number, status in enumerate(["stored", "stored", "done"]):
            session.execute(insert(Delivery).values(a_delivery(number, status)))
        defer(session, "x")
        defer(session, "x", queue="learning", schedule_in=60)
        beats.beat(session, "w1", bundle="abc", backend="int8")
    found = metrics(client)
    assert found["labelwright_database_up"] == 1
    assert 'labelwright_deliveries_total{event="issues",outcome="stored"}' not in found
    assert found['labelwright_deliveries_total{event="issues",outcome="done"}'] == 1
    assert found['labelwright_queue_jobs{queue="default",status="todo"}'] == 1
    assert found['labelwright_queue_oldest_seconds{queue="default"}'] >= 0
    assert 'labelwright_queue_oldest_seconds{queue="learning"}' not in found
    assert found['labelwright_workers{backend="int8",bundle="abc"}'] == 1


def test_metrics_tell_what_failed(client: TestClient, database: Database) -> None:
    with database.session() as session:
        issue = issues.upsert(session, add_repository(session), an_issue(), as_filed=True)
        for label, status in (("bug", "failed"), ("docs", "failed"), ("wish", "done")):
            effect = effects.plan(session, issue, kind="add", label=label)
            effects.finish(session, effect, status=status)
        effects.plan(session, issue, kind="add", label="later")
        for name in ("harvest", "refit"):
            schedule_runs.claim(session, name, NOW)
        schedule_runs.finish(session, "refit", NOW, outcome="failed: KeyError")
    found = metrics(client)
    assert found['labelwright_effects_total{kind="add",outcome="failed"}'] == 2
    assert found['labelwright_effects_total{kind="add",outcome="done"}'] == 1
    assert 'labelwright_effects_total{kind="add",outcome="pending"}' not in found
    assert found['labelwright_schedule_failures{schedule="refit"}'] == 1
    assert found['labelwright_schedule_failures{schedule="harvest"}'] == 0


def test_what_ended_stays_counted_as_it_ended(client: TestClient, database: Database) -> None:
    """A worker that was taken for dead comes to its end after all: counters never fall."""
    with database.session() as session:
        values = a_delivery(1, "failed")
        one = session.scalars(insert(Delivery).values(values).returning(Delivery.id)).one()
    failed = 'labelwright_deliveries_total{event="issues",outcome="failed"}'
    assert metrics(client)[failed] == 1
    with database.session() as session:
        deliveries.finish(session, one, status="done", outcome="")
    assert metrics(client)[failed] == 1


def a_delivery(number: int, status: str) -> dict[str, object]:
    return {
        "target_id": 1,
        "guid": str(number),
        "event": "issues",
        "body": b"{}",
        "status": status,
    }


def test_latency_runs_from_delivery_to_label(client: TestClient, database: Database) -> None:
    with database.session() as session:
        label_after(session, seconds=3.0, waited=2.5)
    found = metrics(client)
    assert found['labelwright_label_seconds_bucket{le="2.0"}'] == 0
    assert found['labelwright_label_seconds_bucket{le="5.0"}'] == 1
    assert found['labelwright_label_seconds_bucket{le="+Inf"}'] == 1
    assert found["labelwright_label_seconds_sum"] == pytest.approx(3.0)
    assert found['labelwright_label_unspaced_seconds_bucket{le="1.0"}'] == 1
    assert found["labelwright_label_unspaced_seconds_sum"] == pytest.approx(0.5)
    assert found['labelwright_decisions_total{action="apply"}'] == 1
    assert found['labelwright_decisions_total{action="abstain"}'] == 1


def label_after(session: Session, *, seconds: float, waited: float) -> None:
    issue = issues.upsert(session, add_repository(session), an_issue(), as_filed=True)
    delivery = session.execute(
        insert(Delivery).values(a_delivery(1, "done")).returning(Delivery.id)
    ).scalar_one()
    decided = [
        Decision("bug", "apply", "sure", 0.97, 0.9),
        Decision("docs", "abstain", "unsure", 0.2, None),
    ]
    first, _ = decisions.record(
        session, issue, decided, delivery_id=delivery, head_id=None, bundle="abc"
    )
    effect = effects.plan(session, issue, kind="add", label="bug", decision_id=first)
    effects.finish(session, effect, status="done", waited_s=waited)
    session.execute(
        text(
            "UPDATE effects SET done_at = deliveries.received_at + :s * interval '1 second'"
            " FROM deliveries"
        ),
        {"s": seconds},
    )


def test_answers_are_counted_by_outcome(client: TestClient) -> None:
    client.post("/webhook", content=b"{}")
    client.post("/webhook", content=b"{}", headers={"x-hub-signature-256": "sha256=00"})
    found = metrics(client)
    assert found['labelwright_webhook_answers_total{outcome="unsigned"}'] == 1
    assert found['labelwright_webhook_answers_total{outcome="bad_signature"}'] == 1
