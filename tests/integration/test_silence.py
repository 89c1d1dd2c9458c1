"""An issue of the silent share is decided on and left alone; what it is worth as evidence is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from bot.github.events import parse_event
from bot.github.occurrences import CommentCreated
from bot.jobs.context import Context
from bot.jobs.talk.commands import obey
from bot.jobs.talk.notices import request_notice
from bot.sandbox.server import SandboxServer
from bot.store import decisions, issues, repositories, silence
from bot.store.tables import Issue
from tests.fixtures.sandbox import Receiver
from tests.integration.down_the_road import EAGER, Road, open_road
from tests.integration.jobs_at_hand import REPO, queued

RULES = ".github/labelwright.yml"


@pytest.fixture
def road(context: Context, sandbox: SandboxServer) -> Road:
    return open_road(context, sandbox)


def reread(road: Road, rules: str) -> None:
    """The rules as they are from now on; the copy that was read is forgotten."""
    road.sandbox.put_file(REPO, RULES, rules)
    with road.context.database.session() as session:
        from bot.store.tables import Repository

        session.execute(update(Repository).values(rules_checked_at=None))


def drawn(road: Road) -> tuple[float | None, bool]:
    with road.context.database.session() as session:
        row = session.get_one(Issue, road.issue_id)
        return row.silence, row.silent


def weights(road: Road) -> dict[int, float]:
    with road.context.database.session() as session:
        return silence.evidence_weights(session, road.repository_id)


def test_a_silent_issue_is_decided_on_and_nothing_is_planned(road: Road) -> None:
    reread(road, f"{EAGER}silent_share: 1\n")
    assert road.label() == "nothing to write"
    assert road.labels == {}
    assert road.effects() == []
    with road.context.database.session() as session:
        found = {row.label: row for row in decisions.of_issue(session, road.issue_id)}
    assert found["bug"].action == "apply"
    assert found["bug"].reason.endswith("the issue is of the silent share")
    assert drawn(road) == (1.0, True)


def test_an_issue_stays_as_it_was_drawn(road: Road) -> None:
    reread(road, f"{EAGER}silent_share: 1\n")
    road.label()
    reread(road, f"{EAGER}silent_share: 0\n")
    assert road.label(delivery=2) == "nothing to write"
    assert drawn(road) == (1.0, True)


def test_what_an_issue_is_worth(road: Road) -> None:
    road.label()
    assert road.labels != {}
    found = weights(road)
    assert found.pop(road.issue_id) == 0
    assert set(found.values()) == {1.0}
    with road.context.database.session() as session:
        session.execute(
            update(Issue).where(Issue.id == road.issue_id).values(silence=0.05, silent=True)
        )
    assert weights(road)[road.issue_id] == pytest.approx(20)
    with road.context.database.session() as session:
        silence.break_silence(session, road.issue_id)
    assert weights(road)[road.issue_id] == 0


def test_a_dry_run_leaves_its_issues_unbiased(road: Road) -> None:
    reread(road, f"{EAGER}mode: dry-run\n")
    road.label()
    assert drawn(road) == (None, False)
    assert weights(road)[road.issue_id] == 1.0


def test_a_busy_month_gives_the_share_its_size(road: Road) -> None:
    with road.context.database.session() as session:
        template = session.get_one(Issue, next(iter(weights(road))))
        values = {
            column.name: getattr(template, column.name)
            for column in Issue.__table__.columns
            if column.name not in ("id", "number", "github_id", "created_at")
        }
        for n in range(300):
            at = datetime.now(UTC) - timedelta(days=1)
            session.add(Issue(**values, number=1000 + n, github_id=9000 + n, created_at=at))
        session.flush()
        found = silence.draw_once(session, template.id, share=0.05)
    assert found.probability == pytest.approx(0.1, rel=0.01)


def test_an_issue_that_we_were_asked_to_act_on_is_never_drawn(road: Road) -> None:
    """Somebody may ask before anything was decided there: on an issue from before we came, say."""
    reread(road, f"{EAGER}silent_share: 1\n")
    with road.context.database.session() as session:
        found = road.context.client(road.installation_id).issue(REPO, road.number)
        issue_id = issues.upsert(session, road.repository_id, found, as_filed=True)
        silence.break_silence(session, issue_id)
    assert road.label() == "applied bug"
    assert weights(road)[road.issue_id] == 0


def test_not_even_the_rules_are_spoken_of_on_a_silent_issue(road: Road) -> None:
    reread(road, f"{EAGER}silent_share: 1\n")
    road.label()
    with road.context.database.session() as session:
        repositories.save_rules(
            session, road.repository_id, text=EAGER, etag=None, error="line 2: no such key"
        )
        request_notice(session, road.repository_id, number=road.number)
    assert "notice" not in [task for task, _ in queued(road.context)]
    with road.context.database.session() as session:
        request_notice(session, road.repository_id, number=road.number + 1)
    assert "notice" in [task for task, _ in queued(road.context)]


def told(road: Road, receiver: Receiver, command: str) -> str:
    """What became of a command that Ann, who may triage, has written."""
    road.sandbox.set_role(REPO, "ann", "triage")
    road.sandbox.hook_url = receiver.url
    road.sandbox.comment(REPO, road.number, command, actor="ann")
    assert road.sandbox.hooks.wait()
    event = parse_event("issue_comment", receiver.received[-1].body)
    assert isinstance(event, CommentCreated)
    return obey(road.context, event, delivery_id=road.delivery(2))


@pytest.mark.parametrize("command", ["/relabel", "/why"])
def test_a_command_in_a_dry_run_costs_no_evidence(
    road: Road, receiver: Receiver, command: str
) -> None:
    """Nothing is done and nothing said, so nothing is shaped."""
    reread(road, f"{EAGER}mode: dry-run\n")
    road.label()
    assert told(road, receiver, command) == "1 commands by ann"
    assert weights(road)[road.issue_id] == 1.0


@pytest.mark.parametrize(
    ("command", "silent"),
    [("/label feature", True), ("/unlabel bug", True), ("/why", False), ("/relabel", False)],
)
def test_who_labels_by_command_on_a_silent_issue_has_heard_nothing(
    road: Road, receiver: Receiver, command: str, silent: bool
) -> None:
    """It is as good a witness as a label by hand; once we have said what we think, it is none."""
    reread(road, f"{EAGER}silent_share: 1\n")
    road.label()
    assert told(road, receiver, command) == "1 commands by ann"
    assert drawn(road) == (1.0, silent)
    assert weights(road)[road.issue_id] == float(silent)
