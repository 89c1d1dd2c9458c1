"""The demo's second act: a maintainer takes off a wrong label, and the same text comes once more."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.console import Console

from bot.core.rules import Rules, learnable
from bot.demo.scenario import Scenario
from bot.demo.stack import Stack, wait_until
from bot.demo.summary import Lesson, RepositoryResult
from bot.issues_file import FiledIssue
from bot.store import heads, installations, journal, repositories

PATIENCE = 90.0
"""Seconds after which a correction that nobody learned is a failure."""


def teach(
    stack: Stack, scenario: Scenario, result: RepositoryResult, console: Console
) -> Lesson | None:
    """Correct the first wrong label of the run and see; None where no label was wrong."""
    wrong = _first_wrong(scenario, result)
    if wrong is None:
        return None
    number, label, issue = wrong
    with stack.database.session() as session:
        row = repositories.by_name(session, scenario.full_name)
        assert row is not None
        installations.set_write_interval(session, row.installation_id, 0.0)
        repository_id, head_id = row.id, row.head_id
    began = time.monotonic()
    stack.sandbox.unlabel(scenario.full_name, number, label)
    with console.status(f"A maintainer took {label!r} off #{number}"):
        _wait(stack, "a head that learned it", lambda: _serving(stack, repository_id) != head_id)
        seconds = time.monotonic() - began
        again = _file_again(stack, scenario, issue)
    return Lesson(number, label, round(seconds, 1), again)


def _first_wrong(
    scenario: Scenario, result: RepositoryResult
) -> tuple[int, str, FiledIssue] | None:
    """The number of an issue, a label that it should not have got, and what was filed."""
    for arrival, issue in zip(result.arrivals, scenario.arrivals, strict=True):
        # An issue that nobody labelled proves nothing wrong.
        if any(learnable(name, Rules()) for name in arrival.truth):
            for label in arrival.applied.keys() - arrival.truth:
                return arrival.number, label, issue
    return None


def _file_again(stack: Stack, scenario: Scenario, issue: FiledIssue) -> tuple[str, ...]:
    with stack.database.session() as session:
        before = journal.last_delivery(session)
    number = stack.sandbox.open_issue(
        scenario.full_name,
        title=issue.title,
        body=issue.body,
        author=issue.author,
        association=issue.association,
    )
    _wait(stack, "the answer to an issue", lambda: _dealt_with(stack, before))
    return tuple(sorted(stack.sandbox.issue_labels(scenario.full_name, number)))


def _dealt_with(stack: Stack, before: int) -> bool:
    with stack.database.session() as session:
        arrived = journal.last_delivery(session) > before
        return arrived and journal.open_deliveries(session, after=before) == 0


def _serving(stack: Stack, repository_id: int) -> int | None:
    with stack.database.session() as session:
        head = heads.active(session, repository_id)
        return head.id if head else None


def _wait(stack: Stack, what: str, done: Callable[[], bool]) -> None:
    wait_until(done, what=what, patience=PATIENCE, logs=stack.logs)
