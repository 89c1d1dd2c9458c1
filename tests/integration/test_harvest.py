"""Label events that no webhook told are found, once, cheaply, and teach like the others."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from bot.core.types import Decision
from bot.errors import GiveUp, Ignore, RetryLater
from bot.github.history import EventsPage
from bot.github.payloads import issue_from
from bot.jobs.context import Context
from bot.jobs.learning.harvest import advance, harvest
from bot.jobs.learning.learn import learn_repository
from bot.jobs.learning.onboarding import read_history
from bot.jobs.schedule import Reach
from bot.jobs.schedule import harvest as harvest_all
from bot.sandbox.server import SandboxServer
from bot.store import decisions, effects, harvests, issues, label_events, labels, repositories
from bot.store.harvests import Progress
from tests.integration.jobs_at_hand import LONG_AGO, REPO, count, met, queued

EVENTS = "/issues/events"


@pytest.fixture
def repository_id(context: Context, sandbox: SandboxServer) -> int:
    """Three issues, read and learned; everything since is unknown to us."""
    repository_id = met(context, sandbox, 3)
    read_history(context, repository_id=repository_id)
    learn_repository(context, repository_id=repository_id, reason="test")
    return repository_id


def asked(sandbox: SandboxServer) -> list[int]:
    """Statuses of the answers about issue events."""
    return [one.status for one in sandbox.requests if one.path.endswith(EVENTS)]


def issue_id(context: Context, repository_id: int, number: int) -> int:
    with context.database.session() as session:
        return issues.ids_by_number(session, repository_id)[number]


def events_of(context: Context, repository_id: int, number: int) -> list[tuple[str, bool, str]]:
    with context.database.session() as session:
        told = label_events.of_issue(session, issue_id(context, repository_id, number))
    return [(one.label, one.added, one.actor) for one in told]


def reached(context: Context, repository_id: int) -> Progress:
    with context.database.session() as session:
        return harvests.progress(session, repository_id)


def test_what_was_missed_is_found(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    sandbox.unlabel(REPO, 2, "bug", "ann")
    sandbox.label(REPO, 2, "feature", "ann")
    assert harvest(context, repository_id=repository_id).startswith("2 label events of")
    assert events_of(context, repository_id, 2)[1:] == [
        ("bug", False, "ann"),
        ("feature", True, "ann"),
    ]
    with context.database.session() as session:
        found = issues.by_number(session, repository_id, 2)
    assert found is not None
    assert found.labels == {"feature"}


def test_nothing_new_costs_nothing(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    before = len(asked(sandbox))
    for _ in range(2):
        assert harvest(context, repository_id=repository_id) == f"nothing new in {REPO}"
    assert asked(sandbox)[before:] == [304, 304]
    sandbox.label(REPO, 1, "feature")
    harvest(context, repository_id=repository_id)
    harvest(context, repository_id=repository_id)
    assert asked(sandbox)[before:] == [304, 304, 200, 304]


def test_only_what_is_new_is_read(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    for n in range(230):
        sandbox.seed_issue(REPO, title=f"{n}", body="", labels=["bug"], created_at=LONG_AGO)
    harvest(context, repository_id=repository_id)
    assert asked(sandbox)[-3:] == [200, 200, 200]
    sandbox.label(REPO, 1, "feature")
    before = len(asked(sandbox))
    assert harvest(context, repository_id=repository_id).startswith("1 label events")
    assert len(asked(sandbox)) == before + 1
    assert count(context, "issues") == 233  # also those that nobody told us of


def test_a_stop_between_pages_goes_on_there_and_misses_nothing(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    for n in range(230):
        sandbox.seed_issue(REPO, title=f"{n}", body="", labels=["bug"], created_at=LONG_AGO)
    sandbox.faults.delay(0.0, path=EVENTS + "$")  # the first page passes, the second does not
    sandbox.faults.secondary_limit(path=EVENTS + "$", retry_after=30)
    with pytest.raises(RetryLater):
        harvest(context, repository_id=repository_id)
    assert reached(context, repository_id).cursor is not None
    for n in range(1, 4):  # meanwhile life goes on
        sandbox.label(REPO, n, "feature")
    before = len(asked(sandbox))
    assert harvest(context, repository_id=repository_id).startswith("130 label events")
    assert len(asked(sandbox)) == before + 2
    assert harvest(context, repository_id=repository_id).startswith("3 label events")
    assert count(context, "label_events") == 3 + 230 + 3
    assert harvest(context, repository_id=repository_id) == f"nothing new in {REPO}"


def test_a_cursor_that_github_forgot_starts_over(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    seen = reached(context, repository_id).seen
    with context.database.session() as session:
        lost = f"{sandbox.url}/repos/{REPO}{EVENTS}?page=nonsense"
        harvests.save(session, repository_id, Progress(seen=seen, cursor=lost, newest=10**9))
    sandbox.label(REPO, 1, "feature")
    sandbox.faults.answer(422, path=EVENTS + "$")
    with pytest.raises(GiveUp):
        harvest(context, repository_id=repository_id)
    assert harvest(context, repository_id=repository_id).startswith("1 label events")


def test_a_walk_ends_where_it_met_the_known() -> None:
    page = EventsPage(ids=(90, 80, 70), next_page="next", etag="new")
    whole = Progress(seen=90, etag="new")
    going_on = Progress(seen=60, etag="new", cursor="next", newest=90)
    assert advance(Progress(seen=70, etag="old"), page) == whole
    assert advance(Progress(seen=60, etag="old"), page) == going_on
    last = EventsPage(ids=(65, 55), next_page="more", etag="of the second page")
    assert advance(going_on, last) == whole
    assert advance(Progress(), EventsPage(etag="new")) == Progress(etag="new")


@pytest.mark.parametrize("status", ["new", "learning"])
def test_a_history_that_is_being_read_is_not_read_twice(
    context: Context, sandbox: SandboxServer, repository_id: int, status: Any
) -> None:
    with context.database.session() as session:
        repositories.set_status(session, repository_id, status)
    before = len(sandbox.requests)
    with pytest.raises(Ignore):
        harvest(context, repository_id=repository_id)
    assert len(sandbox.requests) == before


def test_repositories_that_serve_are_harvested_by_the_clock(
    context: Context, repository_id: int
) -> None:
    reach = Reach(context.database, context.auth, write_interval=0.0)
    wanted = ("harvest", {"repository_id": repository_id})
    for _ in range(2):
        assert harvest_all(reach) == "1 repositories to harvest"
    assert queued(context).count(wanted) == 1


# -- what is found teaches --------------------------------------------------------------------------------


def we_set(context: Context, repository_id: int, number: int, label: str) -> None:
    """As if a delivery had decided so, before anything that people do from now on."""
    with context.database.session() as session:
        found = issues.ids_by_number(session, repository_id)[number]
        (decision,) = decisions.record(
            session, found, [Decision(label, "apply", "sure", 0.9, 0.8)],
            delivery_id=None, head_id=None, bundle="abc",
        )  # fmt: skip
        effect = effects.plan(session, found, kind="add", label=label, decision_id=decision)
        effects.finish(session, effect, status="done")


def touched(context: Context) -> set[str]:
    with context.database.session() as session:
        return set(session.scalars(text("SELECT label FROM touched_labels")))


def refits(context: Context) -> int:
    return [task for task, _ in queued(context)].count("refit")


def test_missed_corrections_teach_like_those_by_webhook(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    number = sandbox.open_issue(REPO, title="It crashes")
    with context.database.session() as session:
        issue = context.client(row_installation(context, repository_id)).issue(REPO, number)
        issues.upsert(session, repository_id, issue, as_filed=True)
    sandbox.label(REPO, number, "feature", "labelwright[bot]")
    we_set(context, repository_id, number, "feature")
    sandbox.unlabel(REPO, number, "feature", "ann")
    harvest(context, repository_id=repository_id)
    assert (refits(context), touched(context)) == (1, {"feature"})


def row_installation(context: Context, repository_id: int) -> int:
    with context.database.session() as session:
        row = repositories.get(session, repository_id)
        assert row is not None
        return row.installation_id


def test_what_corrects_nothing_asks_for_no_refit(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    sandbox.label(REPO, 1, "feature", "ann")
    sandbox.unlabel(REPO, 2, "bug", "sorter[bot]")
    harvest(context, repository_id=repository_id)
    assert refits(context) == 0


def test_many_missed_corrections_are_one_refit(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    """By many people, so that they are no mass relabel."""
    for n in range(30):
        number = sandbox.open_issue(REPO, title=f"Issue {n}")
        with context.database.session() as session:
            raw = sandbox.issue(REPO, number)
            issues.upsert(session, repository_id, issue_from(raw), as_filed=True)
        sandbox.label(REPO, number, "feature", "labelwright[bot]")
        we_set(context, repository_id, number, "feature")
        sandbox.unlabel(REPO, number, "feature", f"maintainer {n}")
    harvest(context, repository_id=repository_id)
    assert refits(context) == 1


def test_labels_that_changed_while_we_were_away_are_known_by_their_new_names(
    context: Context, sandbox: SandboxServer, repository_id: int
) -> None:
    """Else a label of ours would pass for a person's: nobody is known to have set the new name."""
    number = sandbox.open_issue(REPO, title="It crashes")
    sandbox.label(REPO, number, "feature", "labelwright[bot]")
    with context.database.session() as session:
        issue = context.client(row_installation(context, repository_id)).issue(REPO, number)
        issues.upsert(session, repository_id, issue, as_filed=True)
    we_set(context, repository_id, number, "feature")
    sandbox.edit_label(REPO, "feature", new_name="enhancement")
    before = len(sandbox.requests)
    harvest(context, repository_id=repository_id)
    with context.database.session() as session:
        assert set(labels.known_ids(session, repository_id)) == {"bug", "enhancement"}
    assert events_of(context, repository_id, number)[-1][0] == "enhancement"
    assert [task for task, _ in queued(context)].count("learn") == 1
    harvest(context, repository_id=repository_id)
    listed = [one for one in sandbox.requests[before:] if one.path.endswith("/labels")]
    assert len(listed) == 1  # not while nothing is new
