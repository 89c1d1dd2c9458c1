"""The summary of a run: known pairs only, the unknown beside them, latency by kind."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from bot.classify.expectation import Expectation, LabelExpectation
from bot.demo.lesson import _first_wrong
from bot.demo.scenario import Scenario
from bot.demo.summary import (
    Labelled,
    Lesson,
    RepositoryResult,
    Summary,
    label_table,
    latency_line,
    latency_of,
    lesson_line,
    summary_table,
)
from bot.issues_file import FiledIssue

LABELS = ("bug", "feature", "area: cli")


def expected() -> Expectation:
    muted = LabelExpectation("feature", 9, 2, 0, 0, 0, 9, None, "too little is known of it")
    return Expectation(0.9, 0.05, 40, 0.95, 0.9, 0.1, 0.85, 0.5, 0.4, (muted,))


def arrival(number: int, truth: set[str], applied: dict[str, float], **more: Any) -> Labelled:
    told = {"suggested": (), "seconds": 0.5 if applied else None, "spaced": False, **more}
    return Labelled(number, f"Issue {number}", frozenset(truth), applied, **told)


def result(*arrivals: Labelled, full_name: str = "acme/widget") -> RepositoryResult:
    return RepositoryResult(full_name, 0.9, LABELS, (("bug", "feature"),), expected(), arrivals)


def test_right_wrong_and_unknown_are_told_apart() -> None:
    found = result(
        arrival(1, {"bug"}, {"bug": 0.9}),
        arrival(2, {"feature"}, {"bug": 0.8}),  # wrong: the other one of its group was set
        arrival(3, set(), {"bug": 0.8}),  # nobody labelled it: unknown, not wrong
        arrival(4, {"area: cli"}, {}),
    ).measure()
    assert (found.right, found.wrong, found.unknown) == (1, 1, 1)
    assert (found.issues, found.covered, found.positives) == (4, 3, 3)
    assert (found.precision, found.worst_case) == (0.5, pytest.approx(1 / 3))


def test_labels_outside_the_learnable_ones_do_not_count() -> None:
    found = result(arrival(1, {"bug", "stale"}, {"bug": 0.9, "stale": 1.0})).measure()
    assert (found.applied, found.positives) == (1, 1)


def test_only_labels_that_occur_have_a_row() -> None:
    rows = result(arrival(1, {"bug"}, {"bug": 0.9}), arrival(2, {"feature"}, {})).per_label()
    assert set(rows) == {"bug", "feature"}
    assert rows["feature"].label_recall == 0.0


def test_repositories_are_pooled_by_counts() -> None:
    one = result(arrival(1, {"bug"}, {"bug": 0.9}), arrival(2, {"bug"}, {"bug": 0.9}))
    two = result(arrival(1, {"feature"}, {"bug": 0.9}), full_name="acme/other")
    pooled = Summary((one, two)).pooled()
    assert (pooled.right, pooled.wrong, pooled.issues) == (2, 1, 3)
    assert Summary((one, two)).applied == 3


def test_latency_with_and_without_spacing_is_kept_apart() -> None:
    summary = Summary((result(
        arrival(1, {"bug"}, {"bug": 0.9}, seconds=0.2),
        arrival(2, {"bug"}, {"bug": 0.9}, seconds=0.4),
        arrival(3, {"bug"}, {"bug": 0.9}, seconds=3.0, spaced=True),
        arrival(4, {"bug"}, {}),
    ),))  # fmt: skip
    assert summary.latency(spaced=False) == {"p50": 0.3, "p95": 0.39}
    assert summary.latency(spaced=True) == {"p50": 3.0, "p95": 3.0}
    assert "p50 0.30 s" in latency_line(summary)
    assert "p50 3.00 s" in latency_line(summary)


def test_no_latency_without_a_label() -> None:
    assert latency_of([]) is None
    assert latency_line(Summary((result(),))).count("-") == 2


def test_the_json_line_holds_what_was_promised_and_got() -> None:
    summary = Summary((result(arrival(1, {"bug"}, {"bug": 0.9})),))
    told = json.loads(json.dumps(summary.as_dict()))
    assert told["promised"] == [0.9]
    assert {"precision", "unknown_share", "worst_case", "coverage", "label_recall"} <= set(told)
    row = told["repositories"]["acme/widget"]
    assert row["labels"]["bug"]["precision"] == 1.0
    assert row["muted"] == {"feature": "too little is known of it"}
    assert row["expected"]["target"] == 0.9


def test_nothing_arrived_is_no_division_by_zero() -> None:
    told = Summary((result(),)).as_dict()
    assert (told["precision"], told["coverage"], told["issues"]) == (None, None, 0)


def printed(*tables: object) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(*tables)
    return out.getvalue()


def test_the_tables_show_rates_and_reasons() -> None:
    one = result(arrival(1, {"bug"}, {"bug": 0.9}), arrival(2, {"feature"}, {}))
    shown = printed(summary_table(Summary((one,))), label_table(one))
    assert "acme/widget (promised 0.90)" in shown
    assert "100.0%" in shown
    assert "too little is known of it" in shown
    assert "all together" not in shown


def test_several_repositories_have_a_pooled_row() -> None:
    shown = printed(summary_table(Summary((result(), result(full_name="acme/other")))))
    assert "all together" in shown


def test_a_correction_is_told_with_what_came_of_it() -> None:
    lesson = Lesson(issue=7, label="bug", seconds=6.24, again=("docs",))
    assert lesson.learned
    assert not Lesson(7, "bug", 6.0, ("bug",)).learned
    assert Summary((result(),), lesson).as_dict()["correction"]["learned"] is True
    assert lesson_line(lesson).endswith("filed once more: docs.")
    assert "no label" in lesson_line(Lesson(7, "bug", 6.0, ()))


def test_the_first_wrong_label_is_corrected_and_unlabelled_issues_prove_none() -> None:
    filed = [
        FiledIssue("acme/widget", n, f"issue {n}", "", (), None, None, "ada", "NONE")
        for n in (1, 2, 3)
    ]
    arrivals = (
        arrival(1, set(), {"bug": 0.9}),
        arrival(2, {"docs"}, {"docs": 0.9}),
        arrival(3, {"docs"}, {"bug": 0.9, "docs": 0.9}),
    )
    scenario = Scenario("acme/widget", (), (), tuple(filed))
    assert _first_wrong(scenario, result(*arrivals)) == (3, "bug", filed[2])
    two = Scenario("acme/widget", (), (), tuple(filed[:2]))
    assert _first_wrong(two, result(*arrivals[:2])) is None
