"""The time machine: no decision knows anything of its future, and the tests would see it if one did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from bot.classify.sides import author_marks
from bot.classify.words import count_words
from bot.preview.past import PastIssue
from bot.preview.record import PastRecord, Record
from bot.preview.rewind import Decided, RefitPolicy, rewind
from tests.unit.preview_past import (
    SETTLING,
    START,
    human,
    issue,
    ordinary,
    record_of,
    scene_of,
)

POLICY = RefitPolicy(issues=10, first=20)


def replay(
    issues: Sequence[PastIssue],
    record: Record | None = None,
    policy: RefitPolicy = POLICY,
    targets: Sequence[float] = (0.6,),
) -> list[Decided]:
    record = record or record_of(issues)
    return list(rewind(scene_of(issues), record, targets=targets, policy=policy))


def test_issues_that_the_encoder_learned_from_promise_nothing(issues: list[PastIssue]) -> None:
    def applied(seen: np.ndarray | None) -> bool:
        scene = replace(scene_of(issues), seen=seen)
        stream = rewind(scene, record_of(issues), targets=(0.6,), policy=POLICY)
        return any(("apply" in action) for one in stream for _, action in actions(one))

    assert applied(None)
    assert not applied(np.ones(len(issues), dtype=np.bool_))


def same(one: Sequence[Decided], other: Sequence[Decided]) -> bool:
    """But for the last digits, which depend on how many issues are scored together."""
    return len(one) == len(other) and all(
        a.labels == b.labels
        and np.allclose(a.probabilities, b.probabilities, rtol=0, atol=1e-6)
        and actions(a) == actions(b)
        for a, b in zip(one, other, strict=True)
    )


def actions(decided: Decided) -> list[tuple[str, str]]:
    return [(d.label, d.action) for found in decided.decisions.values() for d in found]


def with_another_future(issues: Sequence[PastIssue], moment: datetime) -> list[PastIssue]:
    """The same past until `moment`; after it, other labels on old issues and other new issues."""

    def changed(old: PastIssue) -> PastIssue:
        if old.created_at > moment:
            return replace(issue(7, "feature"), number=old.number, created_at=old.created_at)
        kept = tuple(event for event in old.events if event.at <= moment)
        later = human("late", moment + timedelta(hours=1))
        gone = [human(e.label, moment + timedelta(hours=2), added=False) for e in kept]
        return replace(old, events=(*kept, later, *gone), labels=frozenset(["late"]))

    return [changed(old) for old in issues]


@pytest.fixture(scope="module")
def issues() -> list[PastIssue]:
    return ordinary(120)


@pytest.fixture(scope="module")
def stream(issues: list[PastIssue]) -> list[Decided]:
    return replay(issues)


def test_the_replay_is_worth_looking_at(stream: list[Decided]) -> None:
    applied = [d for d in stream if any(x.action == "apply" for x in d.decisions.get(0.6, ()))]
    assert len(applied) > 30
    assert [d.row for d in stream] == list(range(120))


@pytest.mark.parametrize("row", [45, 80, 110])
def test_the_future_changes_no_decision_of_the_past(
    issues: list[PastIssue], stream: list[Decided], row: int
) -> None:
    moment = issues[row].created_at
    other = with_another_future(issues, moment)
    assert same(replay(other)[: row + 1], stream[: row + 1])


def test_a_history_cut_short_decides_the_same(
    issues: list[PastIssue], stream: list[Decided]
) -> None:
    assert same(replay(issues[:70], record_of(issues)), stream[:70])


class Leaky(PastRecord):
    """Knows today's labels at any time: what must not happen."""

    def _seen(self, row: int, moment: datetime):  # type: ignore[no-untyped-def]
        return self._issues[row].events


def test_a_record_that_leaks_would_be_seen(issues: list[PastIssue], stream: list[Decided]) -> None:
    other = with_another_future(issues, issues[80].created_at)
    until = issues[-1].created_at + timedelta(days=30)
    leaking = replay(other, Leaky(other, settling=SETTLING, until=until))
    assert not same(leaking[:81], stream[:81])


def test_a_label_is_not_heard_of_before_somebody_used_it() -> None:
    issues = ordinary(100)
    issues[30] = replace(issues[30], labels=frozenset(["docs", "security"]))
    issues[30] = replace(
        issues[30], events=(*issues[30].events, human("security", START + timedelta(days=75)))
    )
    stream = replay(issues)
    heard = [decided.row for decided in stream if "security" in decided.labels]
    assert heard == list(range(80, 100))  # the first refit after day 75


def test_labels_without_a_time_count_after_the_settling_days() -> None:
    issues = ordinary(60, timed=False)
    record = record_of(issues)
    moment = issues[40].created_at
    known = record.known(moment, rows=40, labels=["bug", "docs", "feature"], exclusive=())
    assert (known[:34] != 0).all()
    assert (known[34:] == 0).all()
    assert record.label_sets(moment, rows=40)[33:35] == [frozenset(["bug"]), frozenset()]


