"""Known pairs, groups and mass relabels are found by short cuts; here is the long way round, and they agree."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.core.evidence import known_row
from bot.core.provenance import TOGETHER, WITHIN, IssueEvent, in_bulk
from bot.core.types import LabelEvent

LABELS = ["a", "b", "c", "d", "e"]
GROUPS = st.lists(st.lists(st.sampled_from(LABELS), min_size=2, unique=True), max_size=3)
START = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.sets(st.sampled_from([*LABELS, "duplicate"])), GROUPS)
def test_a_label_is_ruled_out_by_any_other_of_its_groups(
    chosen: set[str], groups: list[list[str]]
) -> None:
    found = known_row(LABELS, current=chosen, exclusive=groups, settled=False)
    for label, value in zip(LABELS, found, strict=True):
        rivals = {x for group in groups if label in group for x in group} - {label}
        assert value == (1 if label in chosen else -1 if chosen & rivals else 0)


@given(st.lists(st.tuples(st.integers(1, 14), st.integers(0, 40)), max_size=60))
def test_a_mass_relabel_is_found_wherever_a_window_holds_enough_issues(
    told: list[tuple[int, int]],
) -> None:
    events = [
        (issue, LabelEvent("a", True, "ada", "human", START + timedelta(seconds=second)))
        for issue, second in told
    ]
    assert in_bulk(events) == frozenset(by_looking_at_every_window(events))


def by_looking_at_every_window(events: Sequence[IssueEvent]) -> set[IssueEvent]:
    found: set[IssueEvent] = set()
    for _, first in events:
        window = [one for one in events if timedelta(0) <= one[1].at - first.at <= WITHIN]
        if len({issue for issue, _ in window}) >= TOGETHER:
            found.update(window)
    return found
