"""The figures of `benchmarks.learning` for the eye: tables in a terminal, plots on a page of its own."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.learning_log import WATCHING
from bot.preview.charts import Line, chart
from bot.preview.html import Html, join, tag

STYLES = {"fast": ("with the fast loop", "one"), "frozen": ("never refitted", "two")}


def show(console: Console, rows: Sequence[dict[str, Any]]) -> None:
    console.print(_promise(rows), _repeats(rows), _lessons(rows))
    for row in rows:
        if "seconds" in row:
            console.print(f"{row['set']}: seconds", row["seconds"], "refits", dict(row["refits"]))
            console.print("corrections", row["corrections"], "refused", row["refused"])


def _promise(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(
        "set", "habits", "head", "precision", "known", "unknown", "worst", "coverage", "recall"
    )
    for row in rows:
        for who in WATCHING:
            m = row["measures"][who]
            rates = [m[x] for x in ("unknown_share", "worst_case", "coverage", "label_recall")]
            known = str(m["right"] + m["wrong"])
            table.add_row(
                row["set"], row["habits"], who, _rate(m["precision"]), known, *map(_rate, rates)
            )
    return table


def _repeats(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(
        "set", "habits", "near", "mistake", "pairs", *WATCHING, "spared", "spoiled", "fast / slow"
    )
    for row in rows:
        for near, kinds in row["repeated"].items():
            for kind, n in kinds.items():
                counts = [str(n[x]) for x in ("pairs", *WATCHING, "spared", "spoiled")]
                part = _rate(n["fast"] / n["slow"] if n["slow"] else None)
                table.add_row(row["set"], row["habits"], near, kind, *counts, part)
    return table


def _lessons(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table("set", "habits", "corrections", "kind", "n", "right", "never applies", "coverage")
    for row in rows:
        for kind, n in row["corrected_right"].items():
            table.add_row(
                row["set"], row["habits"], "after their refit", kind, str(n["n"]), _part(n), "", ""
            )
        for when in ("past", "past_by_whole_fits"):
            past = row[when]
            for kind, n in past.get("by_kind", {}).items():
                never = str(n["never"])
                cells = (kind, str(n["n"]), _part(n), never, _rate(past.get("coverage")))
                name = f"out of sample, {'end' if when == 'past' else 'whole fits'}"
                table.add_row(row["set"], row["habits"], name, *cells)
    return table


def _part(n: dict[str, int]) -> str:
    return f"{n['right']} ({n['right'] / n['n']:.1%})" if n["n"] else "0"


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def page(rows: Sequence[dict[str, Any]], *, target: float) -> str:
    """Precision and coverage over time, replay by replay; nothing is fetched from anywhere."""
    style = Html(files("bot.preview").joinpath("style.css").read_text(encoding="utf-8"))
    head = tag("head", tag("meta", charset="utf-8"), tag("title", "Learning"), tag("style", style))
    body = tag("body", tag("h1", "Learning from corrections"), *(_section(r, target) for r in rows))
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _section(row: dict[str, Any], target: float) -> Html:
    name = f"{row['set']}, corrects {row['habits']}"
    charts = [
        chart(
            f"{what} of {name}",
            [_line(row, who, what) for who in STYLES],
            x_name="issues that arrived, 100 a point",
            x_ticks=[(part, f"{part * row['arrived']:.0f}") for part in (0, 0.25, 0.5, 0.75, 1)],
            floor=floor,
            level=level,
        )
        for what, floor, level in (("precision", 0.5, target), ("coverage", 0.0, None))
    ]
    return join(tag("h2", name), *charts)


def _line(row: dict[str, Any], who: str, what: str) -> Line:
    name, style = STYLES[who]
    points = [(at["until"] / row["arrived"], at[what]) for at in row["over_time"][who]]
    return Line(f"{what} {name}", points, style, dots=True)
