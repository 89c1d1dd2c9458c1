"""Runs in the store and over HTTP: one fitter at a time, nothing half-brought, nobody in without a token."""

from __future__ import annotations

import errno
import hashlib
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from bot.store import runs
from bot.store.engine import Database
from bot.store.tables import Run
from bot.web import runs as web_runs
from bot.web.app import create_app

TOKEN = "let me in"
RECIPE = b'{"name": "small"}'


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A run's files as the operator's machine lays them out."""
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "snapshot" / "manifest.json").write_bytes(b"{}")
    (tmp_path / "recipe.json").write_bytes(RECIPE)
    return tmp_path


@pytest.fixture
def run(database: Database, directory: Path) -> int:
    with database.session() as session:
        return runs.create(
            session, reason="weekly", launcher="agent", directory=directory, snapshot="abc"
        )


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    app = create_app(database, webhook_secrets=["s"], agent_tokens=["old", TOKEN])
    with TestClient(app, headers={"authorization": f"Bearer {TOKEN}"}) as client:
        yield client


def lease(client: TestClient) -> dict[str, Any]:
    answer = client.post("/runs/lease", json={"agent": "box"})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def held(leased: dict[str, Any]) -> dict[str, str]:
    return {"x-lease": leased["lease"]}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def left_in(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def status(database: Database, run: int) -> tuple[str, str]:
    with database.session() as session:
        row = runs.get(session, run)
        return row.status, row.outcome


def expire(database: Database, run: int) -> None:
    with database.session() as session:
        runs.get(session, run).leased_until = datetime.now(UTC) - timedelta(seconds=1)


def test_a_box_fetches_fits_and_brings_back(
    client: TestClient, database: Database, run: int, directory: Path
) -> None:
    leased = lease(client)
    assert leased["files"] == {
        "recipe.json": sha256(RECIPE),
        "snapshot/manifest.json": sha256(b"{}"),
    }
    fetched = client.get(f"/runs/{run}/files/recipe.json", headers=held(leased))
    assert fetched.content == RECIPE
    told = {"progress": {"step": 3}}
    assert client.post(f"/runs/{run}/heartbeat", json=told, headers=held(leased)).is_success
    put = client.put(f"/runs/{run}/fit/encoder/w", content=b"weights", headers=held(leased))
    assert put.json() == {"sha256": sha256(b"weights")}
    assert not (directory / "fit").exists()
    client.put(f"/runs/{run}/fit/done.json", content=b"{}", headers=held(leased))
    whole = {"files": {"encoder/w": sha256(b"weights"), "done.json": sha256(b"{}")}}
    assert client.post(f"/runs/{run}/done", json=whole, headers=held(leased)).is_success
    assert (directory / "fit" / "encoder" / "w").read_bytes() == b"weights"
    assert left_in(directory) == {"fit", "recipe.json", "snapshot"}
    assert status(database, run) == ("fitted", "")
    assert client.post("/runs/lease", json={"agent": "box"}).status_code == 204


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer wrong", f"bearer {TOKEN}x"])
def test_nobody_comes_in_without_a_token(client: TestClient, run: int, given: str) -> None:
    answer = client.post("/runs/lease", json={"agent": "x"}, headers={"authorization": given})
    assert answer.status_code == 401
    assert TOKEN not in answer.text


def test_without_tokens_there_is_no_door(database: Database) -> None:
    with TestClient(create_app(database, webhook_secrets=["s"])) as client:
        assert client.post("/runs/lease", json={"agent": "x"}).status_code == 404


def test_two_boxes_get_two_runs(client: TestClient, run: int) -> None:
    lease(client)
    assert client.post("/runs/lease", json={"agent": "other"}).status_code == 204


def test_a_dead_box_is_replaced_and_cannot_come_back(
    client: TestClient, database: Database, run: int, directory: Path
) -> None:
    dead = lease(client)
    client.put(f"/runs/{run}/fit/w", content=b"stale", headers=held(dead))
    expire(database, run)
    alive = lease(client)
    assert alive["attempt"] == 2
    late = client.post(
        f"/runs/{run}/done", json={"files": {"w": sha256(b"stale")}}, headers=held(dead)
    )
    assert late.status_code == 409
    assert "not leased to you" in late.json()["detail"]
    assert client.post(f"/runs/{run}/heartbeat", json={}, headers=held(dead)).status_code == 409
    assert left_in(directory) == {"recipe.json", "snapshot"}, "what the dead box brought is gone"


def test_a_run_without_files_is_given_up_and_holds_up_no_other(
    client: TestClient, database: Database, run: int, tmp_path: Path
) -> None:
    with database.session() as session:
        runs.get(session, run).directory = str(tmp_path / "deleted")
        other = runs.create(
            session, reason="r", launcher="agent", directory=tmp_path, snapshot="abc"
        )
    assert lease(client)["run"] == other
    assert status(database, run)[0] == "failed"
    assert "deleted" in status(database, run)[1]
    assert "the same LABELWRIGHT_DATA_DIR" in status(database, run)[1]


def test_a_full_disk_is_told_and_keeps_nothing(
    client: TestClient, run: int, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leased = lease(client)

    async def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(web_runs, "run_in_threadpool", _all_but_writing(full))
        put = client.put(f"/runs/{run}/fit/w", content=b"weights", headers=held(leased))
    assert put.status_code == 507
    assert "No space left" in put.json()["detail"]
    assert not [path for path in directory.rglob("w") if path.is_file()]


def test_a_fit_holds_so_many_bytes_and_no_more(
    client: TestClient, run: int, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All its files together: a box must not fill the disk that webhooks are stored on."""
    monkeypatch.setattr(web_runs, "MAX_FIT", 10)
    leased = lease(client)

    def put(name: str, content: bytes) -> int:
        url = f"/runs/{run}/fit/{name}"
        return client.put(url, content=content, headers=held(leased)).status_code

    assert [put("a", b"123456"), put("b", b"12345"), put("a", b"1234567890")] == [200, 413, 200]
    assert not list(directory.rglob("b"))


