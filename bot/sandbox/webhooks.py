"""Webhook payloads, and which Apps each goes to. Composes and hands over; sending is the courier's."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from bot.sandbox.mail import Emission
from bot.sandbox.payloads import comment_payload, issue_payload, label_payload
from bot.sandbox.payloads_app import (
    installation_payload,
    pushed_repository_payload,
    repository_payload,
    selection,
    short_repository,
)
from bot.sandbox.records import (
    Account,
    App,
    Comment,
    Installation,
    Issue,
    Label,
    Repository,
)
from bot.sandbox.shapes import Json, account_payload, iso, node_id, organization_payload
from bot.sandbox.state import State


def _tell(
    state: State,
    repository: Repository,
    event: str,
    action: str | None,
    parts: Json,
    sender: Account,
) -> None:
    """To every App that is installed here, awake and subscribed. All get the same GUID."""
    guid = str(uuid.uuid4())
    envelope: Json = {} if action is None else {"action": action}
    envelope["repository"] = repository_payload(state, repository)
    envelope |= parts
    if repository.owner.type == "Organization":
        envelope["organization"] = organization_payload(state.url, repository.owner)
    envelope["sender"] = account_payload(state.url, sender)
    for installation in list(state.installations_on(repository)):
        if installation.suspended_at is not None or event not in installation.events:
            continue
        short = {"id": installation.id, "node_id": node_id("IN", installation.id)}
        state.post.send(
            Emission(
                installation.app,
                guid,
                event,
                action,
                installation.id,
                repository.id,
                envelope | {"installation": short},
            )
        )


def issue_hook(
    state: State,
    repository: Repository,
    issue: Issue,
    action: str,
    *,
    sender: Account,
    label: Label | None = None,
    changes: Json | None = None,
) -> None:
    parts: Json = {"issue": issue_payload(state, repository, issue)}
    if label is not None:
        parts["label"] = label_payload(state.url, repository, label)
    if changes is not None:
        parts["changes"] = changes
    _tell(state, repository, "issues", action, parts, sender)


def transfer_hook(
    state: State, old: tuple[Repository, Issue], new: tuple[Repository, Issue], *, sender: Account
) -> None:
    changes = {
        "new_issue": issue_payload(state, *new),
        "new_repository": repository_payload(state, new[0]),
    }
    issue_hook(state, *old, "transferred", sender=sender, changes=changes)
    origin = {
        "old_issue": issue_payload(state, *old),
        "old_repository": repository_payload(state, old[0]),
    }
    issue_hook(state, *new, "opened", sender=sender, changes=origin)


def comment_hook(
    state: State,
    repository: Repository,
    issue: Issue,
    comment: Comment,
    action: str,
    *,
    sender: Account,
    changes: Json | None = None,
) -> None:
    parts: Json = {
        "issue": issue_payload(state, repository, issue),
        "comment": comment_payload(state, repository, issue, comment),
    }
    if changes is not None:
        parts["changes"] = changes
    _tell(state, repository, "issue_comment", action, parts, sender)


def label_hook(
    state: State,
    repository: Repository,
    label: Label,
    action: str,
    *,
    sender: Account,
    changes: Json | None = None,
) -> None:
    parts: Json = {"label": label_payload(state.url, repository, label)}
    if changes is not None:
        parts["changes"] = changes
    _tell(state, repository, "label", action, parts, sender)


def repository_hook(
    state: State,
    repository: Repository,
    action: str,
    *,
    sender: Account,
    changes: Json | None = None,
) -> None:
    """renamed | archived | unarchived | deleted."""
    parts: Json = {} if changes is None else {"changes": changes}
    _tell(state, repository, "repository", action, parts, sender)


def push_hook(
    state: State, repository: Repository, paths: Iterable[str], *, sender: Account
) -> None:
    """A push to the default branch that changed `paths`."""
    before, after = uuid.uuid4().hex + "0" * 8, uuid.uuid4().hex + "0" * 8
    who = {"name": sender.login, "email": f"{sender.login}@example.invalid"}
    page = f"{state.url}/{repository.full_name}"
    commit = {
        "id": after,
        "tree_id": before,
        "distinct": True,
        "message": "Change files",
        "timestamp": iso(state.now()),
        "url": f"{page}/commit/{after}",
        "author": who | {"username": sender.login},
        "committer": who | {"username": sender.login},
        "added": [],
        "removed": [],
        "modified": list(paths),
    }
    parts: Json = {
        "ref": f"refs/heads/{repository.default_branch}",
        "before": before,
        "after": after,
        "pusher": who,
        "created": False,
        "deleted": False,
        "forced": False,
        "base_ref": None,
        "compare": f"{page}/compare/{before[:12]}...{after[:12]}",
        "commits": [commit],
        "head_commit": commit,
        "repository": pushed_repository_payload(state, repository),
    }
    _tell(state, repository, "push", None, parts, sender)


def installation_hook(
    state: State, installation: Installation, action: str, *, sender: Account
) -> None:
    """Told whether subscribed or not: created | deleted | suspend | unsuspend | new_permissions_accepted."""
    parts: Json = {
        "action": action,
        "installation": installation_payload(state, installation),
        "repositories": [short_repository(repo) for repo in state.repositories_of(installation)],
    }
    if action == "created":
        parts["requester"] = None
    _tell_app(state, installation, "installation", parts, sender)


def repositories_hook(
    state: State,
    installation: Installation,
    *,
    added: Iterable[Repository] = (),
    removed: Iterable[Repository] = (),
    sender: Account,
) -> None:
    """installation_repositories, added or removed."""
    gained = [short_repository(repository) for repository in added]
    parts: Json = {
        "action": "added" if gained else "removed",
        "installation": installation_payload(state, installation),
        "repository_selection": selection(installation),
        "repositories_added": gained,
        "repositories_removed": [short_repository(repository) for repository in removed],
        "requester": None,
    }
    _tell_app(state, installation, "installation_repositories", parts, sender)


def _tell_app(
    state: State, installation: Installation, event: str, parts: Json, sender: Account
) -> None:
    account = installation.account
    if account.type == "Organization":
        parts["organization"] = organization_payload(state.url, account)
    parts["sender"] = account_payload(state.url, sender)
    guid = str(uuid.uuid4())
    action = parts["action"]
    state.post.send(Emission(installation.app, guid, event, action, installation.id, None, parts))


def ping_hook(state: State, app: App) -> None:
    config = {
        "content_type": "json",
        "insecure_ssl": "0",
        "secret": "********",
        "url": app.hook_url or "",
    }
    here = f"{state.url}/app/hook"
    hook = {
        "type": "App",
        "id": app.hook_id,
        "name": "web",
        "active": True,
        "events": list(app.events),
        "config": config,
        "updated_at": iso(app.created_at),
        "created_at": iso(app.created_at),
        "app_id": app.id,
        "deliveries_url": f"{here}/deliveries",
    }
    payload = {"zen": "Approachable is better than simple.", "hook_id": app.hook_id, "hook": hook}
    state.post.send(Emission(app, str(uuid.uuid4()), "ping", None, None, None, payload))
