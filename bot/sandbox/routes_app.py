"""What an App asks about itself: installations, tokens, its hook and deliveries, and its birth from a
manifest."""

from __future__ import annotations

from bot.sandbox.answers import Answer, forbidden, invalid, not_found, refusal
from bot.sandbox.auth import LEVELS, issue_token
from bot.sandbox.paging import numbered
from bot.sandbox.payloads_app import (
    app_payload,
    installation_payload,
    repository_payload,
    selection,
    token_payload,
)
from bot.sandbox.records import App, Installation
from bot.sandbox.router import Call, Route
from bot.sandbox.state import State


def _app(call: Call) -> App:
    if call.caller.app is None:
        raise forbidden()
    return call.caller.app


def own_installation(call: Call) -> Installation:
    found = call.state.installations.get(int(call.params["installation_id"]))
    if found is None or found.app is not _app(call):
        raise not_found()
    return found


def get_app(call: Call) -> Answer:
    app = _app(call)
    count = sum(installation.app is app for installation in call.state.installations.values())
    return Answer(200, app_payload(call.state, app) | {"installations_count": count})


def list_installations(call: Call) -> Answer:
    app = _app(call)
    mine = [one for one in call.state.installations.values() if one.app is app]
    page, links = numbered(mine, call.query, url=f"{call.state.url}{call.path}")
    return Answer(200, [installation_payload(call.state, one) for one in page], links)


def get_installation(call: Call) -> Answer:
    return Answer(200, installation_payload(call.state, own_installation(call)))


def repository_installation(call: Call) -> Answer:
    for installation in call.state.installations_on(call.repository):
        if installation.app is _app(call):
            return Answer(200, installation_payload(call.state, installation))
    raise not_found()


def create_token(call: Call) -> Answer:
    installation = own_installation(call)
    if installation.suspended_at is not None:
        raise forbidden("This installation has been suspended")
    granted = _granted(installation, call.fields.get("permissions"))
    ids = _chosen(call.state, installation, call.fields)
    long = call.headers.get("x-github-stateless-s2s-token", "enabled") != "disabled"
    token = issue_token(
        call.state, installation, permissions=granted, repository_ids=ids, long=long
    )
    return Answer(201, token_payload(call.state, token, named=ids is not None))


def _granted(installation: Installation, wanted: object) -> dict[str, str]:
    """All of the installation's permissions, or the part asked for. More than it has is refused."""
    if not wanted:
        return dict(installation.permissions)
    if not isinstance(wanted, dict):
        raise invalid("InstallationToken", "permissions", "invalid")
    for name, level in wanted.items():
        held = LEVELS.get(installation.permissions.get(name, ""), 0)
        if LEVELS.get(str(level), 9) > held:
            raise refusal(422, "The permissions requested are not granted to this installation.")
    return {"metadata": "read"} | {str(name): str(level) for name, level in wanted.items()}


def _chosen(
    state: State, installation: Installation, fields: dict[str, object]
) -> frozenset[int] | None:
    names, ids = fields.get("repositories"), fields.get("repository_ids")
    if not isinstance(names, list) and not isinstance(ids, list):
        return None
    wanted: list[object] = [*(names or []), *(ids or [])]  # type: ignore[misc]
    reachable = list(state.repositories_of(installation))
    found = {repo.id for repo in reachable if repo.name in wanted or repo.id in wanted}
    if len(found) < len(set(wanted)):
        raise refusal(
            422,
            "There is at least one repository that does not exist or is not accessible to the "
            "parent installation.",
        )
    return frozenset(found)


def list_installation_repositories(call: Call) -> Answer:
    installation = call.caller.installation
    if installation is None:
        raise forbidden("You must authenticate with an installation access token")
    allowed = call.caller.repository_ids
    reachable = [
        repository
        for repository in call.state.repositories_of(installation)
        if allowed is None or repository.id in allowed
    ]
    page, links = numbered(reachable, call.query, url=f"{call.state.url}{call.path}")
    body = {
        "total_count": len(reachable),
        "repository_selection": selection(installation),
        "repositories": [repository_payload(call.state, repository) for repository in page],
    }
    return Answer(200, body, links)


ROUTES = (
    Route("GET", "/app", get_app, "app"),
    Route("GET", "/app/installations", list_installations, "app"),
    Route("GET", "/app/installations/{installation_id:int}", get_installation, "app"),
    Route("POST", "/app/installations/{installation_id:int}/access_tokens", create_token, "app"),
    Route("GET", "/repos/{owner}/{repo}/installation", repository_installation, "app"),
    Route("GET", "/installation/repositories", list_installation_repositories, "installation"),
)
