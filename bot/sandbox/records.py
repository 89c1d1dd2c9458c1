"""What the sandbox remembers: one mutable record per GitHub noun. No behaviour beyond derived names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

AccountType = Literal["User", "Bot", "Organization"]
SuggestionState = Literal["pending", "approved", "dismissed", "invalidated"]
SuggestionSupport = Literal["off", "on", "ignored"]
"""What a repository does with `suggest: true`: refuses it, keeps a suggestion, or applies the label."""

DEFAULT_PERMISSIONS = {"issues": "write", "metadata": "read", "contents": "read"}
DEFAULT_EVENTS = ("issues", "issue_comment", "label", "push", "repository")


@dataclass(frozen=True, slots=True)
class Account:
    """A person, a bot or an organisation."""

    id: int
    login: str
    type: AccountType


@dataclass(slots=True)
class App:
    """A GitHub App. The private half of its key stays with whoever registered it."""

    id: int
    slug: str
    name: str
    owner: Account
    bot: Account
    client_id: str
    client_secret: str
    public_key: str
    webhook_secret: str
    hook_id: int
    hook_url: str | None
    created_at: datetime
    permissions: dict[str, str] = field(default_factory=lambda: dict(DEFAULT_PERMISSIONS))
    events: tuple[str, ...] = DEFAULT_EVENTS


@dataclass(slots=True)
class Label:
    """A repository's label. Names are unique without regard to case; the id survives a rename."""

    id: int
    name: str
    color: str
    description: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an issue's history, as it was then."""

    id: int
    kind: str
    actor: Account
    at: datetime
    app: App | None = None
    label: tuple[str, str] | None = None
    """Name and colour."""
    rename: tuple[str, str] | None = None
    """Title before, title after."""
    state_reason: str | None = None
    intent: tuple[str | None, str | None] | None = None
    """Rationale and confidence of the suggestion that led here."""


@dataclass(slots=True)
class Comment:
    """A comment of an issue. Reactions are (account login, content) pairs with their ids."""

    id: int
    author: Account
    association: str
    body: str
    created_at: datetime
    updated_at: datetime
    app: App | None
    reactions: dict[tuple[str, str], tuple[int, Account, datetime]] = field(default_factory=dict)


@dataclass(slots=True)
class Suggestion:
    """A label that an App proposed and nobody has decided on, or somebody has."""

    id: int
    label_id: int
    rationale: str | None
    confidence: str | None
    actor: Account
    created_at: datetime
    updated_at: datetime
    state: SuggestionState = "pending"
    resolved_by: Account | None = None
    event_id: int | None = None


@dataclass(frozen=True, slots=True)
class BodyEdit:
    """One version of an issue's body. The first one of an edited issue is the body as filed."""

    id: int
    body: str
    editor: Account
    at: datetime


@dataclass(slots=True)
class Issue:
    """An issue or, with `is_pull_request`, the issue half of a pull request."""

    id: int
    number: int
    title: str
    body: str | None
    author: Account
    association: str
    created_at: datetime
    updated_at: datetime
    state: Literal["open", "closed"] = "open"
    state_reason: str | None = None
    closed_at: datetime | None = None
    closed_by: Account | None = None
    locked: bool = False
    lock_reason: str | None = None
    is_pull_request: bool = False
    app: App | None = None
    labels: dict[int, None] = field(default_factory=dict)
    """Label ids in the order in which they were set."""
    events: list[Event] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    suggestions: dict[int, Suggestion] = field(default_factory=dict)
    edits: list[BodyEdit] = field(default_factory=list)
    moved_to: tuple[int, int] | None = None
    """Repository id and number after a transfer."""
    deleted: bool = False


@dataclass(slots=True)
class Repository:
    """A repository with everything in it."""

    id: int
    owner: Account
    name: str
    private: bool
    created_at: datetime
    default_branch: str = "main"
    archived: bool = False
    suggestions: SuggestionSupport = "off"
    next_number: int = 1
    labels: dict[int, Label] = field(default_factory=dict)
    label_ids: dict[str, int] = field(default_factory=dict)
    """Folded name -> id."""
    issues: dict[int, Issue] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    """Folded login -> `admin` | `maintain` | `write` | `triage` | `read`."""

    @property
    def full_name(self) -> str:
        return f"{self.owner.login}/{self.name}"


@dataclass(slots=True)
class Installation:
    """An App installed on an account, on all of its repositories or on some."""

    id: int
    app: App
    account: Account
    created_at: datetime
    updated_at: datetime
    permissions: dict[str, str]
    events: tuple[str, ...]
    repository_ids: set[int] | None
    """None means all repositories of the account."""
    suspended_by: Account | None = None
    suspended_at: datetime | None = None
