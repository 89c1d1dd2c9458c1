"""Repositories as they were found, from the store or from files, before they are cut: values and evidence.

Refuses to let a label that a machine set count for anything; it is written down as what it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bot.core.evidence import KnownPairs, by_people, known_row
from bot.core.families import families_of, infer_exclusive
from bot.core.provenance import weight_of
from bot.core.rules import Rules, learnable
from bot.core.text import issue_text
from bot.core.types import IssueText, LabelEvent, LabelSpec
from bot.issues_file import FiledIssue, read_issues
from training.snapshot.read import Provenance


@dataclass(frozen=True, slots=True)
class GatheredIssue:
    """An issue with all that is known of its labels."""

    number: int
    text: IssueText
    as_filed: bool
    created_at: datetime | None
    author: str
    author_association: str
    labels: frozenset[str]
    events: Sequence[LabelEvent]
    settled: bool = True
    unbiased: bool = True
    """We could not have shaped what humans did here: history, or the silent share."""
    store_id: int | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A correction: what a human answered to a decision of ours, on the issue with this store id."""

    store_id: int
    kind: str
    removed: str | None
    added: str | None
    weight: float
    at: datetime


@dataclass(frozen=True, slots=True)
class Gathered:
    """A repository: its issues in the order of filing, all its labels, its rules."""

    name: str
    source: str
    issues: tuple[GatheredIssue, ...]
    labels: tuple[LabelSpec, ...]
    rules: Rules
    ordered_by: Literal["time", "number", "file"] = "time"
    corrections: tuple[Answered, ...] = ()

    @property
    def learnable(self) -> tuple[LabelSpec, ...]:
        return tuple(label for label in self.labels if learnable(label.name, self.rules))

    @property
    def families(self) -> dict[str, str]:
        found = families_of([label.name for label in self.learnable])
        return {name: self.rules.family_of(name) or family for name, family in found.items()}

    @property
    def exclusive(self) -> tuple[tuple[str, ...], ...]:
        people = [by_people(issue.labels, issue.events) for issue in self.issues]
        return infer_exclusive(people, [label.name for label in self.learnable], self.rules)

    def known(self) -> KnownPairs:
        """[issues, learnable labels]: +1, -1, 0."""
        names, families, exclusive = (
            [label.name for label in self.learnable],
            self.families,
            self.exclusive,
        )
        rows = [
            known_row(
                names,
                current=issue.labels,
                events=issue.events,
                families=families,
                exclusive=exclusive,
                settled=issue.settled,
            )
            for issue in self.issues
        ]
        return np.array(rows, dtype=np.int8).reshape(len(rows), len(names))


def pairs_of(issue: GatheredIssue, names: Sequence[str], known: KnownPairs) -> Iterator[Any]:
    """(label, value, provenance, weight) of the pairs of one issue: the known ones, and those on it that
    only a machine spoke for."""
    latest = {event.label: event for event in sorted(issue.events, key=lambda event: event.at)}
    chosen = {name for name, value in zip(names, known, strict=True) if value > 0}
    seen = any(name in latest for name in chosen)
    for name, value in zip(names, known.tolist(), strict=True):
        event = latest.get(name)
        if value and event is not None and event.actor_kind == "human":
            weight = weight_of(
                event.actor, author=issue.author, association=issue.author_association
            )
            yield name, value, "human", weight
        elif value:
            # A label that is absent was ruled out by whoever set its siblings.
            provenance: Provenance = "human" if value < 0 and seen else "history"
            yield name, value, provenance, 1.0
        elif event is not None and name in issue.labels:
            yield name, 0, event.actor_kind, 0.0


def gather_files(paths: Sequence[Path]) -> list[Gathered]:
    """The repositories of some files, by name; an issue that stands in several counts once.

    Raises:
        UserError: a file cannot be read, a line is not an issue, or a file has none.
    """
    found: dict[str, list[FiledIssue]] = {}
    sources: dict[str, list[str]] = {}
    for path in paths:
        for issue in read_issues(path):
            found.setdefault(issue.repo, []).append(issue)
            if path.name not in sources.setdefault(issue.repo, []):
                sources[issue.repo].append(path.name)
    return [
        _of_file(name, _once(issues), source=", ".join(sources[name]))
        for name, issues in sorted(found.items())
    ]


def _of_file(name: str, issues: list[FiledIssue], *, source: str) -> Gathered:
    ordered_by: Literal["time", "number", "file"] = "file"
    if all(issue.created_at for issue in issues):
        ordered_by = "time"
        issues.sort(key=lambda issue: (_seconds(issue.created_at), issue.number))
    elif all(issue.number for issue in issues):
        ordered_by = "number"
        issues.sort(key=lambda issue: issue.number)
    names = Counter(label for issue in issues for label in issue.labels)
    return Gathered(
        name=name,
        source=source,
        issues=tuple(_issue(issue) for issue in issues),
        labels=tuple(LabelSpec(label) for label in sorted(names)),
        rules=Rules(),
        ordered_by=ordered_by,
    )


def _seconds(at: datetime | None) -> float:
    return at.timestamp() if at else 0.0


def _once(issues: Sequence[FiledIssue]) -> list[FiledIssue]:
    kept: dict[Any, FiledIssue] = {}
    for position, issue in enumerate(issues):
        kept.setdefault(issue.number or f"at {position}", issue)
    return list(kept.values())


def _issue(issue: FiledIssue) -> GatheredIssue:
    """A file does not tell whether its texts are as filed, so they count as edited."""
    return GatheredIssue(
        number=issue.number,
        text=issue_text(issue.title, issue.body),
        as_filed=False,
        created_at=issue.created_at,
        author=issue.author,
        author_association=issue.association,
        labels=frozenset(issue.labels),
        events=issue.events,
    )


def names_of(gathered: Gathered) -> Mapping[int, int]:
    """Store id -> position among the issues."""
    return {x.store_id: i for i, x in enumerate(gathered.issues) if x.store_id is not None}
