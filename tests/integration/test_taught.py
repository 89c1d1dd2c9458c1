"""Label events that change what others meant: what was learned of those is taken back, whichever way it came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from bot.core.provenance import GHOST, TOGETHER
from bot.core.types import Decision, LabelEvent
from bot.errors import RetryLater
from bot.jobs.context import Context
from bot.jobs.learning.refit import refit_repository
from bot.jobs.learning.taught import record_events
from bot.sandbox.server import SandboxServer
from bot.store import corrections, decisions, effects, heads, issues, label_events, touched
from bot.store.tables import Decision as StoredDecision
from bot.store.tables import Effect
from tests.integration.down_the_road import open_road
from tests.integration.jobs_at_hand import REPO
from tests.integration.lessons import taught

NOW = datetime.now(UTC).replace(microsecond=0)


def labelled(context: Context, repository_id: int, count: int) -> list[int]:
    """That many issues of the past with our `bug` on them."""
    found = []
    with context.database.session() as session:
        ids = issues.ids_by_number(session, repository_id)
        for number in range(1, 2 * count, 2):
            issue_id = ids[number]
            decided = [Decision("bug", "apply", "", 0.9, 0.5)]
            (decision,) = decisions.record(
                session, issue_id, decided, delivery_id=None, head_id=None, bundle="b"
            )
            effect = effects.plan(session, issue_id, kind="add", label="bug", decision_id=decision)
            effects.finish(session, effect, status="done")
            session.get_one(Effect, effect).done_at = NOW - timedelta(hours=1)
            ours = LabelEvent("bug", True, "us[bot]", "us", NOW - timedelta(hours=1))
            label_events.record(session, issue_id, [ours], source="effect")
            found.append(issue_id)
    return found


def take_off(
    context: Context,
    repository_id: int,
    issue_ids: Sequence[int],
    *,
    after: int = 0,
    actor: str = "ann",
) -> None:
    """As webhooks tell it, one by one, a second apart from each other at most."""
    for place, issue_id in enumerate(issue_ids, start=after):
        event = LabelEvent("bug", False, actor, "human", NOW + timedelta(seconds=place))
        with context.database.session() as session:
            record_events(session, repository_id, {issue_id: [event]}, source="webhook")


def waiting(context: Context, repository_id: int) -> tuple[str, ...]:
    with context.database.session() as session:
        return touched.waiting(session, repository_id).labels


def remembered(context: Context, repository_id: int) -> int:
    """How many pairs the serving head knows word for word."""
    with context.database.session() as session:
        stored = heads.active(session, repository_id)
        assert stored is not None
        return len(context.head(session, stored.id).memory)


def test_a_mass_relabel_takes_back_what_its_first_nine_taught(
    context: Context, sandbox: SandboxServer
) -> None:
    repository_id = taught(context, sandbox, 40)
    found = labelled(context, repository_id, TOGETHER)
    take_off(context, repository_id, found[:-1])
    refit_repository(context, repository_id=repository_id)
    assert remembered(context, repository_id) == TOGETHER - 1
    assert waiting(context, repository_id) == ()

    take_off(context, repository_id, found[-1:], after=TOGETHER - 1)
    with context.database.session() as session:
        assert corrections.of_repository(session, repository_id) == []
    assert waiting(context, repository_id) == ("bug",)
    assert "refitted bug" in refit_repository(context, repository_id=repository_id)
    assert remembered(context, repository_id) == 0


def test_what_follows_in_a_mass_relabel_asks_for_nothing_more(
    context: Context, sandbox: SandboxServer
) -> None:
    repository_id = taught(context, sandbox, 40)
    found = labelled(context, repository_id, TOGETHER + 1)
    take_off(context, repository_id, found[:-1])
    with context.database.session() as session:
        touched.take(session, touched.waiting(session, repository_id))
    take_off(context, repository_id, found[-1:], after=TOGETHER)
    assert waiting(context, repository_id) == ()


def test_what_a_deleted_account_did_teaches_nothing_and_stands_all_the_same(
    context: Context, sandbox: SandboxServer
) -> None:
    """It may have been a bot, or ours under another name; whoever it was did not want the label there."""
    repository_id = taught(context, sandbox, 40)
    (issue_id,) = labelled(context, repository_id, 1)
    take_off(context, repository_id, [issue_id], actor=GHOST)
    assert waiting(context, repository_id) == ()
    with context.database.session() as session:
        assert corrections.of_repository(session, repository_id) == []
        assert label_events.removed_by_human(session, issue_id) == {"bug"}
        reasons = [one.reason for one in corrections.explained(session, issue_id).others]
    assert "by an account that is gone: nobody knows who looked" in reasons


def test_an_order_that_only_a_harvest_knows_is_learned_from(
    context: Context, sandbox: SandboxServer
) -> None:
    """Set and taken off again in one second, told the other way round by webhooks."""
    repository_id = taught(context, sandbox, 40)
    with context.database.session() as session:
        issue_id = issues.ids_by_number(session, repository_id)[1]
        decided = [Decision("feature", "abstain", "", 0.1, 0.5)]
        (decision,) = decisions.record(
            session, issue_id, decided, delivery_id=None, head_id=None, bundle="b"
        )
        session.get_one(StoredDecision, decision).decided_at = NOW - timedelta(hours=1)
    on, off = (LabelEvent("feature", added, "ann", "human", NOW) for added in (True, False))

    def tell(events: list[LabelEvent], source: str) -> list[str]:
        with context.database.session() as session:
            record_events(session, repository_id, {issue_id: events}, source=source)
            return [one.kind for one in corrections.of_issue(session, issue_id)]

    tell([off], "webhook")
    assert tell([on], "webhook") == ["addition"]
    with context.database.session() as session:
        touched.take(session, touched.waiting(session, repository_id))
    assert tell([replace(on, github_id=7), replace(off, github_id=8)], "harvest") == []
    assert waiting(context, repository_id) == ("feature",)


def test_what_a_person_did_is_learned_even_if_our_own_write_finds_it_first(
    context: Context, sandbox: SandboxServer
) -> None:
    """The answer to our write was lost; the next try reads the issue's events, before any webhook."""
    road = open_road(context, sandbox)
    sandbox.faults.drop(method="POST", path="/labels$", after=True)
    with pytest.raises(RetryLater):
        road.label()
    sandbox.label(REPO, road.number, "feature", "ann")
    road.label()
    with context.database.session() as session:
        (found,) = corrections.of_issue(session, road.issue_id)
        assert session.scalars(select(Effect.status).where(Effect.kind == "add")).all() == ["done"]
    assert (found.kind, found.labels) == ("addition", ("feature",))
    assert waiting(context, road.repository_id) == ("feature",)
