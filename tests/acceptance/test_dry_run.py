"""A dry run writes nothing to GitHub, ever: whatever happens, whatever people say, whatever else is switched on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from bot.sandbox.exchanges import Exchange
from tests.acceptance.past import plain_history
from tests.acceptance.stack import EAGER, Repo, Stack

LOUD = (
    "mode: dry-run\nunsure: question\nsuggestions: comment\non_edit: reconsider\n"
    "zero_shot: apply\ncommands: true\n" + EAGER
)
"""Everything that could make it write, but for the mode."""


@dataclass(frozen=True)
class Watched:
    """A repository on a dry run, with an issue that was decided on."""

    repo: Repo
    number: int

    def say(self, body: str, actor: str = "tina") -> None:
        sandbox = self.repo.stack.sandbox
        sandbox.comment(self.repo.full_name, self.number, body, actor=actor, association="OWNER")

    def move(self) -> None:
        target = f"{self.repo.owner}/elsewhere"
        self.repo.stack.sandbox.add_repository(target)
        self.repo.stack.sandbox.transfer_issue(self.repo.full_name, self.number, target)


HAPPENINGS: dict[str, Callable[[Watched], object]] = {
    "a label is set": lambda w: w.repo.label(w.number, "feature"),
    "a label is taken off": lambda w: (
        w.repo.label(w.number, "bug"),
        w.repo.unlabel(w.number, "bug"),
    ),
    "the text is edited": lambda w: w.repo.stack.sandbox.edit_issue(
        w.repo.full_name, w.number, title="Nothing to be sure of"
    ),
    "it is closed and opened again": lambda w: (
        w.repo.stack.sandbox.close_issue(w.repo.full_name, w.number),
        w.repo.stack.sandbox.reopen_issue(w.repo.full_name, w.number),
    ),
    "somebody asks for a label": lambda w: w.say("/label feature"),
    "somebody asks for one that is not there": lambda w: w.say("/label featur"),
    "somebody wants a label off": lambda w: (
        w.repo.label(w.number, "feature"),
        w.say("/unlabel feature"),
    ),
    "somebody asks why": lambda w: w.say("/why"),
    "somebody wants it done again": lambda w: w.say("/relabel"),
    "somebody asks for the status": lambda w: w.say("/labelwright status"),
    "somebody without permission commands": lambda w: w.say("/label feature", "eve"),
    "the rules break": lambda w: w.repo.write_rules("mode: dryrun\n"),
    "a label is deleted": lambda w: w.repo.stack.sandbox.delete_label(w.repo.full_name, "bug"),
    "the issue moves away": Watched.move,
}


def is_read(one: Exchange) -> bool:
    if one.method == "POST" and one.path == "/graphql":
        return b"mutation" not in one.request_body
    return one.method == "GET" or one.path.endswith("/access_tokens")


@pytest.fixture(scope="module")
def dry(stack: Stack) -> Repo:
    """With a history, so that there is a head to decide and to be corrected."""
    repo = stack.repository(rules=LOUD, history=plain_history(30), suggestions="on")
    for login, role in (("tina", "triage"), ("eve", "read")):
        stack.sandbox.set_role(repo.full_name, login, role)
    return repo


@pytest.mark.parametrize("happening", HAPPENINGS)
def test_nothing_is_written(stack: Stack, happening: str, dry: Repo) -> None:
    repo = dry
    if happening in ("the rules break", "a label is deleted"):
        repo = stack.repository(rules=LOUD, suggestions="on")
    before = len(stack.sandbox.requests)
    number = repo.open()
    assert repo.decided(number)["bug"].action == "apply"
    HAPPENINGS[happening](Watched(repo, number))
    stack.settle()
    asked = stack.sandbox.requests[before:]
    assert asked
    assert [(one.method, one.path) for one in asked if not is_read(one)] == []
    assert repo.writes() == []
