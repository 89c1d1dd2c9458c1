"""Who is calling: App JWTs, installation tokens, personal tokens, and what each may do.
Refuses in GitHub's words; never logs a token."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

import jwt

from bot.sandbox.answers import forbidden, not_found, unauthorized
from bot.sandbox.records import Account, App, Installation, Repository
from bot.sandbox.state import State, Token, covers

JWT_LIFETIME = 600
TOKEN_LIFETIME = timedelta(hours=1)
LEVELS = {"read": 1, "write": 2, "admin": 3}
ROLES = {"read": 1, "triage": 2, "write": 3, "maintain": 4, "admin": 5}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. `account` is the actor that changes are attributed to."""

    kind: Literal["nobody", "app", "installation", "user"]
    account: Account | None = None
    app: App | None = None
    installation: Installation | None = None
    permissions: Mapping[str, str] = field(default_factory=dict)
    repository_ids: frozenset[int] | None = None

    @property
    def actor(self) -> Account:
        if self.account is None:
            raise unauthorized("Requires authentication")
        return self.account


def identify(state: State, header: str | None) -> Caller:
    """The caller behind an Authorization header."""
    if not header:
        return Caller("nobody")
    scheme, _, credential = header.partition(" ")
    if scheme.lower() not in ("bearer", "token") or not credential:
        raise unauthorized()
    if credential in state.tokens:
        return _token_holder(state, state.tokens[credential])
    if credential.count(".") == 2 and not credential.startswith("ghs_"):
        return _app_holder(state, credential)
    raise unauthorized()


def _token_holder(state: State, token: Token) -> Caller:
    if token.expires_at <= state.now():
        raise unauthorized()
    installation = token.installation
    if installation is None:
        return Caller("user", token.account)
    if installation.id not in state.installations:
        raise unauthorized()
    if installation.suspended_at is not None:
        raise forbidden("This installation has been suspended")
    return Caller(
        "installation",
        token.account,
        app=installation.app,
        installation=installation,
        permissions=token.permissions,
        repository_ids=token.repository_ids,
    )


def _app_holder(state: State, encoded: str) -> Caller:
    app = _issuer(state, encoded)
    claims = _claims(encoded, app)
    now = state.now().timestamp()
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(expires, int | float) or expires <= now:
        raise unauthorized(
            "'Expiration time' claim ('exp') must be a numeric value representing the future time "
            "at which the assertion expires"
        )
    if expires > now + JWT_LIFETIME:
        raise unauthorized("'Expiration time' claim ('exp') is too far in the future")
    if not isinstance(issued, int | float) or issued > now:
        raise unauthorized(
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion "
            "was issued"
        )
    return Caller("app", app.bot, app=app)


def _issuer(state: State, encoded: str) -> App:
    try:
        named = jwt.decode(encoded, options={"verify_signature": False}).get("iss")
    except jwt.PyJWTError:
        raise unauthorized("A JSON web token could not be decoded") from None
    for app in state.apps.values():
        if str(named) in (str(app.id), app.client_id):
            return app
    raise unauthorized("Integration not found")


def _claims(encoded: str, app: App) -> dict[str, object]:
    relaxed = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_sub": False}
    try:
        return jwt.decode(encoded, app.public_key, algorithms=["RS256"], options=relaxed)  # type: ignore[arg-type]
    except jwt.PyJWTError:
        raise unauthorized("A JSON web token could not be decoded") from None


def issue_token(
    state: State,
    installation: Installation,
    *,
    permissions: dict[str, str],
    repository_ids: frozenset[int] | None,
    long: bool = True,
) -> Token:
    """A new installation token. The long form is what GitHub is moving to: about 520 opaque characters."""
    value = f"ghs_{installation.app.id}_{_three_parts(500)}" if long else _short()
    expires = state.now() + TOKEN_LIFETIME
    bot = installation.app.bot
    token = Token(value, bot, expires, installation, permissions, repository_ids)
    state.tokens[value] = token
    return token


def _short() -> str:
    return "ghs_" + secrets.token_hex(18)


def _three_parts(length: int) -> str:
    text = secrets.token_urlsafe(length).replace("_", "a").replace("-", "b")
    return f"{text[:40]}.{text[40 : length - 86]}.{text[length - 86 : length]}"


def demand(caller: Caller, needs: str, repository: Repository, *, role: str = "triage") -> None:
    """Raise unless `caller` holds the permission `needs` (`issues:write`) on the repository.

    Public repositories can be read by whoever is known, without any grant: GitHub documents it so.
    """
    name, _, level = needs.partition(":")
    if caller.kind == "nobody":
        raise unauthorized("Requires authentication")
    if caller.kind == "user":
        _demand_role(caller, repository, role="read" if level == "read" else role)
        return
    if caller.kind != "installation" or caller.installation is None:
        raise forbidden("A JSON web token could not be used here; use an installation token")
    inside = _reaches(caller, repository)
    if repository.private and not inside:
        raise not_found()
    granted = LEVELS.get(caller.permissions.get(name, ""), 0)
    if inside and (granted >= LEVELS[level] or (name, level) == ("metadata", "read")):
        return
    if level == "read" and not repository.private:
        return
    raise forbidden()


def _reaches(caller: Caller, repository: Repository) -> bool:
    if caller.installation is None or not covers(caller.installation, repository):
        return False
    return caller.repository_ids is None or repository.id in caller.repository_ids


def role_of(repository: Repository, login: str) -> str | None:
    """`admin` for the owner, the role given otherwise, `read` for anybody on a public repository."""
    if login.casefold() == repository.owner.login.casefold():
        return "admin"
    public = None if repository.private else "read"
    return repository.roles.get(login.casefold(), public)


def _demand_role(caller: Caller, repository: Repository, *, role: str) -> None:
    held = role_of(repository, caller.actor.login)
    if held is None:
        raise not_found()
    if ROLES[held] < ROLES[role]:
        raise forbidden(f"Must have {role} access to the repository.")
