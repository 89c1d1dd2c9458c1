"""The nouns that every stage shares. Frozen values, no behaviour beyond trivial derivation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Mode = Literal["apply", "suggest", "dry-run"]
Action = Literal["apply", "suggest", "abstain"]
ActorKind = Literal["human", "us", "bot", "form"]
"""Who set or removed a label: a person, this App, another bot, or an issue form at creation."""


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """A label as the head sees it: a name and what its maintainers say it means."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class IssueText:
    """What the model reads, made by `bot.core.text.issue_text` and by nothing else."""

    title: str
    body: str

    @property
    def joined(self) -> str:
        return f"{self.title}\n\n{self.body}" if self.body else self.title


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue as GitHub tells it now."""

    number: int
    title: str
    body: str
    labels: frozenset[str]
    author: str
    author_is_bot: bool
    author_association: str
    created_at: datetime
    closed_at: datetime | None
    state: str
    locked: bool
    is_pull_request: bool
    github_id: int
    updated_at: datetime | None = None
    """When GitHub changed it last; what it tells of an issue comes in any order."""


@dataclass(frozen=True, slots=True)
class RepositoryLabel:
    """A label that exists in a repository. `github_id` tells a recreated label from the one we knew."""

    github_id: int
    name: str
    description: str
    color: str = "ededed"


@dataclass(frozen=True, slots=True)
class LabelEvent:
    """A label added or removed: when, by whom."""

    label: str
    added: bool
    actor: str
    actor_kind: ActorKind
    at: datetime
    github_id: int | None = None
    """GitHub's id of the issue event, where it told us one; makes a harvest idempotent."""


@dataclass(frozen=True, slots=True)
class Score:
    """What the head says of one label for one issue."""

    label: str
    probability: float
    """Calibrated, in [0, 1]."""
    apply_at: float | None
    """Cut at which the promised precision holds; None where none was found (the label is muted)."""
    suggest_at: float
    """Cut at which a suggestion is worth a maintainer's glance."""
    why_muted: str = ""
    """Reason of the head for `apply_at is None`, in words for a maintainer."""
    zero_shot: bool = False
    """Known by its name and description alone: hardly any issue has taught it yet."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What we mean to do about one label of one issue, and why. Deciding is not applying."""

    label: str
    action: Action
    reason: str
    probability: float
    threshold: float | None
