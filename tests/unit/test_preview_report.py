"""The figures of a preview: what is counted, which promise fits, and what poor histories get to hear."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bot.core.measure import Measure
from bot.core.rules import parse_rules
from bot.preview.ledger import keep_ledger
from bot.preview.page import render
from bot.preview.past import Past, PastIssue
from bot.preview.report import Report, draw_up
from bot.preview.rewind import RefitPolicy, fit_at, rewind
from bot.preview.starter import starter_rules
from bot.preview.targets import Kept, fitting
from tests.unit.preview_past import issue, ordinary, past_of, record_of, scene_of

TARGETS = (0.9, 0.6)


def report_of(issues: Sequence[PastIssue], *, promise: float | None = None, **more: Any) -> Report:
    past = past_of(issues, **more)
    scene, record = scene_of(issues), record_of(issues, until=past.now)
    policy = RefitPolicy(issues=25)
    stream = list(rewind(scene, record, targets=TARGETS, policy=policy))
    today = fit_at(scene, record, past.now, rows=len(issues), targets=TARGETS)
    refits = list({d.refit.number: d.refit for d in stream if d.refit}.values())
    ledger = keep_ledger(past, scene, record, stream, TARGETS)
    return draw_up(past, ledger, refits=refits, today=today, promise=promise)


@pytest.fixture(scope="module")
def report() -> Report:
    return report_of(ordinary(140), promise=0.6)


def test_the_newest_issues_are_measured_against_the_promise(report: Report) -> None:
    found = report.promise.measure
    assert report.promise.target == 0.6
    assert found.issues == 42
    assert found.applied > 20
    assert report.promise.holds
    assert report.whole.measure.issues == 140
    assert report.whole.measure.applied >= found.applied


def test_labels_add_up(report: Report) -> None:
    applied = sum(row.measure.applied for row in report.labels)
    assert applied == report.promise.measure.applied
    assert {row.label for row in report.labels} == {"bug", "docs", "feature"}


def test_the_curve_falls_in_coverage_as_the_threshold_rises(report: Report) -> None:
    thresholds = [point.threshold for point in report.curve]
    coverages = [point.coverage for point in report.curve]
    assert thresholds == sorted(thresholds, reverse=True)
    assert coverages == sorted(coverages)
    assert all(point.worst_case <= point.precision for point in report.curve)


def test_periods_cover_every_issue_once(report: Report) -> None:
    assert sum(period.measure.issues for period in report.over_time) == 140


def test_the_last_fifty_with_links_and_verdicts(report: Report) -> None:
    assert [one.number for one in report.last_issues] == list(range(140, 90, -1))
    assert report.last_issues[0].link == "https://github.com/acme/widget/issues/140"
    verdicts = [v for one in report.last_issues for v in one.applied.values()]
    assert verdicts
    assert set(verdicts) <= {"right", "wrong", "unknown"}
    right = [one for one in report.last_issues if "right" in one.applied.values()]
    assert all(set(one.humans) & one.applied.keys() for one in right)


def test_a_planted_error_is_suspicious_and_measured_as_wrong() -> None:
    issues = ordinary(140)
    liar = issue(130, "docs")
    issues[130] = replace(issue(129, "bug"), number=131, created_at=liar.created_at,
                          labels=liar.labels, events=liar.events)  # fmt: skip
    found = report_of(issues, promise=0.6)
    assert 131 in {row.number for row in found.suspects[:3]}


def test_text_that_may_be_edited_is_measured_apart() -> None:
    issues = ordinary(140)
    issues[120:] = [replace(one, as_filed=False) for one in issues[120:]]
    found = report_of(issues)
    assert {name: m.issues for name, m in found.by_text.items()} == {
        "as filed": 22,
        "perhaps edited since": 20,
    }
    assert (found.sources.as_filed, found.sources.perhaps_edited) == (120, 20)


def test_times_of_labels_are_counted() -> None:
    assert report_of(ordinary(60, timed=False)).sources.labels_with_time == 0
    assert report_of(ordinary(60)).sources.labels_with_time == 60


def test_json_holds_it_all(report: Report) -> None:
    told = json.loads(json.dumps(report.as_dict()))
    assert told["promise"]["precision"] == report.promise.measure.precision
    assert told["labels"][0]["worst_case"] == report.labels[0].measure.worst_case
    assert len(told["last_issues"]) == 50
    assert told["over_time"][-1]["measure"]["coverage"] is not None
    assert told["format"] == 1


# -- which promise fits -------------------------------------------------------------------------------


def came(target: float, *, covered: int, right: int, wrong: int) -> Kept:
    return Kept(target, Measure(100, covered, right, wrong, 0, 120))


@pytest.mark.parametrize(
    ("found", "fits"),
    [
        ([came(0.95, covered=5, right=5, wrong=0), came(0.9, covered=60, right=57, wrong=3)], 0.9),
        ([came(0.95, covered=50, right=49, wrong=1), came(0.9, covered=60, right=57, wrong=3)], 0.95),
        ([came(0.9, covered=60, right=40, wrong=20), came(0.8, covered=65, right=55, wrong=10)], 0.8),
        ([came(0.9, covered=10, right=10, wrong=0), came(0.8, covered=15, right=15, wrong=0)], None),
        ([came(0.9, covered=0, right=0, wrong=0)], None),
        ([], None),
    ],
)  # fmt: skip
def test_the_highest_promise_that_held_and_is_useful(found: list[Kept], fits: float | None) -> None:
    assert fitting(found) == fits


def test_a_promise_that_nobody_could_check_does_not_fit() -> None:
    unseen = Kept(0.9, Measure(100, 60, right=20, wrong=1, unknown=40, positives=50))
    assert unseen.holds
    assert fitting([unseen]) is None


# -- a rules file to start with -----------------------------------------------------------------------


def test_the_rules_can_be_used(report: Report) -> None:
    rules = parse_rules(report.rules)
    assert rules.mode == ("apply" if report.fitting else "suggest")
    assert rules.precision == (report.fitting or 0.9)


HOSTILE = (
    "x\nmode: apply",
    "a\u2028b",
    "\x85 y",
    "# z",
    "&a *b",
    "💥",
    "\x00",
    "\x7f",
    "'\"",
    "x" * 300,
)


@pytest.mark.parametrize("name", HOSTILE)
def test_no_label_can_write_rules(name: str) -> None:
    text = starter_rules(f"a/{name}", target=None, muted={name: f"because {name}"}, reason=name)
    rules = parse_rules(text)
    assert rules.mode == "suggest"
    assert rules.labels == {}
    assert "because" in text or len(name) > 200


# -- poor histories -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "issues",
    [
        pytest.param(ordinary(50), id="fifty issues"),
        pytest.param([issue(row, None) for row in range(60)], id="no labels"),
        pytest.param([issue(row, "bug") for row in range(60)], id="one label"),
        pytest.param(ordinary(3), id="three issues"),
        pytest.param(ordinary(1), id="one issue"),
    ],
)
def test_poor_histories_still_get_a_report(issues: list[PastIssue]) -> None:
    found = report_of(issues)
    assert found.promise.measure.issues > 0
    assert found.promise.measure.wrong == 0
    assert "<h1>" in render(found)
    parse_rules(found.rules)
    json.dumps(found.as_dict())


def test_without_issues_there_is_nothing_to_preview() -> None:
    past = Past("a/b", (), now=past_of([]).now, settling=past_of([]).settling)
    assert past.link(1) == ""
