"""Plots as SVG text, made by hand: no plotting library is needed to read a report. Every text is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 460, 300
LEFT, TOP, RIGHT, BOTTOM = 56, 30, 24, 42
COLOURS = {
    "champion": "#1f77b4",
    "challenger": "#d62728",
    "twin": "#2ca02c",
    "zero-shot": "#7f7f7f",
}
Point = tuple[float, float]


def curve_plot(curves: Mapping[str, Sequence[Point]], *, target: float) -> str:
    """Precision against coverage, a line per contender, the promise dashed."""
    plot = _Plot("Precision at coverage", "coverage", "precision", x=(0, 1), y=(0.4, 1))
    plot.line([(0, target), (1, target)], "#999", dashed=True)
    for name, points in curves.items():
        plot.line(points, COLOURS[name])
    plot.legend(list(curves))
    return plot.done()


def calibration_plot(bins: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """What was right against what was said, a line per contender, the ideal dashed."""
    plot = _Plot("Calibration", "said", "was right", x=(0, 1), y=(0, 1))
    plot.line([(0, 0), (1, 1)], "#999", dashed=True)
    for name, found in bins.items():
        points = [(one["said"], one["was"]) for one in found]
        plot.line(points, COLOURS[name])
        plot.dots(points, COLOURS[name])
    plot.legend(list(bins), at_top=True)
    return plot.done()


def difference_plot(rows: Mapping[str, tuple[float, float, float]]) -> str:
    """Challenger minus champion with its interval, (low, value, high), a row each."""
    span = max([0.05, *(abs(end) for low, _, high in rows.values() for end in (low, high))]) * 1.1
    plot = _Plot(
        "Challenger minus champion, 95%",
        "difference",
        "",
        x=(-span, span),
        y=(0, len(rows)),
        height=80 + 26 * len(rows),
        left=170,
        ticks=False,
    )
    plot.line([(0, 0), (0, len(rows))], "#999", dashed=True)
    for place, (name, (low, value, high)) in enumerate(rows.items()):
        at = len(rows) - place - 0.5
        plot.line([(low, at), (high, at)], COLOURS["challenger"])
        plot.dots([(value, at)], COLOURS["challenger"])
        plot.name(name, at)
    return plot.done()


class _Plot:
    """An SVG that grows by what is drawn on it."""

    def __init__(
        self,
        title: str,
        across: str,
        up: str,
        *,
        x: Point,
        y: Point,
        height: int = HEIGHT,
        left: int = LEFT,
        ticks: bool = True,
    ) -> None:
        self._x, self._y, self._height, self._left = x, y, height, left
        self._parts = [_text(title, self._left, 16, size=12)]
        bottom = height - BOTTOM
        self._parts.append(
            f'<path d="M{left} {TOP}V{bottom}H{WIDTH - RIGHT}" fill="none" stroke="#333"/>'
        )
        self._parts.append(_text(across, (left + WIDTH) / 2, height - 8, anchor="middle"))
        self._parts.append(_text(up, 4, TOP - 8))
        for share in (0, 0.25, 0.5, 0.75, 1):
            value = x[0] + share * (x[1] - x[0])
            at, _ = self._at((value, y[0]))
            self._parts.append(_text(f"{value:.3g}", at, bottom + 16, anchor="middle"))
            if ticks:
                value = y[0] + share * (y[1] - y[0])
                _, at = self._at((x[0], value))
                self._parts.append(_text(f"{value:.3g}", left - 6, at + 4, anchor="end"))

    def line(self, points: Sequence[Point], colour: str, *, dashed: bool = False) -> None:
        if not points:
            return
        at = " ".join("{:.1f},{:.1f}".format(*self._at(point)) for point in points)
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self._parts.append(
            f'<polyline points="{at}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>'
        )

    def dots(self, points: Sequence[Point], colour: str) -> None:
        for point in points:
            x, y = self._at(point)
            self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')

    def legend(self, names: Sequence[str], *, at_top: bool = False) -> None:
        """In the corner where these curves are not: top left, or bottom right."""
        start = TOP + 14 if at_top else self._height - BOTTOM - 15 * len(names)
        x, anchor = (self._left + 10, "start") if at_top else (WIDTH - RIGHT - 10, "end")
        for place, name in enumerate(names):
            y = start + 15 * place
            self._parts.append(_text(name, x, y, anchor=anchor, colour=COLOURS[name]))

    def name(self, name: str, at: float) -> None:
        short = name if len(name) <= 26 else f"{name[:25]}…"
        self._parts.append(_text(short, self._left - 6, self._at((0, at))[1] + 4, anchor="end"))

    def done(self) -> str:
        inside = "\n".join(self._parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self._height}" '
            f'width="{WIDTH}" height="{self._height}" role="img" font-family="sans-serif">\n'
            f'<rect width="100%" height="100%" fill="#fff"/>\n{inside}\n</svg>\n'
        )

    def _at(self, point: Point) -> Point:
        """Where a point lies, what is outside drawn at the edge."""
        x, y = (
            min(1.0, max(0.0, (value - low) / (high - low)))
            for value, (low, high) in zip(point, (self._x, self._y), strict=True)
        )
        across, up = WIDTH - RIGHT - self._left, self._height - BOTTOM - TOP
        return self._left + x * across, self._height - BOTTOM - y * up


def _text(
    text: str, x: float, y: float, *, size: int = 11, anchor: str = "start", colour: str = "#333"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
        f'fill="{colour}">{escape(text)}</text>'
    )
