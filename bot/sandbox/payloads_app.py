"""REST shapes of Apps, installations, tokens, repositories and files."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import quote

from bot.sandbox.records import App, Installation, Repository
from bot.sandbox.shapes import REPOSITORY_LINKS, Json, account_payload, iso, node_id
from bot.sandbox.state import State, Token


def app_payload(state: State, app: App) -> Json:
    return {
        "id": app.id,
        "client_id": app.client_id,
        "slug": app.slug,
        "node_id": node_id("A", app.id),
        "owner": account_payload(state.url, app.owner),
        "name": app.name,
        "description": "",
        "external_url": f"{state.url}/about/{app.slug}",
        "html_url": f"{state.url}/apps/{app.slug}",
        "created_at": iso(app.created_at),
        "updated_at": iso(app.created_at),
        "permissions": dict(app.permissions),
        "events": list(app.events),
    }


def installation_payload(state: State, installation: Installation) -> Json:
    here = f"{state.url}/app/installations/{installation.id}"
    account, by = installation.account, installation.suspended_by
    return {
        "id": installation.id,
        "client_id": installation.app.client_id,
        "account": account_payload(state.url, account),
        "repository_selection": selection(installation),
        "access_tokens_url": f"{here}/access_tokens",
        "repositories_url": f"{state.url}/installation/repositories",
        "html_url": f"{state.url}/settings/installations/{installation.id}",
        "app_id": installation.app.id,
        "app_slug": installation.app.slug,
        "target_id": account.id,
        "target_type": account.type,
        "permissions": dict(installation.permissions),
        "events": list(installation.events),
        "created_at": iso(installation.created_at),
        "updated_at": iso(installation.updated_at),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": account_payload(state.url, by) if by else None,
        "suspended_at": iso(installation.suspended_at),
    }


def selection(installation: Installation) -> str:
    return "all" if installation.repository_ids is None else "selected"


def token_payload(state: State, token: Token, *, named: bool) -> Json:
    """`named`: the token was asked for by repository, so the answer lists them."""
    installation = token.installation
    if installation is None:
        raise AssertionError("a personal token has no such payload")
    payload: Json = {
        "token": token.value,
        "expires_at": iso(token.expires_at),
        "permissions": dict(token.permissions),
        "repository_selection": "selected" if named else selection(installation),
    }
    if named:
        covered = [state.repositories[id_] for id_ in sorted(token.repository_ids or ())]
        payload["repositories"] = [repository_payload(state, repo) for repo in covered]
    return payload


def short_repository(repository: Repository) -> Json:
    return {
        "id": repository.id,
        "node_id": node_id("R", repository.id),
        "name": repository.name,
        "full_name": repository.full_name,
        "private": repository.private,
    }


def repository_payload(state: State, repository: Repository) -> Json:
    url = f"{state.url}/repos/{repository.full_name}"
    html = f"{state.url}/{repository.full_name}"
    links = {key: url + rest for key, rest in REPOSITORY_LINKS.items()}
    return {
        **short_repository(repository),
        "owner": account_payload(state.url, repository.owner),
        "html_url": html,
        "description": None,
        "fork": False,
        "url": url,
        **links,
        **_clone_links(html),
        **_counters(repository),
        **_settings(repository),
        "created_at": iso(repository.created_at),
        "updated_at": iso(repository.created_at),
        "pushed_at": iso(repository.created_at),
    }


def pushed_repository_payload(state: State, repository: Repository) -> Json:
    """What a push says of its repository: an older shape, with times in seconds and the page as `url`."""
    payload = repository_payload(state, repository)
    seconds = int(repository.created_at.timestamp())
    owner = {"name": repository.owner.login, "email": f"{repository.owner.login}@example.invalid"}
    return payload | {
        "url": payload["html_url"],
        "owner": owner | payload["owner"],
        "created_at": seconds,
        "pushed_at": int(state.now().timestamp()),
        "stargazers": 0,
        "master_branch": repository.default_branch,
    }


def full_repository_payload(state: State, repository: Repository) -> Json:
    """What `GET /repos/{owner}/{repo}` adds."""
    return repository_payload(state, repository) | {
        "permissions": {
            "admin": False,
            "maintain": False,
            "push": False,
            "triage": False,
            "pull": True,
        },
        "subscribers_count": 0,
        "network_count": 0,
    }


def _clone_links(html: str) -> Json:
    bare = html.partition("://")[2]
    return {
        "git_url": f"git://{bare}.git",
        "ssh_url": f"git@{bare}.git",
        "clone_url": f"{html}.git",
        "svn_url": html,
        "mirror_url": None,
        "homepage": None,
    }


def _counters(repository: Repository) -> Json:
    unsettled = sum(issue.state == "open" for issue in repository.issues.values())
    return {
        "size": 1,
        "stargazers_count": 0,
        "watchers_count": 0,
        "forks_count": 0,
        "open_issues_count": unsettled,
        "forks": 0,
        "open_issues": unsettled,
        "watchers": 0,
    }


def _settings(repository: Repository) -> Json:
    return {
        "language": None,
        "license": None,
        "has_issues": True,
        "has_projects": True,
        "has_downloads": True,
        "has_wiki": False,
        "has_pages": False,
        "has_discussions": False,
        "archived": repository.archived,
        "disabled": False,
        "is_template": False,
        "allow_forking": True,
        "web_commit_signoff_required": False,
        "topics": [],
        "custom_properties": {},
        "visibility": "private" if repository.private else "public",
        "default_branch": repository.default_branch,
    }


def file_payload(state: State, repository: Repository, path: str, content: bytes) -> Json:
    sha = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    url = f"{state.url}/repos/{repository.full_name}"
    here = f"{url}/contents/{quote(path)}?ref={repository.default_branch}"
    html = f"{state.url}/{repository.full_name}/blob/{repository.default_branch}/{quote(path)}"
    git = f"{url}/git/blobs/{sha}"
    encoded = base64.encodebytes(content).decode()
    return {
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "size": len(content),
        "url": here,
        "html_url": html,
        "git_url": git,
        "download_url": html.replace("/blob/", "/raw/"),
        "type": "file",
        "content": encoded,
        "encoding": "base64",
        "_links": {"self": here, "git": git, "html": html},
    }
