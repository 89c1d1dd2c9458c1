"""Webhook body -> event. Tolerant: what we do not know is `Unhandled`, never an error.

A delivery that we do handle but that lacks a key we need raises `GiveUp` naming the key.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.errors import GiveUp
from bot.github.occurrences import (
    CommentCreated,
    CommentEdited,
    Event,
    InstallationCreated,
    InstallationDeleted,
    InstallationSuspended,
    IssueClosed,
    IssueDeleted,
    IssueEdited,
    IssueLocked,
    IssueOpened,
    IssueReopened,
    IssueTransferred,
    LabelChanged,
    LabelDefinitionChanged,
    PermissionsAccepted,
    Push,
    RepositoriesAdded,
    RepositoriesRemoved,
    RepositoryArchived,
    RepositoryDeleted,
    RepositoryRenamed,
    RepositoryVisibilityChanged,
    Unhandled,
)
from bot.github.payloads import (
    AppIdentity,
    RepositoryRef,
    actor_from,
    decoded,
    dig,
    issue_from,
    label_from,
    may,
    need,
    need_time,
    repository_from,
)

__all__ = [
    "RULES_PATH",
    "AppIdentity",
    "CommentCreated",
    "CommentEdited",
    "Event",
    "InstallationCreated",
    "InstallationDeleted",
    "InstallationSuspended",
    "IssueClosed",
    "IssueDeleted",
    "IssueEdited",
    "IssueLocked",
    "IssueOpened",
    "IssueReopened",
    "IssueTransferred",
    "LabelChanged",
    "LabelDefinitionChanged",
    "PermissionsAccepted",
    "Push",
    "RepositoriesAdded",
    "RepositoriesRemoved",
    "RepositoryArchived",
    "RepositoryDeleted",
    "RepositoryRenamed",
    "RepositoryVisibilityChanged",
    "Unhandled",
    "parse_event",
]

RULES_PATH = ".github/labelwright.yml"

MOST_COMMITS = 2048
"""GitHub cuts the commit list of a push here; what was cut may have touched the rules."""

Payload = dict[str, Any]
Given = dict[str, Any]
"""Keyword arguments that every event of a kind shares."""


def parse_event(event: str, body: bytes, *, us: AppIdentity | None = None) -> Event:
    """The event that a delivery tells of.

    Args:
        event: value of the header X-GitHub-Event.
        body: raw JSON body.
        us: our own App; without it no sender is recognised as us.

    Raises:
        GiveUp: no JSON object, or a key that this event needs is missing; the message names it.
    """
    payload = decoded(body)
    action = may(payload, "action", str, "")
    parser = _PARSERS.get((event, action)) or _PARSERS.get((event, "*"))
    if parser is None:
        return Unhandled(event, action)
    given: Given = {
        "installation_id": may(payload, "installation.id", int, 0) or None,
        "sender": actor_from(dig(payload, "sender"), us=us),
    }
    return parser(payload, given)


def _in_repository(payload: Payload, given: Given) -> Given:
    return {**given, "repository": repository_from(dig(payload, "repository"))}


def _in_issue(payload: Payload, given: Given) -> Given:
    return {**_in_repository(payload, given), "issue": issue_from(dig(payload, "issue"))}


def _issue(kind: Callable[..., Event]) -> Callable[[Payload, Given], Event]:
    return lambda payload, given: kind(**_in_issue(payload, given))


def _issue_opened(payload: Payload, given: Given) -> Event:
    repository = may(payload, "changes.old_repository.id", int, 0)
    number = may(payload, "changes.old_issue.number", int, 0)
    came_from = (repository, number) if repository and number else None
    return IssueOpened(**_in_issue(payload, given), came_from=came_from)


def _issue_transferred(payload: Payload, given: Given) -> Event:
    became = dig(payload, "changes.new_issue")
    return IssueTransferred(
        **_in_issue(payload, given),
        new_repository=may(payload, "changes.new_repository.id", int, 0) or None,
        became=None if became is None else issue_from(became, of="changes.new_issue"),
    )


def _issue_edited(payload: Payload, given: Given) -> Event:
    return IssueEdited(
        **_in_issue(payload, given),
        old_title=may(payload, "changes.title.from", str, "") or None,
        old_body=_old_body(payload),
    )


def _old_body(payload: Payload) -> str | None:
    """An empty body that was filled in is a change, from null or the empty string."""
    if not isinstance(dig(payload, "changes.body"), dict):
        return None
    return may(payload, "changes.body.from", str, "")


def _issue_label(payload: Payload, given: Given) -> Event:
    at = "updated_at" if dig(payload, "issue.updated_at") else "created_at"
    return LabelChanged(
        **_in_issue(payload, given),
        label=label_from(dig(payload, "label")),
        added=payload["action"] == "labeled",
        at=need_time(payload, f"issue.{at}"),
    )


def _comment(payload: Payload, given: Given) -> Event:
    kind = CommentEdited if payload["action"] == "edited" else CommentCreated
    return kind(
        **_in_issue(payload, given),
        author=actor_from(dig(payload, "comment.user")).login,
        url=may(payload, "comment.html_url", str, ""),
        comment_id=need(payload, "comment.id", int),
        body=may(payload, "comment.body", str, ""),
        author_association=may(payload, "comment.author_association", str, "NONE"),
    )


def _label_definition(payload: Payload, given: Given) -> Event:
    return LabelDefinitionChanged(
        **_in_repository(payload, given),
        action=payload["action"],
        label=label_from(dig(payload, "label")),
        old_name=may(payload, "changes.name.from", str, "") or None,
    )


def _renamed(payload: Payload, given: Given) -> Event:
    shared = _in_repository(payload, given)
    owner = shared["repository"].full_name.partition("/")[0]
    old_name = need(payload, "changes.repository.name.from", str)
    return RepositoryRenamed(**shared, old_full_name=f"{owner}/{old_name}", transferred=False)


def _transferred(payload: Payload, given: Given) -> Event:
    shared = _in_repository(payload, given)
    name = shared["repository"].full_name.rpartition("/")[2]
    was = "changes.owner.from"
    owner = may(payload, f"{was}.user.login", str, "") or may(
        payload, f"{was}.organization.login", str, ""
    )
    if not owner:
        raise GiveUp(f"GitHub's payload lacks the key {was}.user.login")
    return RepositoryRenamed(**shared, old_full_name=f"{owner}/{name}", transferred=True)


def _visibility(payload: Payload, given: Given) -> Event:
    private = payload["action"] == "privatized"
    return RepositoryVisibilityChanged(**_in_repository(payload, given), private=private)


def _archived(payload: Payload, given: Given) -> Event:
    archived = payload["action"] == "archived"
    return RepositoryArchived(**_in_repository(payload, given), archived=archived)


def _push(payload: Payload, given: Given) -> Event:
    shared = _in_repository(payload, given)
    ref = need(payload, "ref", str)
    return Push(
        **shared,
        ref=ref,
        on_default_branch=ref == f"refs/heads/{shared['repository'].default_branch}",
        touches_rules=_touches_rules(payload),
    )


def _touches_rules(payload: Payload) -> bool:
    """A forced push drops commits that the list does not name, so it counts as touching."""
    commits = may(payload, "commits", list, [])
    if may(payload, "forced", bool, False) or len(commits) >= MOST_COMMITS:
        return True
    kinds = ("added", "modified", "removed")
    files = (may(commit, kind, list, []) for commit in commits for kind in kinds)
    return any(RULES_PATH in names for names in files)


def _of_account(payload: Payload, given: Given) -> Given:
    account = dig(payload, "installation.account")
    name = may(account, "login", str, "") or may(
        account, "slug", str, ""
    )  # enterprises have a slug
    return {**given, "installation_id": need(payload, "installation.id", int), "account": name}


def _permissions(payload: Payload) -> dict[str, str]:
    granted = may(payload, "installation.permissions", dict, {})
    return {str(name): level for name, level in granted.items() if isinstance(level, str)}


def _repositories(payload: Payload, key: str) -> tuple[RepositoryRef, ...]:
    rows = may(payload, key, list, [])
    return tuple(repository_from(row, of=f"{key}.{n}") for n, row in enumerate(rows))


def _installed(payload: Payload, given: Given) -> Event:
    return InstallationCreated(
        **_of_account(payload, given),
        repositories=_repositories(payload, "repositories"),
        permissions=_permissions(payload),
    )


def _suspended(payload: Payload, given: Given) -> Event:
    suspended = payload["action"] == "suspend"
    return InstallationSuspended(**_of_account(payload, given), suspended=suspended)


def _accepted(payload: Payload, given: Given) -> Event:
    return PermissionsAccepted(**_of_account(payload, given), permissions=_permissions(payload))


def _added(payload: Payload, given: Given) -> Event:
    found = _repositories(payload, "repositories_added")
    return RepositoriesAdded(**_of_account(payload, given), repositories=found)


def _removed(payload: Payload, given: Given) -> Event:
    found = _repositories(payload, "repositories_removed")
    return RepositoriesRemoved(**_of_account(payload, given), repositories=found)


_PARSERS: dict[tuple[str, str], Callable[[Payload, Given], Event]] = {
    ("issues", "opened"): _issue_opened,
    ("issues", "edited"): _issue_edited,
    ("issues", "closed"): _issue(IssueClosed),
    ("issues", "reopened"): _issue(IssueReopened),
    ("issues", "deleted"): _issue(IssueDeleted),
    ("issues", "transferred"): _issue_transferred,
    ("issues", "locked"): _issue(IssueLocked),
    ("issues", "unlocked"): _issue(IssueLocked),
    ("issues", "labeled"): _issue_label,
    ("issues", "unlabeled"): _issue_label,
    ("issue_comment", "created"): _comment,
    ("issue_comment", "edited"): _comment,
    ("label", "created"): _label_definition,
    ("label", "edited"): _label_definition,
    ("label", "deleted"): _label_definition,
    ("repository", "renamed"): _renamed,
    ("repository", "transferred"): _transferred,
    ("repository", "deleted"): lambda p, given: RepositoryDeleted(**_in_repository(p, given)),
    ("repository", "privatized"): _visibility,
    ("repository", "publicized"): _visibility,
    ("repository", "archived"): _archived,
    ("repository", "unarchived"): _archived,
    ("push", "*"): _push,
    ("installation", "created"): _installed,
    ("installation", "deleted"): lambda p, given: InstallationDeleted(**_of_account(p, given)),
    ("installation", "suspend"): _suspended,
    ("installation", "unsuspend"): _suspended,
    ("installation", "new_permissions_accepted"): _accepted,
    ("installation_repositories", "added"): _added,
    ("installation_repositories", "removed"): _removed,
}
