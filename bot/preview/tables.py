"""Tables of the report. The first column names the row; numbers stand to the right."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from bot.core.measure import Measure
from bot.preview.html import Html, join, link, tag
from bot.preview.report import LabelRow, SuspectRow

Row: TypeAlias = tuple[str, ...]
"""Cells; a cell is plain text or `Html`."""

_NUMBER = re.compile(r"-|[\d.]+%?")

MEASURES = (
    "issues",
    "applied",
    "right",
    "wrong",
    "unknown",
    "precision",
    "worst case",
    "coverage",
    "label recall",
)


def table(caption: str, columns: Sequence[str], rows: Sequence[Row]) -> Html:
    head = tag("tr", *(tag("th", name, scope="col") for name in columns))
    body = [
        tag("tr", tag("th", row[0], scope="row"), *(_cell(cell) for cell in row[1:]))
        for row in rows
    ]
    content = tag("table", tag("caption", caption), tag("thead", head), tag("tbody", *body))
    return tag("div", content, class_="wide", tabindex="0", role="region", aria_label=caption)


def measures_table(caption: str, first: str, rows: Sequence[tuple[str, Measure]]) -> Html:
    cells: list[Row] = [(name, *_measured(found)) for name, found in rows]
    return table(caption, (first, *MEASURES), cells)


def labels_table(rows: Sequence[LabelRow]) -> Html:
    cells: list[Row] = [
        (
            row.label,
            str(row.measure.positives),
            str(row.measure.applied),
            str(row.measure.right),
            str(row.measure.wrong),
            str(row.measure.unknown),
            percent(row.measure.precision),
            percent(row.measure.worst_case),
            percent(row.measure.coverage),
            percent(row.measure.label_recall),
            str(row.suggested),
        )
        for row in rows
    ]
    columns = (
        "label", "humans set", "applied", "right", "wrong", "unknown", "precision", "worst case", "coverage",
        "recall", "suggested",
    )  # fmt: skip
    return table("Newest 30% of the issues", columns, cells)


def suspects_table(rows: Sequence[SuspectRow]) -> Html:
    cells: list[Row] = [
        (
            join(link(f"#{row.number} {row.title}" if row.number else row.title, row.link)),
            row.label,
            "was set, looks wrong" if row.was_set else "was not set, looks forgotten",
            f"{row.confidence:.2f}",
        )
        for row in rows
    ]
    columns = ("issue", "label", "what", "how likely what people said is")
    return table("Worst first", columns, cells)


def percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _measured(found: Measure) -> tuple[str, ...]:
    counts = (found.issues, found.applied, found.right, found.wrong, found.unknown)
    rates = (found.precision, found.worst_case, found.coverage, found.label_recall)
    return (*map(str, counts), *map(percent, rates))


def _cell(cell: str) -> Html:
    return tag("td", cell, class_="n" if _NUMBER.fullmatch(cell) else None)
