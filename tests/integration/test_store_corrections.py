"""Corrections out of the store: what we did and what people did, read together."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event as listen
from sqlalchemy import text
from sqlalchemy.orm import Session

from bot.core.corrections import Correction
from bot.core.provenance import TOGETHER
from bot.core.types import Action, Decision, LabelEvent, RepositoryLabel
from bot.store import answers, corrections, decisions, effects, issues, label_events, labels
from bot.store.repositories import save_rules
from tests.integration.stored import NOW, add_repository, an_issue

US = "labelwright[bot]"
HOUR = 3600.0


@pytest.fixture
def repository(session: Session) -> int:
    repository_id = add_repository(session)
    for github_id, name in enumerate(("bug", "feature"), start=1):
        labels.save(session, repository_id, RepositoryLabel(github_id, name, ""))
    return repository_id


def decided(
    session: Session, issue_id: int, label: str, action: Action, *, status: Any = "done"
) -> int:
    """A decision at `NOW`, and the effect that came of it; the effect's id, 0 without one."""
    (decision,) = decisions.record(
        session, issue_id, [Decision(label, action, "as scored", 0.9, 0.8)],
        delivery_id=None, head_id=None, bundle="abc",
    )  # fmt: skip
    effect = 0
    if action != "abstain" and status is not None:
        kind: effects.Kind = "add" if action == "apply" else "suggest"
        effect = effects.plan(session, issue_id, kind=kind, label=label, decision_id=decision)
        if status != "pending":
            effects.finish(session, effect, status=status)
    session.execute(text("UPDATE decisions SET decided_at = :now"), {"now": NOW})
    session.execute(
        text("UPDATE effects SET done_at = :now WHERE done_at IS NOT NULL"), {"now": NOW}
    )
    if action == "apply" and status == "done":
        happened(session, issue_id, label, actor=US, actor_kind="us")
    return effect


def happened(
    session: Session, issue_id: int, label: str, added: bool = True, second: float = 0, **more: Any
) -> None:
    values = {"actor": "ann", "actor_kind": "human", **more}
    told = LabelEvent(label, added, at=NOW + timedelta(seconds=second), **values)
    label_events.record(session, issue_id, [told], source="webhook")


def an_issue_of(session: Session, repository: int, number: int = 1, **changes: object) -> int:
    return issues.upsert(session, repository, an_issue(number, **changes), as_filed=True)


def kinds(found: list[Correction]) -> list[tuple[str, int, str | None, str | None]]:
    return [(one.kind, one.issue_id, one.removed, one.added) for one in found]


def test_removals_and_additions_are_found(session: Session, repository: int) -> None:
    first, second, third = (an_issue_of(session, repository, n) for n in (1, 2, 3))
    decided(session, first, "bug", "apply")
    happened(session, first, "bug", False, HOUR)
    decided(session, second, "bug", "abstain")
    happened(session, second, "bug", True, 2 * HOUR, actor="ada")
    decided(session, third, "bug", "apply")
    found = corrections.of_repository(session, repository)
    assert kinds(found) == [("removal", first, "bug", None), ("addition", second, None, "bug")]
    assert [one.weight for one in found] == [1.0, 0.5]
    assert corrections.of_issue(session, first) == found[:1]
    assert corrections.of_issue(session, second) == found[1:]
    assert corrections.of_issue(session, third) == []


@pytest.mark.parametrize("status", ["failed", "skipped", "pending", None])
def test_what_did_not_reach_github_is_not_ours(
    session: Session, repository: int, status: str | None
) -> None:
    issue = an_issue_of(session, repository)
    decided(session, issue, "bug", "apply", status=status)
    happened(session, issue, "bug", True, HOUR)
    assert corrections.of_issue(session, issue) == []
    happened(session, issue, "bug", False, 2 * HOUR)
    assert corrections.of_issue(session, issue) == []


