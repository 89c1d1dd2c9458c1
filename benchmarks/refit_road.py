"""The whole road of a correction, as production runs it: label event, webhook, queue, debounce, refit.

Receiver and worker are processes of their own; GitHub is the sandbox. A correction has its effect once
another head serves; then the same text is filed again, and what it gets says whether it was learned.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.core.types import LabelSpec
from bot.demo.stack import Stack, running_stack
from bot.sandbox.sample import load_sample
from bot.store import decisions, issues, repositories

PATIENCE = 300.0
REPO = "bench/tracker"


@dataclass(frozen=True, slots=True)
class Effect:
    """Seconds from the human's click to the head that has learned it, and whether the next issue with
    the same text is decided as the human said."""

    seconds: float
    right: bool


def drive(bundle: Path, *, corrections: int) -> list[Effect]:
    """Correct the bot so often, one after the other, on a repository with the sample's history."""
    with running_stack(bundle=bundle) as stack:
        repository_id = _learned(stack)
        filed = load_sample().issues[-corrections:]
        found = (
            _correct(stack, repository_id, issue.title, issue.body, issue.labels) for issue in filed
        )
        return [effect for effect in found if effect is not None]


def _learned(stack: Stack) -> int:
    sample = load_sample()
    labels = [LabelSpec(label.name, label.description) for label in sample.labels]
    repository_id = stack.sandbox.add_repository(REPO, labels=labels)
    for issue in sample.issues[:300]:
        stack.sandbox.seed_issue(
            REPO, title=issue.title, body=issue.body, labels=issue.labels,
            created_at=issue.created_at, author=issue.author,
        )  # fmt: skip
    # On silent issues nobody can correct us.
    stack.sandbox.put_file(REPO, ".github/labelwright.yml", "silent_share: 0\n")
    stack.sandbox.install(REPO.partition("/")[0], [REPO])
    _until(lambda: _head(stack, repository_id) is not None)
    return repository_id


def _correct(
    stack: Stack, repository_id: int, title: str, body: str, labels: tuple[str, ...]
) -> Effect | None:
    """Take off the first label that it sets; where it sets none, set one that people did. None where
    there is nothing to correct."""
    number = stack.sandbox.open_issue(REPO, title=title, body=body)
    decided = _decided(stack, repository_id, number)
    ours = [label for label, action in decided.items() if action == "apply"]
    before, began = _head(stack, repository_id), time.perf_counter()
    if ours:
        _until(lambda: ours[0] in stack.sandbox.issue_labels(REPO, number))
        began = time.perf_counter()
        stack.sandbox.unlabel(REPO, number, ours[0], "maintainer")
        label, wanted = ours[0], False
    elif missed := [label for label in labels if label in decided]:
        label, wanted = missed[0], True
        stack.sandbox.label(REPO, number, label, "maintainer")
    else:
        return None
    _until(lambda: _head(stack, repository_id) != before)
    seconds = time.perf_counter() - began
    twin = stack.sandbox.open_issue(REPO, title=title, body=body)
    action = _decided(stack, repository_id, twin).get(label)
    return Effect(seconds, right=(action == "apply") == wanted)


def _head(stack: Stack, repository_id: int) -> int | None:
    with stack.database.session() as session:
        row = repositories.get(session, repository_id)
        return row.head_id if row else None


def _decided(stack: Stack, repository_id: int, number: int) -> dict[str, str]:
    """Label -> action of the latest decision, once there is one."""
    found: dict[str, str] = {}

    def ready() -> bool:
        with stack.database.session() as session:
            issue_id = issues.ids_by_number(session, repository_id).get(number)
            rows = decisions.of_issue(session, issue_id) if issue_id else []
            found.update({row.label: row.action for row in rows})
        return bool(found)

    _until(ready)
    return found


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("the bench waited in vain; is the machine that busy?")
        time.sleep(0.05)
