"""The two charts of the report, each with its numbers as a table for who prefers those."""

from __future__ import annotations

from bot.preview.charts import Line, Mark, chart
from bot.preview.html import Html, join, tag
from bot.preview.report import Report
from bot.preview.tables import Row, percent, table

SHARES = tuple((step / 4, f"{step / 4:.0%}") for step in range(5))


def curve_chart(report: Report) -> Html:
    """Precision and worst case against coverage, with the promises marked."""
    if not report.curve:
        return tag("p", "Too few known labels to draw it.")
    points = report.curve
    lowest = min([p.worst_case for p in points] + [0.5])
    drawn = chart(
        "Precision and worst case against coverage, all labels applied from one probability up",
        [
            Line("precision", [(p.coverage, p.precision) for p in points], "one"),
            Line("worst case", [(p.coverage, p.worst_case) for p in points], "two"),
        ],
        x_name="coverage: issues that get a label",
        x_ticks=SHARES,
        floor=int(lowest * 10) / 10,
        level=report.promise.target,
        marks=_marks(report),
    )
    rows: list[Row] = [
        (
            f"{p.threshold:.2f}",
            percent(p.coverage),
            percent(p.precision),
            percent(p.worst_case),
            str(p.known),
        )
        for p in points
    ]
    columns = ("probability from", "coverage", "precision", "worst case", "known labels")
    return join(
        tag(
            "p",
            "The newest 30%: all labels applied from one probability up. Dots: what the bot's own cuts give at "
            "each promise. The dashed line is the promise.",
        ),
        drawn,
        _numbers(table("The curve in numbers", columns, rows)),
    )


def _marks(report: Report) -> list[Mark]:
    """One dot where several promises meet."""
    at: dict[tuple[float, float], list[str]] = {}
    for kept in report.targets:
        found = kept.measure
        if found.precision is not None and found.coverage is not None:
            at.setdefault((found.coverage, found.precision), []).append(f"{kept.target:.0%}")
    return [Mark(x, y, ", ".join(names)) for (x, y), names in at.items()]


def time_chart(report: Report) -> Html:
    """Precision and coverage of equally large stretches of the history."""
    periods = report.over_time
    if len(periods) < 2:
        return tag("p", "Too few issues to draw it.")
    last = len(periods) - 1
    drawn = chart(
        "Precision and coverage over time",
        [
            Line(
                "precision",
                [(i / last, p.measure.precision) for i, p in enumerate(periods)],
                "one",
                dots=True,
            ),
            Line(
                "coverage",
                [(i / last, p.measure.coverage) for i, p in enumerate(periods)],
                "two",
                dots=True,
            ),
        ],
        x_name="equally many issues each, oldest first",
        x_ticks=[
            (i / last, f"{p.last:%Y-%m}" if report.dated else str(i + 1))
            for i, p in enumerate(periods)
            if i % (len(periods) // 6 + 1) == 0
        ],
        level=report.promise.target,
    )
    rows: list[Row] = [
        (
            f"{p.first:%Y-%m-%d} to {p.last:%Y-%m-%d}" if report.dated else f"part {i + 1}",
            str(p.measure.issues),
            percent(p.measure.precision),
            percent(p.measure.worst_case),
            percent(p.measure.coverage),
        )
        for i, p in enumerate(periods)
    ]
    columns = ("time", "issues", "precision", "worst case", "coverage")
    return join(drawn, _numbers(table("The same in numbers", columns, rows)))


def _numbers(content: Html) -> Html:
    return tag("details", tag("summary", "In numbers"), content)
