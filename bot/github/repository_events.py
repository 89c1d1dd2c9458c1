"""What GitHub tells of repositories, their label definitions, pushes, and installations of the App.

Refuses to say more of a push than whether it may have touched the rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.errors import GiveUp
from bot.github.occurrences import (
    Event,
    InstallationCreated,
    InstallationDeleted,
    InstallationSuspended,
    LabelDefinitionChanged,
    Push,
    RepositoriesAdded,
    RepositoriesRemoved,
    RepositoryDeleted,
    RepositoryRenamed,
    RepositoryVisibilityChanged,
)
from bot.github.payloads import RepositoryRef, dig, label_from, may, need, repository_from

RULES_PATH = ".github/labelwright.yml"

MOST_COMMITS = 2048
"""GitHub cuts the commit list of a push here; what was cut may have touched the rules."""

Payload = dict[str, Any]
Given = dict[str, Any]
"""Keyword arguments that every event of a kind shares."""
Parser = Callable[[Payload, Given], Event]


def in_repository(payload: Payload, given: Given) -> Given:
    return {**given, "repository": repository_from(dig(payload, "repository"))}


def _label_definition(payload: Payload, given: Given) -> Event:
    return LabelDefinitionChanged(
        **in_repository(payload, given),
        action=payload["action"],
        label=label_from(dig(payload, "label")),
    )


def _renamed(payload: Payload, given: Given) -> Event:
    shared = in_repository(payload, given)
    owner = shared["repository"].full_name.partition("/")[0]
    old_name = need(payload, "changes.repository.name.from", str)
    return RepositoryRenamed(**shared, old_full_name=f"{owner}/{old_name}")


def _transferred(payload: Payload, given: Given) -> Event:
    shared = in_repository(payload, given)
    name = shared["repository"].full_name.rpartition("/")[2]
    was = "changes.owner.from"
    owner = may(payload, f"{was}.user.login", str, "") or may(
        payload, f"{was}.organization.login", str, ""
    )
    if not owner:
        raise GiveUp(f"GitHub's payload lacks the key {was}.user.login")
    return RepositoryRenamed(**shared, old_full_name=f"{owner}/{name}")


def _visibility(payload: Payload, given: Given) -> Event:
    private = payload["action"] == "privatized"
    return RepositoryVisibilityChanged(**in_repository(payload, given), private=private)


def _push(payload: Payload, given: Given) -> Event:
    shared = in_repository(payload, given)
    ref = need(payload, "ref", str)
    return Push(
        **shared,
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


def _repositories(payload: Payload, key: str) -> tuple[RepositoryRef, ...]:
    rows = may(payload, key, list, [])
    return tuple(repository_from(row, of=f"{key}.{n}") for n, row in enumerate(rows))


def _installed(payload: Payload, given: Given) -> Event:
    found = _repositories(payload, "repositories")
    return InstallationCreated(**_of_account(payload, given), repositories=found)


def _suspended(payload: Payload, given: Given) -> Event:
    suspended = payload["action"] == "suspend"
    return InstallationSuspended(**_of_account(payload, given), suspended=suspended)


def _added(payload: Payload, given: Given) -> Event:
    found = _repositories(payload, "repositories_added")
    return RepositoriesAdded(**_of_account(payload, given), repositories=found)


def _removed(payload: Payload, given: Given) -> Event:
    found = _repositories(payload, "repositories_removed")
    return RepositoriesRemoved(**_of_account(payload, given), repositories=found)


PARSERS: dict[tuple[str, str], Parser] = {
    ("label", "created"): _label_definition,
    ("label", "edited"): _label_definition,
    ("label", "deleted"): _label_definition,
    ("repository", "renamed"): _renamed,
    ("repository", "transferred"): _transferred,
    ("repository", "deleted"): lambda p, given: RepositoryDeleted(**in_repository(p, given)),
    ("repository", "privatized"): _visibility,
    ("repository", "publicized"): _visibility,
    ("push", "*"): _push,
    ("installation", "created"): _installed,
    ("installation", "deleted"): lambda p, given: InstallationDeleted(**_of_account(p, given)),
    ("installation", "suspend"): _suspended,
    ("installation", "unsuspend"): _suspended,
    ("installation_repositories", "added"): _added,
    ("installation_repositories", "removed"): _removed,
}
"""(event, action) -> what reads it; "*" stands for any action."""
