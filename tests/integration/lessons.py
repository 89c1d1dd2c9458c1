"""A repository with a past that was learned from, and people who correct what we did."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from bot.core.types import Decision, LabelEvent
from bot.jobs.context import Context
from bot.jobs.learning.learn import learn_repository
from bot.jobs.learning.onboarding import read_history
from bot.jobs.requests import request_refit
from bot.sandbox.server import SandboxServer
from bot.store import (
    corrections,
    decisions,
    effects,
    issues,
    label_events,
)
from bot.store.tables import Effect
from tests.integration.jobs_at_hand import LONG_AGO, met

RELAXED = "precision: 0.5\n"
"""Rules under which a head of few issues applies labels."""


def taught(context: Context, sandbox: SandboxServer, count: int) -> int:
    """The id of a repository of old issues, bugs and wishes, with a head that tells them by their words."""
    repository_id = met(context, sandbox)
    for n in range(count):
        bug = n % 2 == 0
        sandbox.seed_issue(
            "acme/widget",
            title=f"crash error {n}" if bug else f"label docs {n}",
            body="closed file" if bug else "how to build",
            labels=["bug" if bug else "feature"],
            created_at=LONG_AGO,
        )
    sandbox.put_file("acme/widget", ".github/labelwright.yml", RELAXED)
    read_history(context, repository_id=repository_id)
    learn_repository(context, repository_id=repository_id, reason="test")
    return repository_id


def correct(
    context: Context, repository_id: int, number: int, *, removed: str = "", added: str = ""
) -> int:
    """What a webhook would leave behind: our decision, what came of it, and a human who disagrees."""
    with context.database.session() as session:
        issue_id = issues.ids_by_number(session, repository_id)[number]
        decided = [Decision(removed or added, "apply" if removed else "abstain", "", 0.9, 0.5)]
        (decision_id,) = decisions.record(
            session, issue_id, decided, delivery_id=None, head_id=None, bundle="b"
        )
        if removed:
            effects.plan(session, issue_id, kind="add", label=removed, decision_id=decision_id)
            (effect,) = session.scalars(select(Effect).where(Effect.issue_id == issue_id))
            effects.finish(session, effect.id, status="done", detail="", waited_s=0)
        now = datetime.now(UTC).replace(microsecond=0)  # looked at last: people answer what is done
        if removed:
            ours = LabelEvent(removed, True, "us[bot]", "us", now)
            label_events.record(session, issue_id, [ours], source="effect")
        human = LabelEvent(removed or added, bool(added), "ada", "human", now)
        label_events.record(session, issue_id, [human], source="webhook")
        assert corrections.of_issue(session, issue_id)
        request_refit(session, repository_id, labels=[removed or added], reason="corrected")
    return issue_id
