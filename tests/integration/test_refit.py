"""From a correction in the store to the head that serves, and back: swaps, refusals, pins, pruning."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.classify import trial as trial_module
from bot.core.types import LabelEvent, RepositoryLabel
from bot.errors import Ignore, UserError
from bot.jobs.context import Context
from bot.jobs.learning.learn import learn_repository
from bot.jobs.learning.onboarding import read_history
from bot.jobs.learning.refit import refit_repository
from bot.jobs.requests import DAILY, request_learning, request_refit
from bot.sandbox.server import SandboxServer
from bot.store import (
    heads,
    issues,
    label_events,
    labels,
    refits,
    repositories,
    touched,
)
from bot.store.tables import Refit
from tests.integration.jobs_at_hand import met, queued
from tests.integration.lessons import correct, taught


@pytest.fixture
def repository_id(context: Context, sandbox: SandboxServer) -> int:
    """Forty old issues, bugs and wishes, and a head that tells them apart by their words."""
    return taught(context, sandbox, 40)


def serving(context: Context, repository_id: int) -> int:
    with context.database.session() as session:
        head = heads.active(session, repository_id)
        assert head is not None
        return head.version


def attempts(context: Context, repository_id: int) -> Sequence[Refit]:
    with context.database.session() as session:
        return refits.of_repository(session, repository_id)


def probability(context: Context, repository_id: int, issue_id: int, label: str) -> float:
    """Of the serving head, for an issue of the store."""
    from bot.core.text import issue_text

    with context.database.session() as session:
        stored, issue = heads.active(session, repository_id), issues.get(session, issue_id)
        assert stored is not None
        assert issue is not None
        head = context.head(session, stored.id)
    text = issue_text(issue.title, issue.body)
    (row,) = head.score([text], context.encoder.encode([text.joined]), ["NONE"])
    return next(score.probability for score in row if score.label == label)


def test_a_correction_moves_the_head_and_comes_out_right(
    context: Context, repository_id: int
) -> None:
    issue_id = correct(context, repository_id, 1, removed="bug")
    before = probability(context, repository_id, issue_id, "bug")
    assert "refitted bug" in refit_repository(context, repository_id=repository_id)
    assert serving(context, repository_id) == 2
    assert probability(context, repository_id, issue_id, "bug") < 0.1 < before
    latest = attempts(context, repository_id)[0]
    assert (latest.kind, latest.labels, latest.swapped) == ("labels", ["bug"], True)
    assert latest.report["fresh"]["removal"]["after"] == 1
    assert latest.head_before != latest.head_after


def test_an_addition_is_applied_to_the_same_text_even_if_the_label_is_muted(
    context: Context, sandbox: SandboxServer
) -> None:
    repository_id = taught(context, sandbox, 4)  # too few for any cut
    correct(context, repository_id, 1, added="feature")
    refit_repository(context, repository_id=repository_id)
    assert attempts(context, repository_id)[0].report["fresh"] == {
        "addition": {"n": 1, "before": 0, "after": 1}
    }


def test_many_corrections_are_learned_at_once_and_the_whole_head_later(
    context: Context, repository_id: int
) -> None:
    for number in (1, 3, 5):
        correct(context, repository_id, number, removed="bug")
    correct(context, repository_id, 2, added="bug")
    assert [task for task, _ in queued(context)].count("refit") == 1
    refit_repository(context, repository_id=repository_id)
    latest = attempts(context, repository_id)[0]
    assert {kind: tally["n"] for kind, tally in latest.report["fresh"].items()} == {
        "removal": 3,
        "addition": 1,
    }
    wakes = [args for task, args in queued(context) if task == "wake"]
    assert [wake["job"]["task"] for wake in wakes] == ["learn"]
    with pytest.raises(Ignore, match="no label waits"):
        refit_repository(context, repository_id=repository_id)


def test_the_whole_fit_keeps_what_the_refit_learned(context: Context, repository_id: int) -> None:
    issue_id = correct(context, repository_id, 1, removed="bug")
    refit_repository(context, repository_id=repository_id)
    learn_repository(context, repository_id=repository_id, reason=DAILY)
    assert serving(context, repository_id) == 3
    assert probability(context, repository_id, issue_id, "bug") < 0.1
    latest = attempts(context, repository_id)[0]
    assert latest.kind == "whole"
    assert latest.report["past"]["removal"]["n"] == 1


def test_a_correction_that_is_taken_back_is_forgotten(context: Context, repository_id: int) -> None:
    issue_id = correct(context, repository_id, 1, removed="bug")
    refit_repository(context, repository_id=repository_id)
    again = LabelEvent("bug", True, "ada", "human", datetime.now(UTC))
    with context.database.session() as session:
        label_events.record(session, issue_id, [again], source="webhook")
        request_refit(session, repository_id, labels=["bug"], reason="taken back")
    refit_repository(context, repository_id=repository_id)
    assert probability(context, repository_id, issue_id, "bug") > 0.5


def test_a_head_that_surely_lost_precision_does_not_serve_and_why_is_stored(
    context: Context, repository_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fell = property(lambda trial: "precision fell from here to there")
    monkeypatch.setattr(trial_module.Trial, "objection", fell)
    correct(context, repository_id, 1, removed="bug")
    refit_repository(context, repository_id=repository_id)
    assert serving(context, repository_id) == 1
    latest = attempts(context, repository_id)[0]
    assert (latest.swapped, latest.head_after) == (False, None)
    assert "precision fell" in latest.reason
    with context.database.session() as session:
        assert not touched.waiting(session, repository_id).rows  # not tried again for ever


def test_a_label_that_the_head_does_not_have_asks_for_a_whole_fit(
    context: Context, repository_id: int
) -> None:
    with context.database.session() as session:
        labels.save(session, repository_id, RepositoryLabel(99, "brand new", ""))
        request_refit(session, repository_id, labels=["brand new"], reason="corrected")
    with pytest.raises(Ignore, match="fitted anew"):
        refit_repository(context, repository_id=repository_id)
    wanted = {"repository_id": repository_id, "reason": "corrected"}
    assert ("learn", wanted) in queued(context)


def test_a_label_that_is_never_learned_asks_for_no_fit(
    context: Context, repository_id: int
) -> None:
    """Such as a process label that somebody set by command."""
    with context.database.session() as session:
        request_refit(session, repository_id, labels=["duplicate"], reason="set by command")
    before = queued(context)
    told = refit_repository(context, repository_id=repository_id)
    assert told == "not learned here: duplicate"
    assert queued(context) == before
    with context.database.session() as session:
        assert not touched.waiting(session, repository_id).rows


def test_a_correction_that_comes_while_a_whole_fit_reads_waits_for_the_next(
    context: Context, repository_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.jobs.learning import past as past_module

    read = past_module.read_past

    def and_then(*args: Any) -> past_module.Past:
        past = read(*args)
        monkeypatch.undo()
        correct(context, repository_id, 1, removed="bug")
        return past

    monkeypatch.setattr(past_module, "read_past", and_then)
    learn_repository(context, repository_id=repository_id, reason=DAILY)
    with context.database.session() as session:
        assert touched.waiting(session, repository_id).labels == ("bug",)


def test_nothing_is_learned_of_half_a_history(context: Context, sandbox: SandboxServer) -> None:
    """The end of reading it asks for the head; whoever asks before would let a half-taught one serve."""
    repository_id = met(context, sandbox, 4)
    read_history(context, repository_id=repository_id)
    with context.database.session() as session:
        repositories.save_cursor(session, repository_id, "events https://api/2")
    with pytest.raises(Ignore, match="still being read"):
        learn_repository(context, repository_id=repository_id, reason="label bug edited")
    with context.database.session() as session:
        assert heads.active(session, repository_id) is None


# -- rolling back -------------------------------------------------------------------------------------


def roll_back(context: Context, repository_id: int, version: int | None = None) -> int:
    with context.database.session() as session:
        row = repositories.get(session, repository_id)
        assert row is not None
        return refits.roll_back(session, row, version).version


def test_a_rollback_holds_until_somebody_corrects(context: Context, repository_id: int) -> None:
    issue_id = correct(context, repository_id, 1, removed="bug")
    refit_repository(context, repository_id=repository_id)
    assert roll_back(context, repository_id) == 1
    assert probability(context, repository_id, issue_id, "bug") > 0.2
    told = learn_repository(context, repository_id=repository_id, reason=DAILY)
    assert "rolled back to version 1" in told
    assert serving(context, repository_id) == 1
    correct(context, repository_id, 3, removed="bug")
    refit_repository(context, repository_id=repository_id)
    assert serving(context, repository_id) == 3
    learn_repository(context, repository_id=repository_id, reason=DAILY)
    assert serving(context, repository_id) == 4


def test_changed_rules_are_no_reason_to_wait_after_a_rollback(
    context: Context, repository_id: int
) -> None:
    correct(context, repository_id, 1, removed="bug")
    refit_repository(context, repository_id=repository_id)
    roll_back(context, repository_id, 1)
    learn_repository(context, repository_id=repository_id, reason="the rules changed")
    assert serving(context, repository_id) == 3


def test_a_change_of_rules_is_learned_though_a_daily_fit_waits(
    context: Context, repository_id: int
) -> None:
    """The daily one gives way to a rollback, so the other must not be dropped in its favour."""
    with context.database.session() as session:
        request_learning(session, repository_id, reason=DAILY)
        request_learning(session, repository_id, reason="the rules changed")
        request_learning(session, repository_id, reason="label bug edited")
    asked = [args["reason"] for task, args in queued(context) if task == "learn"]
    assert asked == [DAILY, "the rules changed"]


def test_a_fit_that_was_under_way_does_not_undo_a_rollback(
    context: Context, repository_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    correct(context, repository_id, 1, removed="bug")
    refit_repository(context, repository_id=repository_id)
    correct(context, repository_id, 3, removed="bug")
    from bot.jobs.learning import refit as refit_module

    learn = refit_module._learn

    def meanwhile(*args: object, **more: object) -> object:
        roll_back(context, repository_id, 1)
        return learn(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(refit_module, "_learn", meanwhile)
    told = refit_repository(context, repository_id=repository_id)
    assert "another head came to serve" in told
    assert serving(context, repository_id) == 1


def test_what_cannot_come_back_is_refused_with_the_versions_that_can(
    context: Context, repository_id: int
) -> None:
    with pytest.raises(UserError, match=r"acme/widget has no version 9\. .*: none; 1 serves"):
        roll_back(context, repository_id, 9)
    with pytest.raises(UserError, match="no earlier version"):
        roll_back(context, repository_id)
    learn_repository(context, repository_id=repository_id, reason="test")
    with pytest.raises(UserError, match="Version 2 of acme/widget serves already"):
        roll_back(context, repository_id, 2)
    with context.database.session() as session:
        first = heads.versions(session, repository_id)[-1]
        first.bundle = "another"
    with pytest.raises(UserError, match="Version 1 of acme/widget was fitted for another encoder"):
        roll_back(context, repository_id, 1)


def test_old_versions_lose_their_artefact_and_keep_their_row(
    context: Context, repository_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "NEWEST", 2)
    monkeypatch.setattr(heads, "WHOLE", 1)
    for _ in range(3):  # versions 2 to 4
        learn_repository(context, repository_id=repository_id, reason="test")
    with context.database.session() as session:
        assert heads.kept(session, repository_id) == {3, 4}
        assert [head.version for head in heads.versions(session, repository_id)] == [4, 3, 2, 1]
    with pytest.raises(UserError, match="Version 1 of acme/widget is no longer kept"):
        roll_back(context, repository_id, 1)
    roll_back(context, repository_id, 3)
    for _ in range(2):
        learn_repository(context, repository_id=repository_id, reason="again")
    with context.database.session() as session:
        assert heads.kept(session, repository_id) == {5, 6}
