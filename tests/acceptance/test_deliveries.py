"""A delivery is never lost and never acted on twice, whatever breaks in between."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.jobs import engine
from bot.jobs.schedule import Reach, redeliver
from bot.sandbox.mail import Delivery as Sent
from tests.acceptance.stack import EAGER, LABELS, US, Repo, Stack, wait_until

POST_LABELS = {"method": "POST", "path": "/labels$"}


@pytest.fixture(scope="module")
def repo(stack: Stack) -> Repo:
    return stack.repository(rules=EAGER)


def posts(repo: Repo, number: int) -> int:
    return len(repo.asked("POST", f"/{number}/labels"))


def acted_on_once(repo: Repo, number: int) -> bool:
    """One label on the issue, set once; every label decided on once; nothing left open."""
    decided = [decision.label for decision in repo.decisions(number)]
    assert sorted(decided) == sorted(label.name for label in LABELS)
    assert repo.decided(number)["bug"].action == "apply"  # not: "the issue has it already"
    assert repo.labels(number) == {"bug": US}
    assert repo.our_events(number) == [("labeled", "bug")]
    assert [(e.label, e.status) for e in repo.effects(number) if e.kind == "add"] == [
        ("bug", "done")
    ]
    return True


def last_sent(stack: Stack, action: str) -> Sent:
    return next(one for one in reversed(stack.sandbox.deliveries) if one.emission.action == action)


def test_the_plain_road(repo: Repo) -> None:
    number = repo.open()
    assert acted_on_once(repo, number)
    assert posts(repo, number) == 1


# -- told twice ---------------------------------------------------------------------------------------


def test_the_same_delivery_twice_is_one(repo: Repo, stack: Stack) -> None:
    stack.sandbox.hooks.hold()
    number = repo.open(settle=False)
    stack.sandbox.hooks.release(copies=3)
    stack.settle()
    assert acted_on_once(repo, number)
    assert posts(repo, number) == 1
    guid = last_sent(stack, "opened").emission.guid
    assert len(stack.sql("SELECT 1 FROM deliveries WHERE guid = :guid", guid=guid)) == 1


def test_a_redelivery_of_what_we_have_is_acknowledged(repo: Repo, stack: Stack) -> None:
    number = repo.open()
    stack.sandbox.hooks.redeliver(last_sent(stack, "opened"))
    stack.settle()
    assert last_sent(stack, "opened").redelivery
    assert last_sent(stack, "opened").status_code == 202
    assert acted_on_once(repo, number)
    assert posts(repo, number) == 1


def test_out_of_order_is_in_order(stack: Stack) -> None:
    """`labeled` by a human, then `closed`, then `opened`: what counts is how the issue stands. A label
    set and taken off within a second teaches the wrong one of the two until the next harvest, which
    knows their ids: hence a repository of its own."""
    repo = stack.repository(rules=EAGER)
    stack.sandbox.hooks.hold()
    number = repo.open(settle=False)
    stack.sandbox.label(repo.full_name, number, "question")
    stack.sandbox.unlabel(repo.full_name, number, "question")
    stack.sandbox.close_issue(repo.full_name, number)
    stack.sandbox.hooks.release(shuffle=4)
    stack.settle()
    assert repo.labels(number) == {"bug": US}
    assert {d.status for d in repo.deliveries("issues", "opened")} == {"done"}


def test_a_forged_delivery_is_not_acted_on(repo: Repo, stack: Stack) -> None:
    number = repo.open()
    sent = last_sent(stack, "opened")
    forged = json.loads(sent.body)
    forged["issue"]["number"] = number + 1000
    before = len(stack.sql("SELECT 1 FROM deliveries"))
    headers = {**sent.request_headers, "X-GitHub-Delivery": "forged"}
    body = json.dumps(forged).encode()
    wrong = hmac.new(b"guess", body, hashlib.sha256).hexdigest()
    for signature in (sent.request_headers["X-Hub-Signature-256"], f"sha256={wrong}"):
        headers["X-Hub-Signature-256"] = signature
        answer = httpx.post(stack.sandbox.hook_url or "", content=body, headers=headers)
        assert answer.status_code == 401
    assert len(stack.sql("SELECT 1 FROM deliveries")) == before


# -- GitHub is in trouble -----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503])
def test_an_outage_is_waited_out(repo: Repo, stack: Stack, status: int) -> None:
    stack.sandbox.faults.answer(status, times=3, **POST_LABELS)
    number = repo.open()
    assert acted_on_once(repo, number)
    assert posts(repo, number) == 4
    assert repo.deliveries("issues", "opened")[-1].status == "done"


def test_an_outage_of_reads_is_waited_out(repo: Repo, stack: Stack) -> None:
    stack.sandbox.faults.answer(502, method="GET", times=5)
    number = repo.open()
    assert acted_on_once(repo, number)


def test_a_lost_answer_is_no_second_write(repo: Repo, stack: Stack) -> None:
    """The connection breaks after GitHub did the work: the next try sees that it is done."""
    stack.sandbox.faults.drop(after=True, **POST_LABELS)
    number = repo.open()
    assert acted_on_once(repo, number)
    assert posts(repo, number) == 1


def test_a_lost_request_is_written_once(repo: Repo, stack: Stack) -> None:
    stack.sandbox.faults.drop(after=False, **POST_LABELS)
    number = repo.open()
    assert acted_on_once(repo, number)


@pytest.mark.parametrize("status", [403, 429])
def test_a_secondary_limit_is_obeyed(repo: Repo, stack: Stack, status: Any) -> None:
    stack.sandbox.faults.secondary_limit(status=status, retry_after=90, **POST_LABELS)
    number = repo.open(settle=False)
    (job,) = wait_until(
        lambda: [job for job in stack.jobs() if job.due_in > 0], what="the job waits"
    )
    assert 60 < job.due_in <= 90
    assert repo.labels(number) == {}
    assert repo.deliveries("issues", "opened")[-1].status == "stored"
    stack.settle()
    assert acted_on_once(repo, number)


def test_who_waits_does_not_stop_others(repo: Repo, stack: Stack) -> None:
    stack.sandbox.faults.secondary_limit(retry_after=300, **POST_LABELS)
    first = repo.open(settle=False)
    wait_until(lambda: any(job.due_in > 60 for job in stack.jobs()), what="the first waits")
    second = repo.open(settle=False)
    wait_until(lambda: repo.labels(second), what="the second got its label meanwhile")
    assert repo.labels(first) == {}
    stack.settle()
    assert acted_on_once(repo, first)
    assert acted_on_once(repo, second)


# -- we are in trouble --------------------------------------------------------------------------------


def test_a_failure_of_ours_is_tried_again(
    repo: Repo, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, failures = stack.context.encoder.encode, iter([MemoryError("no room")])

    def flaky(texts: Any) -> Any:
        if failure := next(failures, None):
            raise failure
        return encode(texts)

    monkeypatch.setattr(stack.context.encoder, "encode", flaky)
    number = repo.open()
    assert acted_on_once(repo, number)


def test_a_job_that_runs_again_from_the_start_decides_once(repo: Repo, stack: Stack) -> None:
    number = repo.open()
    before = [d.id for d in repo.decisions(number)]
    stack.run_again(repo.deliveries("issues", "opened")[-1])
    assert acted_on_once(repo, number)
    assert [d.id for d in repo.decisions(number)] == before
    assert posts(repo, number) == 1


@contextmanager
def worker_process(stack: Stack, bundle: Path, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The real command, as a process that can be killed."""
    key = home / "app.pem"
    key.write_text(stack.sandbox.private_key)
    environment = {
        "DATABASE_URL": stack.database.url,
        "LABELWRIGHT_DATA_DIR": str(home),
        "LABELWRIGHT_GITHUB_API_URL": stack.sandbox.url,
        "LABELWRIGHT_GITHUB_APP_ID": str(stack.sandbox.app_id),
        "LABELWRIGHT_GITHUB_PRIVATE_KEY_FILE": str(key),
        "LABELWRIGHT_BUNDLE": str(bundle),
        "LABELWRIGHT_WRITE_INTERVAL": "0",
    }
    log = (home / "worker.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.cli", "worker"], env=environment, stdout=log, stderr=log
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        log.close()


