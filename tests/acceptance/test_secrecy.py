"""Neither tokens nor a private issue's text get into the log, at any level, whatever breaks."""

from __future__ import annotations

import io
import re
from typing import Any

import httpx
import pytest

from tests.acceptance.stack import EAGER, Repo, Stack

TITLE = "Zebrafish salaries leak"
BODY = "The quokka spreadsheet shows everybody's wages. Traceback: PangolinError in payroll."
SECRET = re.compile("zebrafish|quokka|wages|pangolin|payroll|ocelot", re.IGNORECASE)


@pytest.fixture
def repo(stack: Stack, log: io.StringIO) -> Repo:
    return stack.repository(rules=EAGER, private=True, suggestions="on")


def assert_discreet(stack: Stack, shown: str) -> None:
    assert not SECRET.search(shown)
    for token in stack.sandbox.state.tokens:
        assert token not in shown
    assert stack.sandbox.webhook_secret not in shown
    assert stack.sandbox.private_key.splitlines()[3] not in shown
    assert not re.search(r"gh[a-z]_\w{10}|eyJ[\w-]+\.eyJ", shown)


def test_on_a_good_day(repo: Repo, stack: Stack, log: io.StringIO) -> None:
    number = repo.open(TITLE, BODY)
    stack.sandbox.edit_issue(repo.full_name, number, body=BODY + " Ocelot.")
    stack.sandbox.comment(repo.full_name, number, "More about the ocelot")
    stack.sandbox.set_role(repo.full_name, "tina", "triage")
    asked = "The ocelot?\n/why\n/label pangolin\n/relabel"
    stack.sandbox.comment(repo.full_name, number, asked, actor="tina")
    repo.label(number, "feature")
    stack.sandbox.close_issue(repo.full_name, number)
    stack.settle()
    shown = log.getvalue()
    assert_discreet(stack, shown)


def test_while_github_is_in_trouble(repo: Repo, stack: Stack, log: io.StringIO) -> None:
    faults = stack.sandbox.faults
    faults.answer(500, method="POST", path="/labels$", message=f"cannot store {TITLE}")
    faults.drop(method="POST", path="/labels$")
    faults.secondary_limit(method="POST", path="/labels$")
    faults.answer(401, method="GET", path="/issues/", times=1)
    repo.open(TITLE, BODY)
    shown = log.getvalue()
    assert "again in" in shown
    assert_discreet(stack, shown)


def test_when_the_database_refuses_the_issue(repo: Repo, stack: Stack, log: io.StringIO) -> None:
    """PostgreSQL names the row that it refuses, text and all."""
    stack.sql("ALTER TABLE issues ADD CONSTRAINT tame CHECK (title NOT LIKE 'Zebra%') NOT VALID")
    try:
        repo.open(TITLE, BODY)
    finally:
        stack.sql("ALTER TABLE issues DROP CONSTRAINT tame")
    shown = log.getvalue()
    assert "failed 5 times, last by IntegrityError" in shown
    assert_discreet(stack, shown)
    delivery = repo.deliveries("issues", "opened")[-1]
    assert (delivery.status, delivery.outcome) == ("failed", "IntegrityError 5 times")
    stack.sql("DELETE FROM procrastinate_jobs WHERE status = 'failed'")


def test_when_our_own_code_fails_over_the_text(
    repo: Repo, stack: Stack, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def choke(texts: Any) -> Any:
        raise ValueError(f"cannot encode {texts!r}")

    monkeypatch.setattr(stack.context.encoder, "encode", choke)
    repo.open(TITLE, BODY)
    shown = log.getvalue()
    assert "failure 1" in shown
    assert "in choke" in shown
    assert_discreet(stack, shown)
    stack.sql("DELETE FROM procrastinate_jobs WHERE status = 'failed'")


def test_when_a_delivery_is_broken(repo: Repo, stack: Stack, log: io.StringIO) -> None:
    sent = stack.sandbox.deliveries[-1]
    for body in (b'{"issue": {"title": "Zebrafish"', TITLE.encode()):
        httpx.post(stack.sandbox.hook_url or "", content=body, headers=sent.request_headers)
    assert_discreet(stack, log.getvalue())
