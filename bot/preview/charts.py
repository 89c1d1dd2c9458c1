"""Charts as inline SVG: no script, colours from the page's style, and a title for who cannot see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.preview.html import Html, join, tag

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 52, 16, 16, 44


@dataclass(frozen=True, slots=True)
class Line:
    """A curve through (x, y), both in [0, 1] of the axes; None breaks it."""

    name: str
    points: Sequence[tuple[float, float | None]]
    style: str
    """CSS class."""
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """One named point."""

    x: float
    y: float
    text: str


def chart(
    title: str,
    lines: Sequence[Line],
    *,
    x_name: str,
    x_ticks: Sequence[tuple[float, str]],
    floor: float = 0.0,
    level: float | None = None,
    marks: Sequence[Mark] = (),
) -> Html:
    """Shares over something. The y axis runs from `floor` to 1; `level` is a dashed line across."""
    content = [
        tag("title", title),
        _axes(x_name, x_ticks, floor=floor),
        *([_level(level, floor=floor)] if level is not None else []),
        *(_line(line, floor=floor) for line in lines),
        *(_mark(mark, floor=floor, below=bool(turn % 2)) for turn, mark in enumerate(marks)),
    ]
    svg = tag("svg", *content, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=title)
    return tag("figure", svg, _legend(lines))


def _x(share: float) -> float:
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(value: float, *, floor: float) -> float:
    share = (max(value, floor) - floor) / (1 - floor)
    return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _axes(x_name: str, x_ticks: Sequence[tuple[float, str]], *, floor: float) -> Html:
    ys = [floor + (1 - floor) * step / 5 for step in range(6)]
    rows = [
        join(
            tag(
                "line",
                x1=LEFT,
                x2=WIDTH - RIGHT,
                y1=(at := _y(y, floor=floor)),
                y2=at,
                class_="grid",
            ),
            tag("text", f"{y:.0%}", x=LEFT - 6, y=at + 4, text_anchor="end"),
        )
        for y in ys
    ]
    columns = [
        tag("text", text, x=_x(x), y=HEIGHT - BOTTOM + 18, text_anchor="middle")
        for x, text in x_ticks
    ]
    name = tag("text", x_name, x=_x(0.5), y=HEIGHT - 6, text_anchor="middle")
    return join(*rows, *columns, name)


def _level(level: float, *, floor: float) -> Html:
    at = _y(level, floor=floor)
    return tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_="level")


def _line(line: Line, *, floor: float) -> Html:
    parts: list[list[str]] = [[]]
    for x, y in line.points:
        if y is None:
            parts.append([])
        else:
            parts[-1].append(f"{_x(x)},{_y(y, floor=floor)}")
    drawn = [
        tag("polyline", points=" ".join(part), class_=f"curve {line.style}")
        for part in parts
        if len(part) > 1
    ]
    dots = [
        tag("circle", cx=_x(x), cy=_y(y, floor=floor), r=3, class_=f"dot {line.style}")
        for x, y in line.points
        if y is not None and line.dots
    ]
    return join(*drawn, *dots)


def _mark(mark: Mark, *, floor: float, below: bool) -> Html:
    """Names stand above and below by turns, so that neighbours can be told apart."""
    x, y = _x(mark.x), _y(mark.y, floor=floor)
    name = tag("text", mark.text, x=x, y=y + (22 if below else -12), text_anchor="middle")
    return join(tag("circle", cx=x, cy=y, r=5, class_="mark"), name)


def _legend(lines: Sequence[Line]) -> Html:
    keys = [
        tag("span", tag("span", "", class_=f"key {line.style}", aria_hidden="true"), line.name)
        for line in lines
    ]
    return tag("figcaption", *keys)
