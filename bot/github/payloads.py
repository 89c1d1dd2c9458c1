"""JSON of GitHub (webhooks and REST alike) -> our values.

Unknown keys are passed over; a missing key that we need raises `GiveUp` naming it. No network.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from bot.core.provenance import AT_CREATION, GHOST
from bot.core.types import ActorKind, Issue, LabelEvent, RepositoryLabel
from bot.errors import GiveUp

T = TypeVar("T")

SPAM = re.compile(r"(?<![a-z])spam$", re.IGNORECASE)
"""Labels that call an issue spam: `spam`, `type: spam`, `🚫 Spam`."""

LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AppIdentity:
    """Who we are on GitHub: what tells our own label events from other people's."""

    id: int
    slug: str

    @property
    def login(self) -> str:
        return f"{self.slug}[bot]"


@dataclass(frozen=True, slots=True)
class RepositoryRef:
    """A repository as webhooks and lists name it."""

    id: int
    full_name: str
    private: bool
    default_branch: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something: login and what stands behind it."""

    login: str
    is_bot: bool
    is_us: bool


def decoded(body: bytes) -> dict[str, Any]:
    """The JSON object of a delivery. Raises GiveUp if it is none."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise GiveUp("the delivery's body is not JSON") from error
    if not isinstance(payload, dict):
        raise GiveUp("the delivery's body is not a JSON object")
    return payload


def dig(raw: object, path: str) -> object:
    """The value at a dotted path, None where any step is missing."""
    for key in path.split("."):
        if not isinstance(raw, dict):
            return None
        raw = raw.get(key)
    return raw


def need(raw: object, path: str, kind: type[T], *, of: str = "") -> T:
    """The value at a dotted path. Raises GiveUp, naming the key, if it is missing or of another kind."""
    value = dig(raw, path)
    where = f"{of}.{path}" if of else path
    if value is None:
        raise GiveUp(f"GitHub's payload lacks the key {where}")
    found = _typed(value, kind)
    if found is None:
        raise GiveUp(f"GitHub's payload has no {kind.__name__} at the key {where}")
    return found


def may(raw: object, path: str, kind: type[T], default: T) -> T:
    """The value at a dotted path, or the default where it is missing, null or of another kind."""
    found = _typed(dig(raw, path), kind)
    return default if found is None else found


def need_time(raw: object, path: str, *, of: str = "") -> datetime:
    """The aware time at a dotted path; GiveUp if it is missing or no ISO 8601 time."""
    written = need(raw, path, str, of=of)
    try:
        at = datetime.fromisoformat(written)
    except ValueError as error:
        raise GiveUp(f"GitHub's payload has no time at the key {of}.{path}") from error
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def storable(text: str) -> str:
    """Text without what PostgreSQL refuses: NUL and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def _typed(value: object, kind: type[T]) -> T | None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        return None
    if isinstance(value, str):
        return kind(storable(value))  # type: ignore[call-arg]
    if isinstance(value, int) and abs(value) > LARGEST_ID:
        return None
    return value


def issue_from(raw: object, *, of: str = "issue") -> Issue:
    """An issue of webhooks or REST."""
    closed_at = need_time(raw, "closed_at", of=of) if dig(raw, "closed_at") else None
    author = actor_from(dig(raw, "user"))
    return Issue(
        number=need(raw, "number", int, of=of),
        title=need(raw, "title", str, of=of),
        body=may(raw, "body", str, ""),
        labels=frozenset(_label_names(dig(raw, "labels"))),
        author=author.login,
        author_is_bot=author.is_bot,
        author_association=may(raw, "author_association", str, "NONE"),
        created_at=need_time(raw, "created_at", of=of),
        closed_at=closed_at,
        state=_state(raw),
        locked=may(raw, "locked", bool, False),
        is_pull_request=dig(raw, "pull_request") is not None,
        github_id=need(raw, "id", int, of=of),
        updated_at=need_time(raw, "updated_at", of=of) if dig(raw, "updated_at") else None,
    )


def _state(raw: object) -> str:
    """open, closed, or `spam`: locked for that reason, or closed as not planned under such a label.

    Closed as not planned alone is no spam: so end honest reports that nobody will work on.
    """
    state = may(raw, "state", str, "open")
    if may(raw, "active_lock_reason", str, "") == "spam":
        return "spam"
    refused = state == "closed" and may(raw, "state_reason", str, "") == "not_planned"
    called_so = any(SPAM.search(name) for name in _label_names(dig(raw, "labels")))
    return "spam" if refused and called_so else state


def _label_names(raw: object) -> list[str]:
    rows = raw if isinstance(raw, list) else []
    names = (storable(row) if isinstance(row, str) else may(row, "name", str, "") for row in rows)
    return [name for name in names if name]


def label_from(raw: object) -> RepositoryLabel:
    """A label with its id."""
    return RepositoryLabel(
        github_id=need(raw, "id", int, of="label"),
        name=need(raw, "name", str, of="label"),
        description=may(raw, "description", str, ""),
        color=may(raw, "color", str, "ededed"),
    )


def repository_from(raw: object, *, of: str = "repository") -> RepositoryRef:
    """A repository; webhooks of installations give id, full name and privacy only."""
    return RepositoryRef(
        id=need(raw, "id", int, of=of),
        full_name=need(raw, "full_name", str, of=of),
        private=may(raw, "private", bool, False),
        default_branch=may(raw, "default_branch", str, ""),
    )


def actor_from(raw: object, *, us: AppIdentity | None = None) -> Actor:
    """A user object; a deleted account (null) is nobody's bot."""
    login = may(raw, "login", str, GHOST)
    is_bot = may(raw, "type", str, "User") == "Bot" or login.endswith("[bot]")
    return Actor(login=login, is_bot=is_bot, is_us=us is not None and login == us.login)


def label_event_from(raw: object, *, issue: Issue, us: AppIdentity | None) -> LabelEvent | None:
    """A `labeled` or `unlabeled` issue event; None for every other event."""
    event = may(raw, "event", str, "")
    name = may(raw, "label.name", str, "")
    if event not in ("labeled", "unlabeled") or not name:
        return None
    actor = actor_from(dig(raw, "actor"), us=us)
    at = need_time(raw, "created_at", of="event")
    via = may(raw, "performed_via_github_app.id", int, 0)
    added = event == "labeled"
    return LabelEvent(
        label=name,
        added=added,
        actor=actor.login,
        actor_kind=actor_kind(
            actor, via_app=via, us=us, at_creation=added and filed_with(issue, actor, at)
        ),
        at=at,
        github_id=may(raw, "id", int, 0) or None,
    )


def actor_kind(
    actor: Actor, *, via_app: int = 0, us: AppIdentity | None = None, at_creation: bool = False
) -> ActorKind:
    """Human truth, our own doing, another machine's, or a form's.

    An app acting in a user's name (`performed_via_github_app`) counts as a machine: nobody looked.
    """
    if actor.is_us or (us is not None and via_app == us.id):
        return "us"
    if actor.is_bot or via_app:
        return "bot"
    return "form" if at_creation else "human"


def filed_with(issue: Issue, actor: Actor, at: datetime) -> bool:
    """Whether a label came with the issue itself: by its author, in its own second."""
    return actor.login == issue.author and at - issue.created_at <= AT_CREATION
