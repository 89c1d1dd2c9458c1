"""Who stands behind a label event, and what their word is worth."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.core.provenance import (
    AUTHOR,
    GHOST,
    MAINTAINER,
    TOGETHER,
    WITHIN,
    discount_doubtful,
    in_bulk,
    weight_of,
)
from bot.core.types import ActorKind, LabelEvent

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(
    second: float, label: str = "bug", *, actor: str = "ann", by: ActorKind = "human"
) -> LabelEvent:
    return LabelEvent(label, True, actor, by, START + timedelta(seconds=second))


def spread(issues: int, gap: float, **more: object) -> list[tuple[int, LabelEvent]]:
    return [(n, event(n * gap, **more)) for n in range(issues)]  # type: ignore[arg-type]


def test_many_issues_within_seconds_are_a_mass_relabel() -> None:
    told = spread(TOGETHER, 0.5)
    assert in_bulk(told) == set(told)


def test_the_whole_run_belongs_to_it_and_nothing_beside_it() -> None:
    run = spread(200, 0.9)
    lone = [(1000, event(-3600)), (1001, event(3600))]
    assert in_bulk([*lone, *run]) == set(run)


def test_a_handful_ticked_in_a_list_stays_evidence() -> None:
    assert in_bulk(spread(TOGETHER - 1, 0.0)) == set()


def test_a_person_who_reads_each_issue_is_slower() -> None:
    gap = WITHIN.total_seconds() / (TOGETHER - 1) + 0.01
    assert in_bulk(spread(500, gap)) == set()


def test_many_labels_of_one_issue_are_one_look() -> None:
    told = [(1, event(0, f"label {n}")) for n in range(50)]
    assert in_bulk(told) == set()


def test_a_rename_by_script_takes_one_label_and_puts_another() -> None:
    half = TOGETHER // 2
    told = [(n, event(0, "old")) for n in range(half)]
    told += [(half + n, event(1, "new")) for n in range(half)]
    assert in_bulk(told) == set(told)


def test_many_people_at_once_are_no_mass_relabel() -> None:
    assert in_bulk([(n, event(0, actor=f"person {n}")) for n in range(50)]) == set()


@pytest.mark.parametrize("by", ["us", "bot", "form"])
def test_machines_are_no_evidence_anyway(by: ActorKind) -> None:
    assert in_bulk(spread(50, 0.0, by=by)) == set()


def test_mass_relabels_count_as_a_machines_work() -> None:
    told = {n: [event(0), event(7200, "docs")] for n in range(TOGETHER)}
    told[0].append(event(9000, "docs"))
    told[1] = [event(0)]
    found = discount_doubtful(told)
    assert {e.actor_kind for n in found for e in found[n] if e.label == "bug"} == {"bot"}
    assert {e.actor_kind for n in found for e in found[n] if e.label == "docs"} == {"human"}
    assert [e.at for e in found[0]] == [e.at for e in told[0]]


@pytest.mark.parametrize(
    ("actor", "association", "weight"),
    [
        ("ben", "NONE", MAINTAINER),
        ("ann", "NONE", AUTHOR),
        ("ann", "CONTRIBUTOR", AUTHOR),
        ("ann", "MEMBER", MAINTAINER),
        ("ann", "OWNER", MAINTAINER),
    ],
)
def test_maintainers_weigh_more_than_authors(actor: str, association: str, weight: float) -> None:
    assert weight_of(actor, author="ann", association=association) == weight


def test_what_a_deleted_account_did_counts_like_a_machines_work() -> None:
    told = {1: [event(0, actor=GHOST), event(60, "docs"), event(90, actor="x[bot]", by="bot")]}
    assert [one.actor_kind for one in discount_doubtful(told)[1]] == ["bot", "human", "bot"]
