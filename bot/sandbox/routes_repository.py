"""A repository, its files, and what its people may do."""

from __future__ import annotations

from bot.sandbox.answers import Answer, not_found
from bot.sandbox.auth import ROLES, role_of
from bot.sandbox.payloads_app import file_payload, full_repository_payload
from bot.sandbox.router import Call, Route
from bot.sandbox.shapes import account_payload

REPOSITORY = "/repos/{owner}/{repo}"
OLD_ROLES = {"triage": "read", "maintain": "write"}


def get_repository(call: Call) -> Answer:
    return Answer(200, full_repository_payload(call.state, call.repository))


def get_contents(call: Call) -> Answer:
    """Files only; the sandbox keeps no folders. `ref` may name the default branch and no other."""
    branch = call.repository.default_branch
    path = call.params["path"]
    content = call.repository.files.get(path)
    if content is None or call.query.get("ref", branch) not in (branch, f"refs/heads/{branch}"):
        raise not_found()
    return Answer(200, file_payload(call.state, call.repository, path, content))


def get_permission(call: Call) -> Answer:
    """`permission` is the old word, which knows neither triage nor maintain."""
    login = call.params["login"]
    if login.casefold() not in call.state.accounts:
        raise not_found()
    account = call.state.account(login)
    role = role_of(call.repository, login) or "none"
    rank = ROLES.get(role, 0)
    grants = {
        "admin": rank >= ROLES["admin"],
        "maintain": rank >= ROLES["maintain"],
        "push": rank >= ROLES["write"],
        "triage": rank >= ROLES["triage"],
        "pull": rank >= ROLES["read"],
    }
    user = account_payload(call.state.url, account) | {"permissions": grants, "role_name": role}
    body = {"permission": OLD_ROLES.get(role, role), "role_name": role, "user": user}
    return Answer(200, body)


ROUTES = (
    Route("GET", REPOSITORY, get_repository, "metadata:read"),
    Route("GET", REPOSITORY + "/contents/{path:path}", get_contents, "contents:read"),
    Route("GET", REPOSITORY + "/collaborators/{login}/permission", get_permission, "metadata:read"),
)
