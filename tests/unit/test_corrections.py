"""What people did to labels against what we had done, and why the rest is no correction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.corrections import Act, Case, Correction, Derived, Did, derive
from bot.core.provenance import GHOST
from bot.core.types import ActorKind, LabelEvent

START = datetime(2026, 1, 1, tzinfo=UTC)
KINDS = [["bug", "feature", "question"]]


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def act(label: str, did: Did, second: float = 0) -> Act:
    return Act(label, did, at(second))


def event(
    label: str, added: bool, second: float, *, actor: str = "ann", by: ActorKind = "human"
) -> LabelEvent:
    return LabelEvent(label, added, actor, by, at(second))


def ours(label: str = "bug", second: float = 0) -> LabelEvent:
    return event(label, True, second, actor="labelwright[bot]", by="us")


def read(
    acts: Sequence[Act],
    events: Sequence[LabelEvent],
    *,
    exclusive: Sequence[Sequence[str]] = (),
    **more: Any,
) -> Derived:
    known = {"author": "reporter", "association": "NONE", **more}
    return derive(Case(7, acts=acts, events=events, **known), exclusive=exclusive)


def reasons(found: Derived) -> list[str]:
    return [one.reason for one in found.others]


OURS = [act("bug", "applied")], [ours()]
"""We set `bug`, and nothing happened since."""


def test_our_label_taken_off_is_a_removal() -> None:
    found = read(OURS[0], [*OURS[1], event("bug", False, 60)])
    assert found.corrections == (Correction("removal", 7, "bug", None, "ann", 1.0, at(60)),)
    assert reasons(found) == ["our own doing"]


def test_what_github_says_we_set_was_set_whatever_became_known_of_our_write() -> None:
    """The answer to our write was lost, and by the next try somebody had taken the label off."""
    found = read([act("bug", "withheld")], [*OURS[1], event("bug", False, 60)])
    assert [one.kind for one in found.corrections] == ["removal"]


def test_an_account_that_is_gone_corrects_nothing() -> None:
    found = read(OURS[0], [*OURS[1], event("bug", False, 60, actor=GHOST)])
    assert found.corrections == ()
    assert reasons(found)[-1] == "by an account that is gone: nobody knows who looked"


def test_a_label_where_we_said_nothing_is_an_addition() -> None:
    found = read([act("bug", "abstained")], [event("bug", True, 60)])
    assert found.corrections == (Correction("addition", 7, None, "bug", "ann", 1.0, at(60)),)


def test_a_suggestion_taken_up_is_an_addition() -> None:
    found = read([act("bug", "suggested")], [event("bug", True, 60)])
    assert [one.kind for one in found.corrections] == ["addition"]


def test_one_label_for_another_of_its_group_is_a_swap() -> None:
    acts = [act("bug", "applied"), act("feature", "abstained")]
    for first, second in ((60, 90), (90, 60)):  # in either order
        changes = [event("bug", False, first), event("feature", True, second, actor="ben")]
        (one,) = read(acts, [ours(), *changes], exclusive=KINDS).corrections
        assert (one.kind, one.removed, one.added, one.at) == ("swap", "bug", "feature", at(90))
        assert one.labels == ("bug", "feature")


def test_a_swap_weighs_what_its_lighter_half_weighs() -> None:
    acts = [act("bug", "applied"), act("feature", "abstained")]
    changes = [event("bug", False, 60, actor="reporter"), event("feature", True, 90)]
    (one,) = read(acts, [ours(), *changes], exclusive=KINDS).corrections
    assert (one.actor, one.weight) == ("ann", 0.5)


def test_without_a_group_two_changes_are_two_corrections() -> None:
    acts = [act("bug", "applied"), act("feature", "abstained")]
    changes = [event("bug", False, 60), event("feature", True, 61)]
    found = read(acts, [ours(), *changes], exclusive=[["bug", "question"]])
    assert [one.kind for one in found.corrections] == ["removal", "addition"]


def test_a_removal_is_swapped_for_one_addition_only() -> None:
    acts = [act("bug", "applied"), act("feature", "abstained"), act("question", "abstained")]
    changes = [
        event("bug", False, 60), event("feature", True, 62), event("question", True, 90),
    ]  # fmt: skip
    found = read(acts, [ours(), *changes], exclusive=KINDS)
    assert [(c.kind, c.removed, c.added) for c in found.corrections] == [
        ("swap", "bug", "feature"),
        ("addition", None, "question"),
    ]


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        ("us", "our own doing"),
        ("bot", "another bot's doing"),
        ("form", "it came with the issue, from its form or template"),
    ],
)
def test_machines_and_forms_correct_nothing(by: ActorKind, reason: str) -> None:
    found = read([act("bug", "abstained")], [event("bug", True, 60, by=by)])
    assert (found.corrections, reasons(found)) == ((), [reason])


def test_a_mass_relabel_corrects_nothing() -> None:
    change = event("bug", False, 60)
    found = read(OURS[0], [*OURS[1], change], bulk={change})
    assert found.corrections == ()
    assert reasons(found)[1].startswith("part of a mass relabel")


def test_a_mass_relabel_does_not_take_a_persons_word_back() -> None:
    mass = event("bug", True, 900)
    found = read(OURS[0], [*OURS[1], event("bug", False, 60), mass], bulk={mass})
    assert [one.kind for one in found.corrections] == ["removal"]


def test_where_we_kept_silent_there_is_nothing_to_correct() -> None:
    found = read([act("bug", "abstained")], [event("bug", True, 60)], silent=True)
    assert (found.corrections, reasons(found)) == ((), ["we kept silent here on purpose"])


def test_a_suggestion_dismissed_is_a_removal() -> None:
    """Told as the removal of a label that was never there."""
    found = read([act("bug", "suggested")], [event("bug", False, 60)])
    assert [(one.kind, one.removed) for one in found.corrections] == [("removal", "bug")]


@pytest.mark.parametrize("did", ["abstained", "withheld"])
def test_only_what_we_did_on_github_can_be_undone(did: Did) -> None:
    found = read([act("bug", did)], [event("bug", False, 60)])
    assert (found.corrections, reasons(found)) == ((), ["we had not set it"])


def test_a_label_that_somebody_else_had_set_was_not_ours() -> None:
    """We wanted it too, and found it there."""
    found = read(OURS[0], [event("bug", True, 0, actor="ben"), event("bug", False, 60)])
    assert found.corrections == ()
    assert reasons(found)[-1] == "ben had set it, not we"


def test_a_removal_counts_though_nobody_told_us_of_our_own_adding() -> None:
    found = read(OURS[0], [event("bug", False, 60)])
    assert [one.kind for one in found.corrections] == ["removal"]


def test_what_we_wanted_and_did_not_write_is_agreement() -> None:
    found = read([act("bug", "withheld")], [event("bug", True, 60)])
    assert reasons(found) == ["we had decided the same, and not written it"]


def test_a_label_put_back_is_no_correction_any_more() -> None:
    found = read(OURS[0], [*OURS[1], event("bug", False, 60), event("bug", True, 90, actor="ben")])
    assert found.corrections == ()
    assert reasons(found)[1:] == ["a later word on this label counts", "we had set it too"]


def test_a_label_added_and_taken_off_again_is_no_correction() -> None:
    changes = [event("bug", True, 60), event("bug", False, 90)]
    found = read([act("bug", "abstained")], changes)
    assert found.corrections == ()


def test_what_came_before_our_decision_is_no_answer_to_it() -> None:
    found = read([act("bug", "abstained", 100)], [event("bug", True, 60)])
    assert reasons(found) == ["we had decided nothing on this label by then"]


def test_clocks_that_differ_a_little_do_not_hide_a_correction() -> None:
    found = read([act("bug", "abstained", 1.4)], [event("bug", True, 0)])
    assert len(found.corrections) == 1


def test_what_github_says_came_after_our_label_did_whatever_our_clock_says() -> None:
    """Ours is half a minute ahead."""
    found = read([act("bug", "applied", 30)], [ours(), event("bug", False, 10)])
    assert [one.kind for one in found.corrections] == ["removal"]


def test_the_latest_decision_is_the_one_that_is_corrected() -> None:
    acts = [act("bug", "abstained", 0), act("bug", "withheld", 50)]
    assert read(acts, [event("bug", True, 60)]).corrections == ()
    assert len(read(acts, [event("bug", True, 30)]).corrections) == 1


def test_a_label_that_we_know_nothing_of_is_no_correction() -> None:
    found = read([act("bug", "abstained")], [event("triage", True, 60)])
    assert found.corrections == ()


@pytest.mark.parametrize(
    ("actor", "association", "weight"),
    [("ann", "NONE", 1.0), ("reporter", "NONE", 0.5), ("reporter", "MEMBER", 1.0)],
)
def test_maintainers_count_more_than_authors(actor: str, association: str, weight: float) -> None:
    (one,) = read(
        [act("bug", "abstained")], [event("bug", True, 60, actor=actor)], association=association
    ).corrections
    assert one.weight == weight


EVENTS = st.builds(
    event,
    st.sampled_from(["bug", "feature", "docs"]),
    st.booleans(),
    st.integers(0, 100),
    by=st.sampled_from(["human", "us", "bot", "form"]),
)
ACTS = st.builds(
    act,
    st.sampled_from(["bug", "feature"]),
    st.sampled_from(["applied", "suggested", "abstained", "withheld"]),
    st.integers(0, 100),
)


@given(st.lists(ACTS, max_size=4), st.lists(EVENTS, max_size=8))
def test_every_event_is_part_of_a_correction_or_has_its_reason(
    acts: list[Act], events: list[LabelEvent]
) -> None:
    found = read(acts, events, exclusive=KINDS)
    halves = sum(len(one.labels) for one in found.corrections)
    assert halves + len(found.others) == len(events)
    assert all(one.reason for one in found.others)
    labels = [label for one in found.corrections for label in one.labels]
    assert len(labels) == len(set(labels))
    assert "docs" not in labels