def test_a_worker_killed_while_it_writes_loses_and_repeats_nothing(
    repo: Repo, stack: Stack, bundle: Path, tmp_path: Path
) -> None:
    with stack.idle():
        number = repo.open(settle=False)
        with worker_process(stack, bundle, tmp_path) as process:
            with stack.just_before("POST", "/labels$", process.kill) as met:
                process.wait(timeout=60)
            assert met == [f"/repos/{repo.full_name}/issues/{number}/labels"]
        wait_until(lambda: repo.labels(number), what="GitHub did what it was asked")
        assert [e.status for e in repo.effects(number) if e.kind == "add"] == ["pending"]
        assert engine.sweep(stack.database, dead_after=0) == 1
    stack.settle()
    assert acted_on_once(repo, number)
    assert posts(repo, number) == 1


# -- nobody told us -----------------------------------------------------------------------------------


def test_deliveries_that_never_arrived_are_asked_for(repo: Repo, stack: Stack) -> None:
    reach = Reach(stack.database, stack.context.auth, write_interval=0.0)
    redeliver(reach)  # what other tests had lost
    stack.settle()
    stack.sandbox.hooks.lose(2)
    first, second = repo.open(), repo.open()
    assert repo.labels(first) == repo.labels(second) == {}
    assert redeliver(reach) == "2 deliveries asked for again"
    stack.settle()
    assert acted_on_once(repo, first)
    assert acted_on_once(repo, second)
    assert redeliver(reach) == "0 deliveries asked for again"


def test_an_issue_told_before_the_installation_is_not_forgotten(stack: Stack) -> None:
    """GitHub promises no order: the first issue may be told before the App's own arrival."""
    late = stack.repository(rules=EAGER, install=False)
    stack.sandbox.hooks.lose(1)
    stack.sandbox.install(late.owner, [late.full_name])
    number = late.open()
    assert late.labels(number) == {"bug": US}
    assert late.row().status == "ready"
