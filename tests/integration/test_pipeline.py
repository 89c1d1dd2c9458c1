"""The road of one issue, stage by stage: which head, which text, what is planned, when it is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import insert

from bot.core.text import issue_text
from bot.core.types import Issue
from bot.errors import GiveUp, Ignore, RetryLater
from bot.jobs import applying
from bot.jobs.context import Context
from bot.jobs.learn import learn_repository
from bot.jobs.onboarding import read_history
from bot.jobs.pipeline import label_issue
from bot.jobs.turn import GRACE, INLINE_WAIT, NotYet, Turn
from bot.sandbox.server import SandboxServer
from bot.store import decisions, effects, heads, installations, issues, repositories, vectors
from bot.store.tables import Delivery, Effect
from tests.integration.jobs_at_hand import REPO, met, queued

EAGER = "labels:\n  bug: {threshold: 0.0001}\n"
US = "labelwright[bot]"

Label = Callable[..., str]


@pytest.fixture
def repository_id(context: Context, sandbox: SandboxServer) -> int:
    """A repository with a head under which every issue gets `bug`."""
    sandbox_id = met(context, sandbox, 2)
    sandbox.put_file(REPO, ".github/labelwright.yml", EAGER)
    read_history(context, repository_id=sandbox_id)
    learn_repository(context, repository_id=sandbox_id, reason="test")
    return sandbox_id


@pytest.fixture
def number(sandbox: SandboxServer, repository_id: int) -> int:
    return sandbox.open_issue(REPO, title="It crashes", body="when the file is open")


@pytest.fixture
def label(context: Context, repository_id: int, number: int) -> Label:
    """Send the issue down the road, as it is now but for the changes given."""

    def label(*, delivery: int = 1, as_filed: bool = True, **changes: object) -> str:
        store_delivery(context, delivery)
        found = context.client(installation(context, repository_id)).issue(REPO, number)
        filed: Issue = replace(found, **changes)  # type: ignore[arg-type]
        return label_issue(
            context, repository_id=repository_id, filed=filed, as_filed=as_filed,
            delivery_id=delivery,
        )  # fmt: skip

    return label


def store_delivery(context: Context, guid: int) -> None:
    values = {"target_id": 1, "guid": str(guid), "event": "issues", "body": b"{}"}
    with context.database.session() as session:
        if guid > len(list(session.query(Delivery.id))):
            session.execute(insert(Delivery).values(values))


def installation(context: Context, repository_id: int) -> int:
    with context.database.session() as session:
        found = repositories.get(session, repository_id)
        assert found is not None
        return found.installation_id


def issue_id(context: Context, repository_id: int, number: int) -> int:
    with context.database.session() as session:
        return issues.ids_by_number(session, repository_id)[number]


def planned(context: Context, repository_id: int, number: int) -> list[Effect]:
    with context.database.session() as session:
        return effects.of_issue(session, issue_id(context, repository_id, number))


# -- which head, which text ---------------------------------------------------------------------------


def test_an_issue_is_labelled(sandbox: SandboxServer, label: Label, number: int) -> None:
    assert label() == "applied bug"
    assert sandbox.issue_labels(REPO, number) == {"bug": US}


def test_a_head_of_another_encoder_is_not_used(
    context: Context, label: Label, repository_id: int, sandbox: SandboxServer, number: int
) -> None:
    """Its vectors would be scored by a head that never saw their like."""
    with context.database.session() as session:
        mine = heads.active(session, repository_id)
        assert mine is not None
        other = heads.save(
            session, repository_id, artefact=mine.artefact, expectation=mine.expectation,
            bundle="another", backend=mine.backend, reason="test",
        )  # fmt: skip
        repositories.activate_head(session, repository_id, other)
    with pytest.raises(RetryLater, match="still being learned"):
        label()
    assert queued(context)[-1] == (
        "learn",
        {"repository_id": repository_id, "reason": "another encoder serves"},
    )
    assert sandbox.issue_labels(REPO, number) == {}
    learn_repository(context, repository_id=repository_id, reason="another encoder serves")
    assert label() == "applied bug"


def kept_vector(context: Context, found: int) -> np.ndarray:
    with context.database.session() as session:
        return vectors.load(session, [found], **context.vector_key)[found]


def encoded(context: Context, title: str, body: str) -> np.ndarray:
    return context.encoder.encode([issue_text(title, body).joined])[0]


def test_the_vector_that_is_kept_is_that_of_the_text_as_filed(
    context: Context, label: Label, repository_id: int, number: int
) -> None:
    label()
    label(delivery=2, as_filed=False, title="Docs", body="the label of a test build")
    kept = kept_vector(context, issue_id(context, repository_id, number))
    filed = encoded(context, "It crashes", "when the file is open")
    edited = encoded(context, "Docs", "the label of a test build")
    np.testing.assert_allclose(kept, filed, atol=1e-6)
    assert not np.allclose(filed, edited, atol=1e-3)


def test_an_edit_is_decided_on_as_it_reads_now(
    context: Context, label: Label, monkeypatch: pytest.MonkeyPatch
) -> None:
    label()
    seen: list[str] = []
    encode = context.encoder.encode

    def watched(texts: list[str]) -> np.ndarray:
        seen.extend(texts)
        return encode(texts)

    monkeypatch.setattr(context.encoder, "encode", watched)
    label(delivery=2, as_filed=False, title="Edited")
    assert seen == ["Edited\n\nwhen the file is open"]


# -- deciding and planning ----------------------------------------------------------------------------


def test_a_delivery_decides_once(
    context: Context, label: Label, repository_id: int, number: int
) -> None:
    label()
    assert label() == "nothing to write"
    with context.database.session() as session:
        found = decisions.of_issue(session, issue_id(context, repository_id, number))
    assert sorted(decision.label for decision in found) == ["bug", "feature"]


def test_decisions_are_stored_before_anything_is_written(
    context: Context, label: Label, repository_id: int, number: int, sandbox: SandboxServer
) -> None:
    sandbox.faults.answer(503, method="POST", path="/labels$")
    with pytest.raises(RetryLater):
        label()
    assert [e.status for e in planned(context, repository_id, number) if e.kind == "add"] == [
        "pending"
    ]
    assert label() == "applied bug"


@pytest.mark.parametrize(
    ("status", "message", "error", "ends"),
    [
        (404, "Not Found", Ignore, "skipped"),
        (403, "Repository was archived so is read-only.", Ignore, "skipped"),
        (403, "Resource not accessible by integration", GiveUp, "failed"),
        (422, "Validation Failed", GiveUp, "failed"),
    ],
)
def test_effects_end_when_nothing_more_can_be_written(
    context: Context, label: Label, repository_id: int, number: int, sandbox: SandboxServer,
    status: int, message: str, error: type[Exception], ends: str,
) -> None:  # fmt: skip
    sandbox.faults.answer(status, method="POST", path="/labels$", message=message)
    with pytest.raises(error):
        label()
    found = planned(context, repository_id, number)
    assert {effect.status for effect in found} == {ends}
    assert all(effect.detail for effect in found)
    assert label() == "nothing to write"


def test_what_was_written_stays_done_when_the_rest_fails(
    context: Context, label: Label, repository_id: int, number: int, sandbox: SandboxServer
) -> None:
    found = issue_with_both_kinds(context, label, repository_id, number, sandbox)
    assert {effect.kind: effect.status for effect in found} == {"add": "done", "suggest": "failed"}


def issue_with_both_kinds(
    context: Context, label: Label, repository_id: int, number: int, sandbox: SandboxServer
) -> list[Effect]:
    """`bug` is set, then suggesting `feature` is forbidden."""
    sandbox.faults.answer(503, method="POST", path="/labels$")
    with pytest.raises(RetryLater):
        label()
    with context.database.session() as session:
        of_issue = decisions.of_issue(session, issue_id(context, repository_id, number))
        (feature,) = [decision for decision in of_issue if decision.label == "feature"]
        effects.plan(
            session, feature.issue_id, kind="suggest", label="feature", decision_id=feature.id
        )
    sandbox.faults.answer(422, method="GET", path="/suggestions$")
    with pytest.raises(GiveUp):
        label()
    return planned(context, repository_id, number)


# -- turns --------------------------------------------------------------------------------------------


@pytest.fixture
def spaced(context: Context, repository_id: int) -> int:
    """The installation, with ten seconds between two writes."""
    found = installation(context, repository_id)
    with context.database.session() as session:
        installations.set_write_interval(session, found, 10.0)
    return found


def test_the_first_turn_is_now_and_the_next_is_far(context: Context, spaced: int) -> None:
    first = Turn(context, spaced)
    first()
    assert first.waited == 0
    second = Turn(context, spaced)
    with pytest.raises(NotYet):
        second()
    assert second.moment is not None
    assert second.waited == pytest.approx(10, abs=5)


def test_a_turn_that_was_taken_is_kept(context: Context, spaced: int) -> None:
    Turn(context, spaced)()
    later = Turn(context, spaced)
    with pytest.raises(NotYet):
        later()
    again = Turn(context, spaced, moment=later.moment, waited=later.waited)
    with pytest.raises(NotYet):
        again()
    assert (again.moment, again.waited) == (later.moment, later.waited)


def test_a_turn_that_passed_is_taken_anew(context: Context, spaced: int) -> None:
    Turn(context, spaced)()
    missed = Turn(context, spaced, moment=time.time() - GRACE - 1)
    with pytest.raises(NotYet):
        missed()


def test_two_writes_of_one_job_take_two_turns(context: Context, spaced: int) -> None:
    turn = Turn(context, spaced)
    turn()
    with pytest.raises(NotYet):
        turn()


def test_who_must_wait_long_goes_back_to_the_queue(
    context: Context, label: Label, repository_id: int, number: int, spaced: int,
    sandbox: SandboxServer,
) -> None:  # fmt: skip
    Turn(context, spaced)()
    assert label().startswith("waits ")
    assert sandbox.issue_labels(REPO, number) == {}
    task, args = queued(context)[-1]
    assert (task, args["job"]["task"]) == ("wake", "apply")
    assert args["job"]["lock"] == f"issue/{repository_id}/{number}"
    told = args["job"]["args"]
    assert told["issue_id"] == issue_id(context, repository_id, number)
    assert told["moment"] - time.time() > INLINE_WAIT
    outcome = applying.apply_pending(
        context, issue_id=told["issue_id"], moment=time.time(), waited=told["waited"]
    )
    assert outcome == "applied bug"
    (done,) = [e for e in planned(context, repository_id, number) if e.kind == "add"]
    assert done.waited_s == told["waited"]


def test_nothing_pending_takes_no_turn(
    context: Context, label: Label, repository_id: int, number: int, spaced: int
) -> None:
    label()
    assert label() == "nothing to write"
    with context.database.session() as session:
        row = installations.get(session, spaced)
        assert row is not None
        assert row.next_write_at is not None
        assert (row.next_write_at - datetime.now(UTC)).total_seconds() < 10.0
