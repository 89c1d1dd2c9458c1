"""A repository's past as values: issues oldest first, who labelled them when, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.core.provenance import discount_doubtful
from bot.core.rules import Rules
from bot.core.types import LabelEvent


@dataclass(frozen=True, slots=True)
class PastIssue:
    """An issue, with the text to decide on and the labels it carries today."""

    number: int
    title: str
    body: str
    created_at: datetime
    labels: frozenset[str]
    events: tuple[LabelEvent, ...] = ()
    """What is known of who set or removed which label, oldest first."""
    association: str = "NONE"
    """Of the author, as it is today: nobody keeps what it was."""
    as_filed: bool | None = None
    """Whether title and body are what was filed; None where the source does not say."""


@dataclass(frozen=True, slots=True)
class Past:
    """Everything a preview looks at. `issues` are oldest first."""

    full_name: str
    issues: tuple[PastIssue, ...]
    now: datetime
    """The moment of the source: what happened later is not in it."""
    settling: timedelta
    rules: Rules = field(default_factory=Rules)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    """Label -> what its maintainers say it means, today."""
    existing: frozenset[str] | None = None
    """Labels that the repository has today; None where only those of its issues are known."""
    web_url: str = ""
    """Address in front of `owner/name`, for links; "" where there is none."""
    dated: bool = True
    """False where the times of `issues` only keep their order."""
    notes: tuple[str, ...] = ()
    """What a reader of the report has to know about the source."""

    def link(self, number: int) -> str:
        """Address of an issue, "" where nobody knows one."""
        return f"{self.web_url}/{self.full_name}/issues/{number}" if self.web_url and number else ""


def without_bulk(issues: Sequence[PastIssue]) -> tuple[PastIssue, ...]:
    """The same, mass relabels marked as what they are: nobody's judgement of a single issue."""
    told = discount_doubtful({row: issue.events for row, issue in enumerate(issues)})
    return tuple(replace(issue, events=tuple(told[row])) for row, issue in enumerate(issues))
