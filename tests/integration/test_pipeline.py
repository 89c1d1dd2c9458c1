"""The road of one issue, stage by stage: which head, which text, what is planned, how it ends."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text, update

from bot.core.text import issue_text
from bot.core.types import LabelEvent, RepositoryLabel
from bot.errors import GiveUp, Ignore, RetryLater
from bot.github.client import InstallationClient
from bot.jobs.applying import apply_pending
from bot.jobs.context import Context, key_of
from bot.jobs.learning.learn import learn_repository
from bot.jobs.turn import Turn
from bot.sandbox.server import SandboxServer
from bot.store import (
    decisions,
    effects,
    heads,
    installations,
    label_events,
    repositories,
    silence,
    vectors,
)
from bot.store.tables import Repository
from tests.integration.down_the_road import EAGER, Road, open_road
from tests.integration.jobs_at_hand import REPO, queued

US = "labelwright[bot]"


@pytest.fixture
def road(context: Context, sandbox: SandboxServer) -> Road:
    return open_road(context, sandbox)


# -- which head, which text ---------------------------------------------------------------------------


def test_an_issue_is_labelled(road: Road) -> None:
    assert road.label() == "applied bug"
    assert road.labels == {"bug": US}


def test_a_head_of_another_encoder_is_not_used(context: Context, road: Road) -> None:
    """Its vectors would be scored by a head that never saw their like."""
    with context.database.session() as session:
        mine = heads.active(session, road.repository_id)
        assert mine is not None
        other = heads.save(
            session, road.repository_id, artefact=mine.artefact, expectation=mine.expectation,
            bundle="another", backend=mine.backend, reason="test",
        )  # fmt: skip
        repositories.activate_head(session, road.repository_id, other)
    with pytest.raises(RetryLater, match="still being learned"):
        road.label()
    wanted = {"repository_id": road.repository_id, "reason": "another encoder serves"}
    assert queued(context)[-1] == ("learn", wanted)
    assert road.labels == {}
    learn_repository(context, **wanted)
    assert road.label() == "applied bug"


def test_patience_grows_while_a_repository_is_not_learned(context: Context, road: Road) -> None:
    """Learning that failed for good is tried again the next day: no use in asking every ten seconds."""
    with context.database.session() as session:
        session.execute(text("UPDATE repositories SET head_id = NULL, status = 'learning'"))

    def after(age: str) -> float:
        with context.database.session() as session:
            session.execute(text(f"UPDATE deliveries SET received_at = now() - interval '{age}'"))
        with pytest.raises(RetryLater) as later:
            road.label()
        return later.value.after

    after("0 s")  # stores the delivery
    assert after("3 s") == 10
    assert 30 <= after("1 min") < 35
    assert after("1 day") == 600


def test_the_vector_that_is_kept_is_that_of_the_text_as_filed(context: Context, road: Road) -> None:
    def encoded(title: str, body: str) -> np.ndarray:
        return context.encoder.encode([issue_text(title, body).joined])[0]

    road.label()
    road.label(delivery=2, as_filed=False, title="Docs", body="the label of a test build")
    with context.database.session() as session:
        key = key_of(context.encoder)
        (kept,), _ = vectors.matrix(session, [road.issue_id], dim=context.encoder.dim, **key)
    filed = encoded("It crashes", "when the file is open")
    np.testing.assert_allclose(kept, filed, atol=1e-6)
    assert not np.allclose(filed, encoded("Docs", "the label of a test build"), atol=1e-3)


def test_an_edit_is_decided_on_as_it_reads_now(
    context: Context, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    road.label()
    seen: list[str] = []
    encode = context.encoder.encode

    def watched(texts: list[str]) -> np.ndarray:
        seen.extend(texts)
        return encode(texts)

    monkeypatch.setattr(context.encoder, "encode", watched)
    road.label(delivery=2, as_filed=False, title="Edited")
    assert seen == ["Edited\n\nwhen the file is open"]


# -- deciding and planning ----------------------------------------------------------------------------


def test_a_delivery_decides_once(context: Context, road: Road) -> None:
    road.label()
    assert road.label() == "nothing to write"
    with context.database.session() as session:
        found = decisions.of_issue(session, road.issue_id)
    assert sorted(decision.label for decision in found) == ["bug", "feature"]


def test_decisions_are_stored_before_anything_is_written(
    road: Road, sandbox: SandboxServer
) -> None:
    sandbox.faults.answer(503, method="POST", path="/labels$")
    with pytest.raises(RetryLater):
        road.label()
    assert [effect.status for effect in road.effects("add")] == ["pending"]
    assert road.label() == "applied bug"


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
    road: Road, sandbox: SandboxServer, status: int, message: str, error: type[Exception], ends: str
) -> None:
    sandbox.faults.answer(status, method="POST", path="/labels$", message=message)
    with pytest.raises(error):
        road.label()
    assert {effect.status for effect in road.effects()} == {ends}
    assert all(effect.detail for effect in road.effects())
    assert road.label() == "nothing to write"


def test_what_was_written_stays_done_when_the_rest_fails(
    context: Context, road: Road, sandbox: SandboxServer
) -> None:
    """`bug` is set, then suggesting `feature` is forbidden."""
    sandbox.faults.answer(503, method="POST", path="/labels$")
    with pytest.raises(RetryLater):
        road.label()
    with context.database.session() as session:
        found = decisions.of_issue(session, road.issue_id)
        (feature,) = [decision.id for decision in found if decision.label == "feature"]
        effects.plan(session, road.issue_id, kind="suggest", label="feature", decision_id=feature)
    sandbox.faults.answer(422, method="GET", path="/suggestions$")
    with pytest.raises(GiveUp):
        road.label()
    ended = {effect.kind: effect.status for effect in road.effects()}
    assert ended == {"add": "done", "suggest": "failed"}


def test_a_new_decision_takes_the_place_of_one_that_waits(context: Context, road: Road) -> None:
    with context.database.session() as session:
        installations.set_write_interval(session, road.installation_id, 60.0)
    Turn(context, road.installation_id)()
    assert road.label().startswith("waits")
    rules = EAGER.replace("bug", "feature") + "  bug: {threshold: 1.0}\n"
    road.sandbox.put_file(REPO, ".github/labelwright.yml", rules)
    with context.database.session() as session:
        session.execute(update(Repository).values(rules_checked_at=None))
    assert road.label(delivery=2).startswith("waits")
    with context.database.session() as session:
        installations.set_write_interval(session, road.installation_id, 0.0)
    apply_pending(context, issue_id=road.issue_id)
    assert set(road.labels) == {"feature"}
    (first,) = [effect for effect in road.effects("add") if effect.label == "bug"]
    assert (first.status, first.detail) == ("skipped", "decided again meanwhile")


def test_what_was_closed_as_spam_gets_no_label(road: Road) -> None:
    road.sandbox.create_label(REPO, "spam")
    road.sandbox.label(REPO, road.number, "spam", "ben")
    road.sandbox.close_issue(REPO, road.number, reason="not_planned")
    assert road.label() == "applied nothing"
    assert set(road.labels) == {"spam"}
    assert "spam" in road.effects("add")[0].detail


@pytest.mark.parametrize("mode", ["apply", "suggest"])
def test_what_was_taken_off_while_a_write_waits_is_neither_set_nor_suggested(
    context: Context, road: Road, mode: str
) -> None:
    """GitHub's own events may tell of it under another name, if the label was renamed since."""
    road.sandbox.put_file(
        REPO, ".github/labelwright.yml", f"mode: {mode}\nsuggestions: comment\n{EAGER}"
    )
    with context.database.session() as session:
        session.execute(update(Repository).values(rules_checked_at=None))
        installations.set_write_interval(session, road.installation_id, 60.0)
    Turn(context, road.installation_id)()
    assert road.label().startswith("waits")
    with context.database.session() as session:
        removal = LabelEvent("bug", False, "ben", "human", datetime.now(UTC))
        label_events.record(session, road.issue_id, [removal], source="webhook")
        installations.set_write_interval(session, road.installation_id, 0.0)
    apply_pending(context, issue_id=road.issue_id)
    assert road.labels == {}
    (said,) = [effect for effect in road.effects() if effect.label == "bug"]
    assert (said.status, said.detail) == ("skipped", "a human removed it from this issue")


def test_a_label_that_somebody_was_faster_to_set_is_not_our_doing(
    context: Context, road: Road
) -> None:
    with context.database.session() as session:
        installations.set_write_interval(session, road.installation_id, 60.0)
    Turn(context, road.installation_id)()
    assert road.label().startswith("waits")
    road.sandbox.label(REPO, road.number, "bug", "ben")
    assert apply_pending(context, issue_id=road.issue_id) == "applied nothing"
    (effect,) = road.effects("add")
    assert (effect.status, effect.detail) == ("skipped", "ben was faster")
    with context.database.session() as session:
        assert silence.labels_set(session, road.repository_id) == {}


def test_our_label_was_set_when_we_wrote_it_not_when_we_noted_it(
    context: Context, road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person did between the two came later."""
    begun: list[datetime] = []
    add = InstallationClient.add_labels

    def slowly(client: InstallationClient, *given: Any) -> list[RepositoryLabel]:
        begun.append(datetime.now(UTC))
        answered = add(client, *given)
        time.sleep(1.0)
        return answered

    monkeypatch.setattr(InstallationClient, "add_labels", slowly)
    road.label()
    with context.database.session() as session:
        (event,) = label_events.of_issue(session, road.issue_id)
    assert event.at <= begun[0]
