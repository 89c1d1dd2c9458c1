"""What training reads of a file of issues: the issue text and the labels, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bot import issues_file
from bot.core.text import issue_text
from bot.core.types import IssueText


@dataclass(frozen=True, slots=True)
class FiledIssue:
    """An issue with the labels its maintainers gave it (none: unlabelled, not negative)."""

    repo: str
    text: IssueText
    labels: frozenset[str]


def read_issues(path: Path) -> list[FiledIssue]:
    """All issues of a file, in its order; UserError if there is no such file, row or issue."""
    return [
        FiledIssue(issue.repo, issue_text(issue.title, issue.body), frozenset(issue.labels))
        for issue in issues_file.read_issues(path, as_listed=True)
    ]
