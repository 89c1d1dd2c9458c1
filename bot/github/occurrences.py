"""What GitHub can tell us by webhook, as frozen values. Made by `bot.github.events.parse_event` only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bot.core.types import Issue, LabelEvent, RepositoryLabel
from bot.github.payloads import Actor, AppIdentity, RepositoryRef, actor_kind, filed_with


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """Every event has these. `installation_id` is None where the delivery came from a plain hook."""

    installation_id: int | None
    sender: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class OfRepository(Occurrence):
    """Something that happened in one repository."""

    repository: RepositoryRef


@dataclass(frozen=True, slots=True, kw_only=True)
class OfIssue(OfRepository):
    """Something that happened to one issue; `issue` is its state when GitHub sent the event."""

    issue: Issue = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueOpened(OfIssue):
    """A new issue: what it holds is the text as filed, unless it came from another repository."""

    came_from: tuple[int, int] | None = None
    """Id of the repository that it was transferred from, and its number there."""


class IssueEdited(OfIssue):
    """Title or body changed."""

    __slots__ = ()


class IssueClosed(OfIssue):
    """An issue was closed."""

    __slots__ = ()


class IssueReopened(OfIssue):
    """An issue was opened again."""

    __slots__ = ()


class IssueDeleted(OfIssue):
    """An issue is gone for good."""

    __slots__ = ()


class IssueLocked(OfIssue):
    """The conversation of an issue was locked or opened again; `issue.locked` says which."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueTransferred(OfIssue):
    """An issue left for another repository; `issue` is the one that is gone."""

    new_repository: int | None = None
    became: Issue | None = field(default=None, repr=False)
    """Where it is now, and as what; None where GitHub does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelChanged(OfIssue):
    """A label was put on or taken off an issue."""

    label: RepositoryLabel
    added: bool
    at: datetime
    """`issue.updated_at`: webhooks carry no time of their own."""

    def label_event(self, us: AppIdentity | None = None) -> LabelEvent:
        """The same as a label event without GitHub's id."""
        came_along = self.added and filed_with(self.issue, self.sender, self.at)
        return LabelEvent(
            label=self.label.name,
            added=self.added,
            actor=self.sender.login,
            actor_kind=actor_kind(self.sender, us=us, at_creation=came_along),
            at=self.at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfComment(OfIssue):
    """Something that happened to a comment of an issue or pull request; `author` is who wrote it first."""

    author: str
    url: str
    """Its page."""
    comment_id: int
    at: datetime
    """When it was written, or edited last."""
    body: str = field(repr=False)


class CommentCreated(_OfComment):
    """Somebody commented."""

    __slots__ = ()


class CommentEdited(_OfComment):
    """Somebody (`sender`) changed a comment, their own or another's."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelDefinitionChanged(OfRepository):
    """The repository's own label changed."""

    action: Literal["created", "edited", "deleted"]
    label: RepositoryLabel


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryRenamed(OfRepository):
    """A new name or a new owner; the id stays."""

    old_full_name: str


class RepositoryDeleted(OfRepository):
    """The repository is gone."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryVisibilityChanged(OfRepository):
    """The repository became private or public."""

    private: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Push(OfRepository):
    """Commits arrived. `touches_rules` is about the rules file, true also where the list was cut short."""

    on_default_branch: bool
    touches_rules: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationCreated(Occurrence):
    """The App was installed; the repositories it may see."""

    account: str
    repositories: tuple[RepositoryRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationDeleted(Occurrence):
    """The App was uninstalled."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationSuspended(Occurrence):
    """The owner paused the App (`suspended`) or let it go on."""

    account: str
    suspended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoriesAdded(Occurrence):
    """The installation sees more repositories."""

    account: str
    repositories: tuple[RepositoryRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoriesRemoved(Occurrence):
    """The installation sees fewer repositories."""

    account: str
    repositories: tuple[RepositoryRef, ...]


@dataclass(frozen=True, slots=True)
class Unhandled:
    """An event or action that we have no use for; never an error."""

    event: str
    action: str


Event = (
    IssueOpened
    | IssueEdited
    | IssueClosed
    | IssueReopened
    | IssueDeleted
    | IssueLocked
    | IssueTransferred
    | LabelChanged
    | CommentCreated
    | CommentEdited
    | LabelDefinitionChanged
    | RepositoryRenamed
    | RepositoryDeleted
    | RepositoryVisibilityChanged
    | Push
    | InstallationCreated
    | InstallationDeleted
    | InstallationSuspended
    | RepositoriesAdded
    | RepositoriesRemoved
    | Unhandled
)
