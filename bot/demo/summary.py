"""What a run showed: precision with its unknown share and worst case, coverage, recall, latency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from typing import Any

import numpy as np
from rich.table import Table

from bot.classify.expectation import Expectation
from bot.core.evidence import known_pairs
from bot.core.measure import Measure, measure, pooled


@dataclass(frozen=True, slots=True)
class Labelled:
    """One arrived issue: what its maintainers set, what we applied, how long it took."""

    number: int
    title: str
    truth: frozenset[str]
    applied: dict[str, float]
    """Label -> probability."""
    suggested: tuple[str, ...]
    seconds: float | None
    """From delivery to label; None where nothing was applied."""
    spaced: bool
    """Whether GitHub's write spacing was in force."""


@dataclass(frozen=True)
class RepositoryResult:
    """One repository's arrivals against the truth of its learnable labels."""

    full_name: str
    promised: float
    labels: tuple[str, ...]
    exclusive: tuple[tuple[str, ...], ...]
    expected: Expectation
    arrivals: tuple[Labelled, ...]

    def measure(self) -> Measure:
        return measure(self._applied(), self._known())

    def per_label(self) -> dict[str, Measure]:
        applied, known = self._applied(), self._known()
        return {
            name: measure(applied[:, [j]], known[:, [j]])
            for j, name in enumerate(self.labels)
            if applied[:, j].any() or (known[:, j] > 0).any()
        }

    def _applied(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        rows = [[name in issue.applied for name in self.labels] for issue in self.arrivals]
        return np.array(rows, dtype=bool).reshape(len(self.arrivals), len(self.labels))

    def _known(self) -> np.ndarray[Any, np.dtype[np.int8]]:
        truths = [issue.truth for issue in self.arrivals]
        return known_pairs(truths, self.labels, exclusive=self.exclusive)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A correction and what came of it."""

    issue: int
    label: str
    seconds: float
    """From the correction to the head that has learned it; the debounce is in it."""
    again: tuple[str, ...]
    """What the same text got, filed once more."""

    @property
    def learned(self) -> bool:
        return self.label not in self.again

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "learned": self.learned}


@dataclass(frozen=True)
class Summary:
    """All repositories of a run."""

    results: tuple[RepositoryResult, ...]
    lesson: Lesson | None = None
    """What a correction taught, where one was made."""

    @property
    def applied(self) -> int:
        return self.pooled().applied

    def pooled(self) -> Measure:
        return pooled([result.measure() for result in self.results])

    def latency(self, *, spaced: bool) -> dict[str, float] | None:
        """Median and 95th percentile of seconds from delivery to label."""
        return latency_of(
            [
                issue.seconds
                for result in self.results
                for issue in result.arrivals
                if issue.seconds is not None and issue.spaced == spaced
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.pooled().as_dict(),
            "promised": sorted({result.promised for result in self.results}),
            "correction": self.lesson.as_dict() if self.lesson else None,
            "latency_seconds": self.latency(spaced=False),
            "latency_seconds_with_write_spacing": self.latency(spaced=True),
            "repositories": {
                result.full_name: {
                    **result.measure().as_dict(),
                    "promised": result.promised,
                    "labels": {name: m.as_dict() for name, m in result.per_label().items()},
                    "muted": result.expected.muted,
                    "expected": result.expected.as_dict(),
                }
                for result in self.results
            },
        }


def latency_of(seconds: Sequence[float]) -> dict[str, float] | None:
    """p50 and p95 of the seconds, None without any."""
    if not seconds:
        return None
    p95 = quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    return {"p50": round(median(seconds), 3), "p95": round(p95, 3)}


def summary_table(summary: Summary) -> Table:
    """A row per repository, and the pooled one where there are several."""
    table = Table(title="What it did, on known pairs")
    columns = ("issues", "applied", "precision", "unknown", "worst case", "coverage", "recall")
    table.add_column("repository")
    for column in columns:
        table.add_column(column, justify="right")
    for result in summary.results:
        table.add_row(
            f"{result.full_name} (promised {result.promised:.2f})", *_cells(result.measure())
        )
    if len(summary.results) > 1:
        table.add_row("all together", *_cells(summary.pooled()), style="bold")
    return table


def label_table(result: RepositoryResult) -> Table:
    """A row per label: what was applied, how often right; muted labels with the reason."""
    table = Table(title=f"Label by label, {result.full_name}")
    for column in ("label", "applied", "right", "wrong", "unknown", "recall", "muted because"):
        table.add_column(
            column, justify="left" if column in ("label", "muted because") else "right"
        )
    for name, found in sorted(result.per_label().items(), key=lambda item: -item[1].applied):
        table.add_row(
            name,
            str(found.applied),
            str(found.right),
            str(found.wrong),
            str(found.unknown),
            _percent(found.label_recall),
            result.expected.muted.get(name, ""),
        )
    return table


def latency_line(summary: Summary) -> str:
    """Seconds from delivery to label, without and with GitHub's write spacing."""
    parts = []
    for words, spaced in (("without write spacing", False), ("with 1 s write spacing", True)):
        found = summary.latency(spaced=spaced)
        parts.append(
            f"{words}: " + (f"p50 {found['p50']:.2f} s, p95 {found['p95']:.2f} s" if found else "-")
        )
    return "Delivery to label, " + "; ".join(parts)


def _cells(found: Measure) -> tuple[str, ...]:
    rates = (
        found.precision,
        found.unknown_share,
        found.worst_case,
        found.coverage,
        found.label_recall,
    )
    return (str(found.issues), str(found.applied), *map(_percent, rates))


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def lesson_line(lesson: Lesson) -> str:
    """What is said about it."""
    got = ", ".join(lesson.again) or "no label"
    return (
        f"A maintainer took {lesson.label!r} off #{lesson.issue}; {lesson.seconds:.1f} s later a head "
        f"that had learned it served. The same text, filed once more: {got}."
    )
