"""A bundle that takes over fits heads; it sets no label, brings none back, and promises nothing from issues
that it learned from."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text, update

from bot.classify.build import build_bundle
from bot.classify.expectation import Expectation
from bot.classify.seen import PROVENANCE, Provenance
from bot.jobs.context import Context
from bot.jobs.learning.learn import learn_repository
from bot.jobs.learning.onboarding import read_history
from bot.sandbox.server import SandboxServer
from bot.store import label_events
from bot.store.tables import Repository
from tests.fixtures.bundle import WORDS
from tests.integration.down_the_road import EAGER
from tests.integration.jobs_at_hand import LONG_AGO, REPO, met
from tests.integration.takeovers import MOVING, Deployment, opened


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


def labelled(context: Context, sandbox: SandboxServer, count: int) -> int:
    """A repository that people labelled, one issue a day."""
    repository_id = met(context, sandbox)
    for n in range(count):
        bug = n % 2 == 0
        sandbox.seed_issue(
            REPO,
            title="crash error" if bug else "label docs",
            body="closed file " + " ".join(WORDS.split()[n % 16 :]),
            labels=["bug" if bug else "feature"],
            created_at=LONG_AGO + timedelta(days=n),
        )
    read_history(context, repository_id=repository_id)
    learn_repository(context, repository_id=repository_id, reason="test")
    return repository_id


@pytest.mark.parametrize(("days", "seen"), [(-1, 0), (30, 31), (99, 40), (None, 40)])
def test_a_tuned_encoder_promises_nothing_from_what_it_learned(
    context: Context,
    sandbox: SandboxServer,
    tiny_bundle: Path,
    tiny_weights: Path,
    tmp_path: Path,
    days: int | None,
    seen: int,
) -> None:
    weights = Path(shutil.copytree(tiny_weights, tmp_path / "tuned"))
    until = None if days is None else LONG_AGO + timedelta(days=days)
    (weights / PROVENANCE).write_text(Provenance(("abc",), {REPO: until}).text())
    tuned = build_bundle(weights, tmp_path / "new", max_tokens=12)
    repository_id = labelled(context, sandbox, 40)
    there = Deployment(context, repository_id, tiny_bundle, tmp_path / "new", tmp_path / "served")
    before = Expectation.from_dict(there.serving.expectation)
    assert before.pairs == 80

    there.promote()
    there.work_off(*MOVING)
    assert there.serving.bundle == tuned.manifest.bundle_id
    found = Expectation.from_dict(there.serving.expectation)
    assert found.pairs == 2 * (40 - seen)
    told = f"{seen} labelled issues that the encoder learned from prove nothing"
    assert any(told in why for why in found.muted.values()) == bool(seen)
