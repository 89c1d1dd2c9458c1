"""What happens to repositories and to the labels they define, and who is installed on them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bot.sandbox import webhooks
from bot.sandbox.records import Account, App, Installation, Label, Repository
from bot.sandbox.state import State, find_label


def add_repository(
    state: State, full_name: str, *, private: bool, organization: bool
) -> Repository:
    owner, _, name = full_name.partition("/")
    if not name or "/" in name or full_name.casefold() in state.names:
        raise ValueError(f"{full_name!r} is not a free owner/name")
    account = state.account(owner, kind="Organization" if organization else "User")
    repository = Repository(state.next_id(), account, name, private, state.now())
    state.repositories[repository.id] = repository
    state.names[full_name.casefold()] = repository.id
    return repository


def rename_repository(state: State, repository: Repository, name: str, *, actor: Account) -> None:
    """The old name keeps leading here, through redirects."""
    old = repository.name
    full_name = f"{repository.owner.login}/{name}".casefold()
    taken = state.names.get(full_name)
    if taken is not None and state.repositories[taken].full_name.casefold() == full_name:
        raise ValueError(f"{full_name} is taken")
    repository.name = name
    state.names[full_name] = repository.id
    changes = {"repository": {"name": {"from": old}}}
    webhooks.repository_hook(state, repository, "renamed", sender=actor, changes=changes)


def archive_repository(state: State, repository: Repository, *, actor: Account, on: bool) -> None:
    """Read-only from now on, or no longer."""
    repository.archived = on
    action = "archived" if on else "unarchived"
    webhooks.repository_hook(state, repository, action, sender=actor)


def delete_repository(state: State, repository: Repository, *, actor: Account) -> None:
    webhooks.repository_hook(state, repository, "deleted", sender=actor)
    del state.repositories[repository.id]
    state.names = {name: id_ for name, id_ in state.names.items() if id_ != repository.id}
    for installation in state.installations.values():
        if installation.repository_ids is not None:
            installation.repository_ids.discard(repository.id)


def define_label(
    state: State, repository: Repository, name: str, *, color: str, description: str | None
) -> Label:
    """Without telling anybody."""
    label = Label(state.next_id(), name, color, description)
    repository.labels[label.id] = label
    repository.label_ids[name.casefold()] = label.id
    return label


def create_label(
    state: State,
    repository: Repository,
    name: str,
    *,
    actor: Account,
    color: str = "ededed",
    description: str | None = None,
) -> Label:
    label = define_label(state, repository, name, color=color, description=description)
    webhooks.label_hook(state, repository, label, "created", sender=actor)
    return label


def edit_label(
    state: State, repository: Repository, label: Label, wanted: Mapping[str, str], *, actor: Account
) -> None:
    """`wanted` holds any of name, color, description. The id stays; issues keep the label."""
    changes: dict[str, dict[str, str]] = {}
    for name in ("name", "color", "description"):
        before, after = getattr(label, name) or "", wanted.get(name)
        if after is not None and after != before:
            changes[name] = {"from": before}
            setattr(label, name, after)
    if "name" in changes:
        del repository.label_ids[changes["name"]["from"].casefold()]
        repository.label_ids[label.name.casefold()] = label.id
    if changes:
        webhooks.label_hook(state, repository, label, "edited", sender=actor, changes=changes)


def delete_label(state: State, repository: Repository, label: Label, *, actor: Account) -> None:
    """It leaves every issue, without a line in their histories."""
    del repository.labels[label.id]
    del repository.label_ids[label.name.casefold()]
    for issue in repository.issues.values():
        issue.labels.pop(label.id, None)
        for suggestion in issue.suggestions.values():
            if suggestion.label_id == label.id and suggestion.state == "pending":
                suggestion.state = "invalidated"
    webhooks.label_hook(state, repository, label, "deleted", sender=actor)


def put_file(
    state: State, repository: Repository, path: str, content: bytes | None, *, actor: Account
) -> None:
    """Commit a file to the default branch, or with None its removal."""
    if content is None:
        repository.files.pop(path, None)
    else:
        repository.files[path] = content
    webhooks.push_hook(state, repository, [path], sender=actor)


def install(
    state: State,
    app: App,
    account: Account,
    repositories: Iterable[Repository] | None,
    *,
    permissions: Mapping[str, str] | None = None,
    sender: Account,
) -> Installation:
    """Install the App on an account: on these repositories, or on all with None."""
    now = state.now()
    chosen = None if repositories is None else {repository.id for repository in repositories}
    granted = dict(app.permissions if permissions is None else permissions)
    id_ = state.next_id()
    installation = Installation(id_, app, account, now, now, granted, app.events, chosen)
    state.installations[id_] = installation
    webhooks.installation_hook(state, installation, "created", sender=sender)
    return installation


def uninstall(state: State, installation: Installation, *, sender: Account) -> None:
    webhooks.installation_hook(state, installation, "deleted", sender=sender)
    del state.installations[installation.id]


def suspend(state: State, installation: Installation, *, sender: Account, on: bool) -> None:
    installation.suspended_at = state.now() if on else None
    installation.suspended_by = sender if on else None
    action = "suspend" if on else "unsuspend"
    webhooks.installation_hook(state, installation, action, sender=sender)


def grant(
    state: State, installation: Installation, permissions: Mapping[str, str], *, sender: Account
) -> None:
    """The account accepts what the App asks for by now."""
    installation.permissions = {**installation.permissions, **permissions}
    installation.updated_at = state.now()
    webhooks.installation_hook(state, installation, "new_permissions_accepted", sender=sender)


def change_repositories(
    state: State,
    installation: Installation,
    *,
    add: Iterable[Repository] = (),
    remove: Iterable[Repository] = (),
    sender: Account,
) -> None:
    """Two webhooks where both are given, as GitHub sends."""
    gained, lost = list(add), list(remove)
    ids = installation.repository_ids
    if ids is None:
        raise ValueError("this installation covers all repositories of its account")
    ids |= {repository.id for repository in gained}
    ids -= {repository.id for repository in lost}
    installation.updated_at = state.now()
    if gained:
        webhooks.repositories_hook(state, installation, added=gained, sender=sender)
    if lost:
        webhooks.repositories_hook(state, installation, removed=lost, sender=sender)


def label_named(repository: Repository, name: str) -> Label:
    found = find_label(repository, name)
    if found is None:
        raise LookupError(f"{repository.full_name} has no label {name!r}")
    return found
