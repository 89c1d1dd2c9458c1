"""What is played: a repository's labels, the history it is installed on, and the issues that arrive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.core.types import LabelSpec
from bot.errors import UserError
from bot.issues_file import FiledIssue, by_repository, read_issues
from bot.sandbox.sample import load_sample

HISTORY_SHARE = 0.7
"""Share of a file, by time, that is history; the rest arrives."""
SAMPLE_SHARE = 0.8
"""The same for the sample repository, which is small."""


@dataclass(frozen=True)
class Scenario:
    """One repository: `history` is there when the App is installed, `arrivals` come as webhooks."""

    full_name: str
    labels: tuple[LabelSpec, ...]
    history: tuple[FiledIssue, ...]
    arrivals: tuple[FiledIssue, ...]


def sample_scenario() -> Scenario:
    """The sample repository that ships with Labelwright."""
    sample = load_sample()
    issues = [
        FiledIssue(
            repo=sample.full_name,
            number=issue.number,
            title=issue.title,
            body=issue.body,
            labels=tuple(issue.labels),
            created_at=issue.created_at,
            closed_at=issue.closed_at,
            author=issue.author,
            association=issue.author_association,
        )
        for issue in sample.issues
    ]
    labels = tuple(LabelSpec(label.name, label.description) for label in sample.labels)
    return _split(sample.full_name, labels, issues, share=SAMPLE_SHARE)


def file_scenarios(path: Path, *, repo: str | None = None) -> list[Scenario]:
    """One scenario per repository of the file; the labels are those that its issues carry.

    Raises:
        UserError: the file is unusable, or no repository in it has two issues to split.
    """
    groups = by_repository(read_issues(path, repo=repo))
    scenarios = [
        _split(_full_name(name), _labels_of(issues), _timed(issues), share=HISTORY_SHARE)
        for name, issues in groups.items()
        if len(issues) > 1
    ]
    if not scenarios:
        raise UserError(f"{path}: a replay needs at least two issues of one repository")
    return scenarios


def _split(
    full_name: str, labels: Sequence[LabelSpec], issues: Sequence[FiledIssue], *, share: float
) -> Scenario:
    cut = max(1, int(share * len(issues)))
    return Scenario(full_name, tuple(labels), tuple(issues[:cut]), tuple(issues[cut:]))


def _labels_of(issues: Sequence[FiledIssue]) -> tuple[LabelSpec, ...]:
    counts = Counter(name for issue in issues for name in issue.labels)
    return tuple(LabelSpec(name) for name, _ in counts.most_common())


def _timed(issues: Sequence[FiledIssue]) -> list[FiledIssue]:
    """Give issues without a time one that keeps their order, an hour apart, all of them settled."""
    start = datetime.now(UTC) - timedelta(days=60, hours=len(issues))
    return [
        issue if issue.created_at else replace(issue, created_at=start + timedelta(hours=position))
        for position, issue in enumerate(issues)
    ]


def _full_name(name: str) -> str:
    return name if name.count("/") == 1 else f"local/{name.replace('/', '-') or 'issues'}"