def test_a_name_that_no_disk_takes_is_told(client: TestClient, run: int) -> None:
    put = client.put(f"/runs/{run}/fit/{'n' * 300}", content=b"x", headers=held(lease(client)))
    assert (put.status_code, "File name too long" in put.json()["detail"]) == (507, True)


def _all_but_writing(full: Callable[..., Any]) -> Callable[..., Any]:
    """Starlette's own, until it comes to a write."""

    async def run(function: Callable[..., Any], *given: Any) -> Any:
        writes = getattr(function, "__name__", "") == "write"
        return await (full() if writes else run_in_threadpool(function, *given))

    return run


def test_a_run_that_kills_its_boxes_is_given_up_loudly(
    client: TestClient, database: Database, run: int, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(runs.MAX_ATTEMPTS):
        lease(client)
        expire(database, run)
    with caplog.at_level(logging.ERROR):
        assert client.post("/runs/lease", json={"agent": "box"}).status_code == 204
    assert status(database, run) == ("failed", "3 fits died without a word")
    assert "run" in caplog.text


def test_a_run_that_nobody_fetches_is_an_alert_and_a_row_and_a_figure(
    client: TestClient, database: Database, run: int, caplog: pytest.LogCaptureFixture
) -> None:
    with database.session() as session:
        assert runs.look_after(session, run).outcome == "", "it waits for a moment only"
        runs.get(session, run).created_at -= runs.ALONE + timedelta(minutes=1)
    for _ in range(2):
        with database.session() as session:
            runs.look_after(session, run)
    assert "nobody has fitted it since" in status(database, run)[1]
    assert caplog.text.count("start `labelwright-train agent`") == 1
    assert alone(client)[f'run="{run}"'] > 3600
    lease(client)
    assert status(database, run) == ("leased", "")
    assert alone(client) == {}


def test_a_box_that_fell_silent_for_good_is_an_alert(
    client: TestClient, database: Database, run: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody asks for the run any more, so that its lease is never given to another."""
    for attempt in range(1, runs.MAX_ATTEMPTS + 1):
        lease(client)
        with database.session() as session:
            past = datetime.now(UTC) - runs.ALONE - timedelta(minutes=attempt)
            runs.get(session, run).leased_until = past
        if attempt < runs.MAX_ATTEMPTS:
            with database.session() as session:
                assert runs.look_after(session, run).status == "leased"
            assert caplog.text.count("ERROR") == attempt
            assert alone(client)[f'attempt="{attempt}"'] > 3600
    assert "box fell silent in attempt 1; box takes over" in caplog.text
    with database.session() as session:
        assert runs.look_after(session, run).status == "failed"
    assert status(database, run) == ("failed", "3 fits died without a word")


def alone(client: TestClient) -> dict[str, float]:
    """Each label of the gauge -> its seconds."""
    told = client.get("/metrics").text.splitlines()
    found = [line for line in told if line.startswith("labelwright_run_alone_seconds{")]
    return {
        label: float(line.rpartition(" ")[2])
        for line in found
        for label in line.partition("{")[2].partition("}")[0].split(",")
    }


def test_a_broken_fit_is_tried_again_then_failed(
    client: TestClient, database: Database, run: int
) -> None:
    for attempt in range(1, runs.MAX_ATTEMPTS + 1):
        leased = lease(client)
        why = {"why": f"out of memory {attempt}"}
        assert client.post(f"/runs/{run}/broke", json=why, headers=held(leased)).is_success
    assert status(database, run) == ("failed", "out of memory 3")


def test_a_fit_that_no_retry_can_help_is_given_to_no_other_box(
    client: TestClient, database: Database, run: int
) -> None:
    why = {"why": "one class alone", "final": True}
    assert client.post(f"/runs/{run}/broke", json=why, headers=held(lease(client))).is_success
    assert status(database, run) == ("failed", "one class alone")
    assert client.post("/runs/lease", json={"agent": "box"}).status_code == 204


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"w": "0" * 64}, "w did not arrive as it was sent"),
        ({"w": sha256(b"weights"), "v": "0" * 64}, "v did not arrive"),
        ({"v": sha256(b"x")}, "v did not arrive"),
        ({"w": sha256(b"weights")}, "done.json is missing"),
    ],
)
def test_a_fit_with_a_wrong_hash_is_not_taken(
    client: TestClient, run: int, directory: Path, files: dict[str, str], says: str
) -> None:
    leased = lease(client)
    client.put(f"/runs/{run}/fit/w", content=b"weights", headers=held(leased))
    answer = client.post(f"/runs/{run}/done", json={"files": files}, headers=held(leased))
    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    assert not (directory / "fit").exists()


def test_the_run_is_not_locked_while_what_arrived_is_read(
    client: TestClient, database: Database, run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gigabytes take minutes; the operator asks meanwhile how far the run is."""
    leased = lease(client)
    client.put(f"/runs/{run}/fit/done.json", content=b"{}", headers=held(leased))
    sizes, whole = [], web_runs._sha256

    def reading(path: Path) -> str:
        with database.session() as session:
            session.scalar(select(Run).where(Run.id == run).with_for_update(nowait=True))
        sizes.append(path.stat().st_size)
        return whole(path)

    monkeypatch.setattr(web_runs, "_sha256", reading)
    files = {"files": {"done.json": sha256(b"{}")}}
    assert client.post(f"/runs/{run}/done", json=files, headers=held(leased)).is_success
    assert (sizes, status(database, run)[0]) == ([2], "fitted")


def test_a_box_that_loses_its_run_while_it_is_read_brings_nothing(
    client: TestClient,
    database: Database,
    run: int,
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leased = lease(client)
    client.put(f"/runs/{run}/fit/done.json", content=b"{}", headers=held(leased))

    def slow(path: Path) -> str:
        expire(database, run)
        with database.session() as session:
            assert runs.lease(session, launcher="agent", by="another")
        return sha256(b"{}")

    monkeypatch.setattr(web_runs, "_sha256", slow)
    files = {"files": {"done.json": sha256(b"{}")}}
    answer = client.post(f"/runs/{run}/done", json=files, headers=held(leased))
    assert (answer.status_code, status(database, run)[0]) == (409, "leased")
    assert not (directory / "fit").exists()


@pytest.mark.parametrize("name", ["..%2F..%2Fescape", "%2Fetc%2Fpasswd", "a/..%2F..%2Fb", "%00"])
def test_no_name_leads_out_of_the_directory(
    client: TestClient, run: int, directory: Path, name: str
) -> None:
    leased = lease(client)
    before = sorted(directory.parent.iterdir())
    put = client.put(f"/runs/{run}/fit/{name}", content=b"x", headers=held(leased))
    assert put.status_code == 400
    got = client.get(f"/runs/{run}/files/{name}", headers=held(leased))
    assert got.status_code == 404
    assert sorted(directory.parent.iterdir()) == before


def test_files_of_a_run_are_only_for_its_box(client: TestClient, run: int) -> None:
    lease(client)
    wrong = {"x-lease": "guess"}
    assert client.get(f"/runs/{run}/files/recipe.json", headers=wrong).status_code == 409
    assert client.get(f"/runs/{run}/files/recipe.json").status_code == 422