def test_a_write_that_is_recorded_late_was_ours_all_the_same(
    session: Session, repository: int
) -> None:
    """The label went before we had written down that it was there."""
    issue = an_issue_of(session, repository)
    decided(session, issue, "bug", "apply")
    happened(session, issue, "bug", False, 20)
    session.execute(text("UPDATE effects SET done_at = :at"), {"at": NOW + timedelta(minutes=1)})
    assert kinds(corrections.of_issue(session, issue)) == [("removal", issue, "bug", None)]


def test_github_knows_better_than_our_clock_when_our_label_came(
    session: Session, repository: int
) -> None:
    """Ours is half a minute ahead; the label went after ten seconds."""
    issue = an_issue_of(session, repository)
    decided(session, issue, "bug", "apply", status="pending")
    session.execute(text("UPDATE effects SET status = 'done'"))
    ahead = NOW + timedelta(seconds=30)
    session.execute(text("UPDATE decisions SET decided_at = :ahead"), {"ahead": ahead})
    ours = LabelEvent("bug", True, US, "us", ahead)
    label_events.record(session, issue, [ours], source="effect")
    happened(session, issue, "bug", actor=US, actor_kind="us")
    happened(session, issue, "bug", False, 10)
    assert [e.added for e in label_events.of_issue(session, issue)] == [True, False]
    assert kinds(corrections.of_issue(session, issue)) == [("removal", issue, "bug", None)]


def test_a_suggestion_that_nobody_saw_was_silence(session: Session, repository: int) -> None:
    issue = an_issue_of(session, repository)
    decided(session, issue, "bug", "suggest", status="skipped")
    happened(session, issue, "bug", True, HOUR)
    assert kinds(corrections.of_issue(session, issue)) == [("addition", issue, None, "bug")]


def test_a_dismissed_suggestion_is_a_removal(session: Session, repository: int) -> None:
    issue = an_issue_of(session, repository)
    effect = decided(session, issue, "bug", "suggest")
    at = NOW + timedelta(hours=1)
    answers.answer(session, effect, verdict="dismissed", actor="ann", source="native", at=at)
    assert kinds(corrections.of_issue(session, issue)) == [("removal", issue, "bug", None)]
    happened(session, issue, "bug", False, HOUR)  # somebody recorded it as an event, too
    assert kinds(corrections.of_repository(session, repository)) == [
        ("removal", issue, "bug", None)
    ]


def test_silence_about_a_label_that_was_there_is_no_abstention(
    session: Session, repository: int
) -> None:
    issue = an_issue_of(session, repository)
    happened(session, issue, "bug", True, -1)
    decisions.record(
        session, issue, [Decision("bug", "abstain", "the issue has it already", 0.1, None)],
        delivery_id=None, head_id=None, bundle="abc",
    )  # fmt: skip
    session.execute(text("UPDATE decisions SET decided_at = :at"), {"at": NOW})
    assert corrections.of_issue(session, issue) == []


def test_a_swap_inside_a_group_that_the_rules_declare(session: Session, repository: int) -> None:
    save_rules(session, repository, text="exclusive: [[bug, feature]]\n", etag=None, error=None)
    issue = an_issue_of(session, repository)
    decided(session, issue, "bug", "apply")
    decided(session, issue, "feature", "abstain")
    happened(session, issue, "bug", False, HOUR)
    happened(session, issue, "feature", True, HOUR + 1)
    wanted = [("swap", issue, "bug", "feature")]
    assert kinds(corrections.of_issue(session, issue)) == wanted
    assert kinds(corrections.of_repository(session, repository)) == wanted


