"""The smallest shapes: times, node ids, accounts and the many links of a repository."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, overload

from bot.sandbox.records import Account

Json = dict[str, Any]

REPOSITORY_LINKS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}


@overload
def iso(moment: datetime) -> str: ...
@overload
def iso(moment: datetime | None) -> str | None: ...
def iso(moment: datetime | None) -> str | None:
    """GitHub's spelling: UTC, whole seconds, Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def node_id(prefix: str, id_: int) -> str:
    packed = base64.urlsafe_b64encode(id_.to_bytes(8, "big")).decode().rstrip("=")
    return f"{prefix}_{packed}"


@lru_cache(maxsize=8192)
def account_payload(url: str, account: Account) -> Json:
    """Shared between answers: never change what this returns."""
    here = f"{url}/users/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": node_id("U", account.id),
        "avatar_url": f"{url}/avatars/u/{account.id}?v=4",
        "gravatar_id": "",
        "url": here,
        "html_url": f"{url}/{account.login.replace('[bot]', '')}",
        "followers_url": f"{here}/followers",
        "following_url": f"{here}/following{{/other_user}}",
        "gists_url": f"{here}/gists{{/gist_id}}",
        "starred_url": f"{here}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{here}/subscriptions",
        "organizations_url": f"{here}/orgs",
        "repos_url": f"{here}/repos",
        "events_url": f"{here}/events{{/privacy}}",
        "received_events_url": f"{here}/received_events",
        "type": account.type,
        "user_view_type": "public",
        "site_admin": False,
    }


def organization_payload(url: str, account: Account) -> Json:
    here = f"{url}/orgs/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": node_id("O", account.id),
        "url": here,
        "repos_url": f"{here}/repos",
        "events_url": f"{here}/events",
        "hooks_url": f"{here}/hooks",
        "issues_url": f"{here}/issues",
        "members_url": f"{here}/members{{/member}}",
        "public_members_url": f"{here}/public_members{{/member}}",
        "avatar_url": f"{url}/avatars/u/{account.id}?v=4",
        "description": None,
    }
