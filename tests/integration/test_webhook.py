"""The receiver over a real database: stored and enqueued together, once, or refused politely."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import make_url

from bot.errors import UserError
from bot.store.engine import Database
from bot.web import webhook
from bot.web.app import create_app
from bot.web.signature import sign

SECRET = "correct horse"
PAYLOAD = {
    "action": "opened",
    "installation": {"id": 5},
    "repository": {"id": 7},
    "issue": {"number": 3, "title": "nul \u0000 and \ud800"},
}
NOTHING_STORED: list[tuple[object, ...]] = []


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    with TestClient(create_app(database, webhook_secrets=["new one", SECRET])) as client:
        yield client


def headers_for(body: bytes, **more: str) -> dict[str, str]:
    return {
        "x-hub-signature-256": sign(SECRET, body),
        "x-github-event": "issues",
        "x-github-delivery": "guid-1",
        "x-github-hook-installation-target-id": "12",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }


def deliver(client: TestClient, payload: object = PAYLOAD, **more: str) -> httpx.Response:
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return client.post("/webhook", content=body, headers=headers_for(body, **more))


def stored(database: Database) -> list[tuple[object, ...]]:
    with psycopg.connect(database.url) as connection:
        return connection.execute(
            "SELECT d.target_id, d.guid, d.event, d.action, d.status, j.task_name, j.lock"
            " FROM deliveries AS d LEFT JOIN procrastinate_jobs AS j"
            " ON (j.args ->> 'delivery_id')::bigint = d.id ORDER BY d.id"
        ).fetchall()


ROW = (12, "guid-1", "issues", "opened", "stored", "delivery", "issue/7/3")


def test_a_delivery_is_stored_with_its_job(client: TestClient, database: Database) -> None:
    answer = deliver(client)
    assert (answer.status_code, answer.json()) == (202, {"status": "stored"})
    assert stored(database) == [ROW]
    with psycopg.connect(database.url) as connection:
        ((body,),) = connection.execute("SELECT body FROM deliveries").fetchall()
    assert json.loads(body) == PAYLOAD


def test_a_duplicate_is_acknowledged_and_changes_nothing(
    client: TestClient, database: Database
) -> None:
    deliver(client)
    answer = deliver(client, {"action": "edited"})
    assert (answer.status_code, answer.json()) == (202, {"status": "duplicate"})
    assert stored(database) == [ROW]


def test_two_apps_may_get_the_same_guid(client: TestClient, database: Database) -> None:
    deliver(client)
    answer = deliver(client, x_github_hook_installation_target_id="13")
    assert answer.json() == {"status": "stored"}
    assert [row[0] for row in stored(database)] == [12, 13]


def test_an_unknown_event_is_remembered_without_a_job(
    client: TestClient, database: Database
) -> None:
    answer = deliver(client, x_github_event="star")
    assert (answer.status_code, answer.json()) == (202, {"status": "ignored"})
    assert stored(database) == [(12, "guid-1", "star", "opened", "ignored", None, None)]


def test_many_at_once_are_stored_once_each(client: TestClient, database: Database) -> None:
    def send(number: int) -> int:
        return deliver(client, x_github_delivery=f"guid-{number % 40}").status_code

    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(send, range(120))) == {202}
    rows = stored(database)
    assert sorted(row[1] for row in rows) == sorted(f"guid-{number}" for number in range(40))
    assert {row[5] for row in rows} == {"delivery"}


@pytest.mark.parametrize("signature", ["", "sha256=", "sha1=abc", sign("other", b"{}"), "é"])
def test_a_bad_signature_is_refused(client: TestClient, database: Database, signature: str) -> None:
    headers = headers_for(b"{}") | {"x-hub-signature-256": signature}
    encoded = {name: value.encode() for name, value in headers.items()}
    assert client.post("/webhook", content=b"{}", headers=encoded).status_code == 401
    assert stored(database) == NOTHING_STORED


def test_a_missing_signature_is_refused(client: TestClient, database: Database) -> None:
    headers = headers_for(b"{}")
    del headers["x-hub-signature-256"]
    answer = client.post("/webhook", content=b"{}", headers=headers)
    assert answer.status_code == 401
    assert "x-hub-signature-256 is missing" in answer.json()["error"]
    assert stored(database) == NOTHING_STORED


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000, b"payload=%7B%7D"])
def test_what_cannot_be_parsed_is_refused(
    client: TestClient, database: Database, body: bytes
) -> None:
    assert deliver(client, body).status_code == 400
    assert stored(database) == NOTHING_STORED


@pytest.mark.parametrize(
    "name", ["x-github-event", "x-github-delivery", "x-github-hook-installation-target-id"]
)
def test_a_missing_header_is_named(client: TestClient, name: str) -> None:
    headers = headers_for(b"{}")
    del headers[name]
    answer = client.post("/webhook", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()) == (400, {"error": f"the header {name} is missing"})


def test_a_body_that_is_too_large_is_refused_announced_or_not(
    client: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "MAX_BODY", 1000)
    assert deliver(client, b'"' + b"x" * 998 + b'"').status_code == 400
    assert deliver(client, b"x" * 1001).status_code == 413
    answer = client.post(
        "/webhook", content=iter([b"x" * 600, b"x" * 600]), headers=headers_for(b"")
    )
    assert answer.status_code == 413
    assert stored(database) == NOTHING_STORED


def test_a_big_body_is_read_beside_the_others(client: TestClient, database: Database) -> None:
    big = {**PAYLOAD, "filler": "x" * (webhook.BIG_BODY + 1)}
    assert deliver(client, big).status_code == 202
    assert stored(database) == [ROW]


HEADER = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=120).map(
    lambda value: value.strip().encode("latin-1")
)


@given(
    body=st.binary(max_size=200)
    | st.dictionaries(
        st.sampled_from(["action", "installation", "repository", "issue"]),
        st.text()
        | st.integers()
        | st.fixed_dictionaries({"id": st.integers(), "number": st.text()}),
    ).map(lambda payload: json.dumps(payload).encode()),
    headers=st.dictionaries(
        st.sampled_from(
            [
                "x-hub-signature-256",
                "x-github-event",
                "x-github-delivery",
                "x-github-hook-installation-target-id",
            ]
        ),
        HEADER,
    ),
)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_input_is_an_error_of_ours(
    client: TestClient, body: bytes, headers: dict[str, bytes]
) -> None:
    ours = {name: value.encode() for name, value in headers_for(body).items()}
    answer = client.post("/webhook", content=body, headers=ours | headers)
    assert answer.status_code in {202, 400, 401}


def test_a_database_that_is_away_is_a_503_until_it_is_back(database: Database) -> None:
    gone = Database(make_url(database.url).set(database="no_such_database"))
    with TestClient(create_app(gone, webhook_secrets=[SECRET])) as client:
        answer = deliver(client)
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
    gone.close()


def test_a_cut_connection_is_not_noticed_by_the_sender(
    client: TestClient, database: Database
) -> None:
    assert deliver(client).status_code == 202
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert deliver(client, x_github_delivery="guid-2").status_code == 202
    assert len(stored(database)) == 2


def test_a_delivery_that_cannot_be_enqueued_is_not_stored(
    client: TestClient, database: Database
) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE procrastinate_jobs RENAME TO elsewhere")
        assert deliver(client).status_code == 503
        connection.execute("ALTER TABLE elsewhere RENAME TO procrastinate_jobs")
    assert stored(database) == NOTHING_STORED
    assert deliver(client).json() == {"status": "stored"}


def test_a_worker_hears_of_the_job_at_once(client: TestClient, database: Database) -> None:
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute('LISTEN "procrastinate_queue_v1#default"')
        sender = threading.Thread(target=deliver, args=(client,))
        sender.start()
        notified = next(connection.notifies(timeout=60))
        sender.join()
    assert json.loads(notified.payload)["type"] == "job_inserted"


@pytest.mark.parametrize("secrets", [[], [""], ["good", ""]])
def test_no_secret_or_an_empty_one_is_refused(database: Database, secrets: list[str]) -> None:
    with pytest.raises(UserError, match="LABELWRIGHT_WEBHOOK_SECRETS"):
        create_app(database, webhook_secrets=secrets)


WEB_PROCESS = """
import sys
import psutil
from sqlalchemy.engine import make_url
from bot.store.engine import Database
from bot.web.app import create_app
create_app(Database(make_url(sys.argv[1])), webhook_secrets=["x"])
models = {"numpy", "sklearn", "scipy", "onnxruntime", "tokenizers", "torch", "transformers", "github"}
print(sorted(models & set(sys.modules)))
print(sorted(name for name in sys.modules if name.startswith(("bot.classify", "bot.jobs.tasks"))))
print(psutil.Process().memory_info().rss < 150 * 2**20)
"""


def test_the_web_process_imports_no_model_and_stays_small(database: Database) -> None:
    command = [sys.executable, "-W", "error", "-c", WEB_PROCESS, database.url]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.splitlines() == ["[]", "[]", "True"]