def test_an_absent_label_is_no_answer_before_the_issue_has_settled() -> None:
    issues = ordinary(30)
    labels = ["bug", "docs", "feature"]
    known = record_of(issues).known(issues[29].created_at, rows=29, labels=labels, exclusive=())
    assert known[0].tolist() == [1, -1, -1]
    assert known[28].tolist() == [0, 1, 0]


def test_a_label_that_was_taken_off_is_a_negative_from_then_on() -> None:
    issues = ordinary(3)
    off = human("bug", START + timedelta(days=1), added=False)
    issues[0] = replace(issues[0], events=(*issues[0].events, off), labels=frozenset())
    record = record_of(issues)
    before = record.known(START + timedelta(hours=3), rows=1, labels=["bug"], exclusive=())
    after = record.known(START + timedelta(days=1), rows=1, labels=["bug"], exclusive=())
    assert (before.tolist(), after.tolist()) == ([[1]], [[-1]])


def test_what_an_issue_brought_along_is_present_and_teaches_nothing() -> None:
    issues = ordinary(40)
    form = replace(human("bug", issues[30].created_at), actor_kind="form")
    issues[30] = replace(issues[30], events=(form,), labels=frozenset(["bug"]))
    record = record_of(issues)
    assert record.present(30) == {"bug"}
    assert record.present(29) == frozenset()
    last = record.known(issues[39].created_at, rows=39, labels=["bug", "docs"], exclusive=())
    assert last[30].tolist() == [0, 0]
    said = {d.label: d.reason for d in replay(issues)[30].decisions[0.6]}
    assert "has it already" in said["bug"]


def test_a_reader_may_teach_the_record_between_two_issues() -> None:
    class Taught(PastRecord):
        extra: frozenset[str] = frozenset()

        def label_sets(self, moment: datetime, *, rows: int) -> list[frozenset[str]]:
            return [found | self.extra for found in super().label_sets(moment, rows=rows)]

    issues = ordinary(60)
    record = Taught(issues, settling=SETTLING, until=START + timedelta(days=900))
    heard = []
    for decided in rewind(scene_of(issues), record, targets=(0.6,), policy=POLICY):
        if decided.row == 35:
            record.extra = frozenset(["taught"])
        heard.append("taught" in decided.labels)
    assert heard == [False] * 40 + [True] * 20


# -- when to learn anew -------------------------------------------------------------------------------


def refit_rows(stream: Sequence[Decided]) -> list[int]:
    return sorted({d.refit.taught_by for d in stream if d.refit})


def test_refits_come_after_so_many_issues(stream: list[Decided]) -> None:
    assert refit_rows(stream) == list(range(20, 120, 10))


def test_or_after_so_many_days() -> None:
    policy = RefitPolicy(issues=1000, days=30, first=20)
    assert refit_rows(replay(ordinary(100), policy=policy)) == [20, 50, 80]


def test_expensive_refits_become_rarer() -> None:
    issues = ordinary(100)
    ticks = iter(range(0, 100_000, 10))  # each reading of the clock is 10 s later

    def slow() -> float:
        return float(next(ticks))

    policy = RefitPolicy(issues=5, first=20, seconds=50)
    stream = list(
        rewind(scene_of(issues), record_of(issues), targets=(0.6,), policy=policy, clock=slow)
    )
    spent = sum(
        d.refit.seconds for d in {d.refit.number: d for d in stream if d.refit}.values() if d.refit
    )
    assert 1 < len(refit_rows(stream)) <= 6
    assert spent <= 60


def test_small_histories_are_learned_more_often() -> None:
    assert RefitPolicy.for_size(50).issues == 5
    assert RefitPolicy.for_size(700).issues == 25
    assert RefitPolicy.for_size(100_000).issues == 50


def test_several_promises_are_decided_by_one_replay(issues: list[PastIssue]) -> None:
    (*_, last) = replay(issues, targets=(0.9, 0.6))
    assert set(last.decisions) == {0.9, 0.6}
    assert last.refit is not None
    assert {target: head.target for target, head in last.refit.heads.items()} == {
        0.9: 0.9,
        0.6: 0.6,
    }


def test_without_any_label_nothing_is_decided() -> None:
    stream = replay([issue(row, None) for row in range(40)])
    assert all(not d.labels and not d.decisions for d in stream)


def test_words_counted_once_for_all_refits_decide_the_same() -> None:
    issues = ordinary(60)
    scene = scene_of(issues)
    marks = author_marks([one.association for one in issues])
    once = replace(scene, counts=count_words(scene.texts, extra=marks))
    found = list(rewind(once, record_of(issues), targets=(0.6,), policy=POLICY))
    assert same(found, replay(issues))
    assert any(one.decisions for one in found)
