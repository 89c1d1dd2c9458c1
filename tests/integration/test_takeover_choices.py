"""A bundle that takes over fits heads; it sets no label, and brings none back."""

from __future__ import annotations

from sqlalchemy import text, update

from bot.sandbox.server import SandboxServer
from bot.store import label_events
from bot.store.tables import Repository
from tests.integration.down_the_road import EAGER
from tests.integration.jobs_at_hand import REPO
from tests.integration.takeovers import MOVING, Deployment
from tests.integration.test_promotion import opened, other_bundle, there

__all__ = ["other_bundle", "there"]  # fixtures


def test_a_takeover_brings_no_removed_label_back(there: Deployment, sandbox: SandboxServer) -> None:
    context = there.context
    sandbox.put_file(REPO, ".github/labelwright.yml", EAGER)
    with context.database.session() as session:
        session.execute(update(Repository).values(rules_checked_at=None))
    road = opened(there, sandbox)
    assert "bug" in road.label()
    sandbox.unlabel(REPO, road.number, "bug", "ben")
    removal = context.client(road.installation_id).issue_events(REPO, road.number)
    with context.database.session() as session:
        label_events.record(session, road.issue_id, removal, source="webhook")
    before = len(sandbox.requests)
    there.promote()
    there.work_off(*MOVING)
    assert list(there.states.values()).count("champion") == 1
    assert "challenger" not in there.states.values()
    assert [one.path for one in sandbox.requests[before:] if one.method != "GET"] == []

    road.label(delivery=2, as_filed=False)
    assert "bug" not in road.labels
    with context.database.session() as session:
        reasons = session.execute(
            text("SELECT reason FROM decisions WHERE label = 'bug' ORDER BY id DESC LIMIT 1")
        ).scalar_one()
    assert reasons == "a human removed it from this issue"