def test_a_mass_relabel_is_seen_across_issues(session: Session, repository: int) -> None:
    """One by one, as webhooks tell it: with the tenth issue the first nine mean nothing any more."""
    found = []
    for n in range(1, TOGETHER + 1):
        issue = an_issue_of(session, repository, n)
        decided(session, issue, "bug", "apply")
        happened(session, issue, "bug", False, HOUR + n / 2)
        found.append(issue)
    assert corrections.of_repository(session, repository) == []
    assert all(corrections.of_issue(session, issue) == [] for issue in found)
    reasons = {one.reason for one in corrections.explained(session, found[0]).others}
    assert reasons == {"our own doing", "part of a mass relabel: nobody looked at each issue"}
    assert label_events.removed_by_human(session, found[0]) == {"bug"}  # stands all the same


@pytest.mark.parametrize("state", ["deleted", "transferred", "spam"])
def test_issues_that_are_gone_correct_nothing(
    session: Session, repository: int, state: str
) -> None:
    issue = an_issue_of(session, repository)
    decided(session, issue, "bug", "apply")
    happened(session, issue, "bug", False, HOUR)
    assert len(corrections.of_issue(session, issue)) == 1
    an_issue_of(session, repository, state=state)
    assert corrections.of_issue(session, issue) == []
    assert corrections.of_repository(session, repository) == []


def test_the_silent_share_is_not_corrected(session: Session, repository: int) -> None:
    issue = an_issue_of(session, repository)
    decided(session, issue, "bug", "abstain")
    happened(session, issue, "bug", True, HOUR)
    session.execute(text("UPDATE issues SET silent = true"))
    assert corrections.of_issue(session, issue) == []


def test_a_renamed_label_keeps_its_corrections(session: Session, repository: int) -> None:
    issue = an_issue_of(session, repository)
    decided(session, issue, "bug", "apply")
    happened(session, issue, "bug", False, HOUR)
    labels.save(session, repository, RepositoryLabel(1, "defect", ""))
    assert kinds(corrections.of_repository(session, repository)) == [
        ("removal", issue, "defect", None)
    ]
    late = LabelEvent("bug", True, "ann", "human", NOW + timedelta(hours=2), github_id=9)
    label_events.record(session, issue, [late], source="harvest")
    assert {one.label for one in label_events.of_issue(session, issue)} == {"defect"}


# -- recording --------------------------------------------------------------------------------------------


def queries_of(session: Session, do: Any) -> int:
    told: list[str] = []
    connection = session.connection()

    def count(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        told.append(statement)

    listen.listen(connection, "before_cursor_execute", count)
    do()
    listen.remove(connection, "before_cursor_execute", count)
    return len(told)


def test_a_page_of_many_issues_costs_a_few_queries(session: Session, repository: int) -> None:
    ids = [an_issue_of(session, repository, n) for n in range(1, 101)]
    told = {
        issue: [LabelEvent("bug", True, "ann", "human", NOW, github_id=n)]
        for n, issue in enumerate(ids)
    }

    def store() -> None:
        label_events.record_all(session, repository, told, source="history")

    assert queries_of(session, store) <= 4
    assert label_events.record_all(session, repository, told, source="history") == {}
    assert label_events.of_repository(session, repository) == told


def test_what_a_person_had_us_do_is_that_persons_word(session: Session, repository: int) -> None:
    """By whichever way it comes first: our note of the command, GitHub's webhook, a harvest."""
    for number, first in enumerate(("command", "webhook"), start=1):
        issue = an_issue_of(session, repository, number)
        tellings = {
            "command": LabelEvent("bug", True, "ann", "human", NOW),
            "webhook": LabelEvent("bug", True, US, "us", NOW + timedelta(seconds=1)),
        }
        for source in sorted(tellings, key=lambda source: source != first):
            label_events.record(session, issue, [tellings[source]], source=source)
        harvested = LabelEvent("bug", True, US, "us", NOW, github_id=50 + number)
        assert label_events.record(session, issue, [harvested], source="harvest") == 0
        (stored,) = label_events.of_issue(session, issue)
        assert (stored.actor, stored.actor_kind) == ("ann", "human")
        assert stored.github_id == 50 + number
