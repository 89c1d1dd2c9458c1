"""What counts as truth: human yes, human no, and everything else unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bot.core.evidence import by_people, known_pairs, known_row, teaches
from bot.core.provenance import TOGETHER, discount_doubtful
from bot.core.types import ActorKind, LabelEvent

LABELS = ["bug", "feature", "area/ui", "area/db"]
START = datetime(2026, 1, 1, tzinfo=UTC)


def event(label: str, *, added: bool = True, by: ActorKind = "human", day: int = 0) -> LabelEvent:
    return LabelEvent(label, added, "someone", by, START + timedelta(days=day))


def row(**known: Any) -> list[int]:
    return [int(value) for value in known_row(LABELS, **known)]


def test_an_issue_that_nobody_labelled_teaches_nothing() -> None:
    assert row() == [0, 0, 0, 0]


def test_a_human_label_speaks_against_its_siblings_only() -> None:
    assert row(current={"bug"}) == [1, -1, 0, 0]
    assert row(current={"bug", "area/db"}) == [1, -1, -1, 1]


def test_before_it_settles_absence_means_nothing() -> None:
    assert row(current={"bug"}, settled=False) == [1, 0, 0, 0]


def test_an_exclusive_sibling_is_ruled_out_at_once() -> None:
    groups = [["bug", "feature"]]
    assert row(current={"bug"}, settled=False, exclusive=groups) == [1, -1, 0, 0]


def test_both_of_an_exclusive_group_are_what_the_human_said() -> None:
    assert row(current={"bug", "feature"}, exclusive=[["bug", "feature"]])[:2] == [1, 1]


def test_what_a_human_removed_is_negative() -> None:
    assert row(events=[event("bug"), event("bug", added=False, day=1)]) == [-1, 0, 0, 0]


def test_a_label_put_back_is_positive() -> None:
    events = [event("bug", added=False, day=1), event("bug", day=2)]
    assert row(current={"bug"}, events=events)[0] == 1


def test_labels_of_bots_forms_and_ours_are_unknown() -> None:
    for kind in ("us", "bot", "form"):
        assert row(current={"bug"}, events=[event("bug", by=kind)]) == [0, 0, 0, 0]


def test_our_label_stays_unknown_beside_a_human_sibling() -> None:
    events = [event("bug", by="us"), event("feature", day=1)]
    assert row(current={"bug", "feature"}, events=events)[:2] == [0, 1]


def test_our_label_that_a_human_removed_is_negative() -> None:
    events = [event("bug", by="us"), event("bug", added=False, day=1)]
    assert row(events=events)[0] == -1


def test_a_label_that_a_bot_removed_is_unknown() -> None:
    events = [event("bug"), event("bug", added=False, by="bot", day=1)]
    assert row(events=events)[0] == 0


def test_labels_outside_the_learnable_ones_answer_nothing() -> None:
    assert row(current={"duplicate", "needs-triage"}) == [0, 0, 0, 0]


def test_events_are_read_by_time_not_by_order() -> None:
    events = [event("bug", added=False, day=3), event("bug", day=1)]
    assert row(events=events)[0] == -1


def test_families_can_be_overridden() -> None:
    families = {"bug": "x", "feature": "y", "area/ui": "x", "area/db": "y"}
    assert row(current={"bug"}, families=families) == [1, 0, -1, 0]


def test_a_history_is_its_rows() -> None:
    sets = [{"bug"}, set(), {"area/ui"}]
    found = known_pairs(sets, LABELS)
    assert found.dtype == np.int8
    assert found.tolist() == [row(current=s) for s in sets]
    assert known_pairs([], LABELS).shape == (0, 4)


@given(st.sets(st.sampled_from(LABELS)), st.sets(st.sampled_from(LABELS)), st.booleans())
def test_a_human_positive_is_never_turned(
    current: set[str], removed: set[str], settled: bool
) -> None:
    told = [event(label, added=False) for label in removed - current]
    found = row(current=current, events=told, settled=settled, exclusive=[LABELS])
    assert all(found[LABELS.index(label)] == 1 for label in current)
    assert all(found[LABELS.index(label)] == -1 for label in removed - current)


# -- our own labels ---------------------------------------------------------------------------------------

OWN = st.lists(
    st.builds(
        event,
        st.sampled_from(LABELS),
        added=st.booleans(),
        by=st.sampled_from(["us", "bot", "form"]),
        day=st.integers(0, 9),
    ),
    max_size=6,
)
PEOPLE = st.lists(
    st.builds(event, st.sampled_from(LABELS), added=st.booleans(), day=st.integers(0, 9)),
    max_size=4,
)


@given(OWN, st.booleans())
def test_what_no_person_touched_is_never_known(machines: list[LabelEvent], settled: bool) -> None:
    """Not to the fit, nor to cuts, expectations and gates: they all read these pairs."""
    current = {one.label for one in machines if one.added}
    assert row(current=current, events=machines, settled=settled, exclusive=[LABELS]) == [0] * 4
    assert by_people(current, machines) == set()


@given(PEOPLE, OWN)
def test_no_machine_makes_a_positive(people: list[LabelEvent], machines: list[LabelEvent]) -> None:
    """Whatever people do beside it: a label is positive only where a person's is the last word."""
    told = sorted([*people, *machines], key=lambda one: one.at)
    latest = {one.label: one for one in told}
    found = row(current={label for label, one in latest.items() if one.added}, events=told)
    for label, value in zip(LABELS, found, strict=True):
        if value > 0:
            assert latest[label].actor_kind == "human"


def test_a_mass_relabel_teaches_nothing() -> None:
    told = {n: [event("bug")] for n in range(TOGETHER)}
    for events in discount_doubtful(told).values():
        assert row(current={"bug"}, events=events) == [0, 0, 0, 0]


def test_issues_that_are_gone_teach_nothing() -> None:
    assert [teaches(state) for state in ("open", "closed")] == [True, True]
    assert [teaches(state) for state in ("deleted", "transferred", "spam")] == [False] * 3
    assert not teaches("open", is_pull_request=True)
