"""Callers of the sandbox without any client library: an App by its JWT, an installation by its token."""

from __future__ import annotations

import time

import httpx
import jwt

from bot.sandbox.server import SandboxServer

VERSION = {"X-GitHub-Api-Version": "2022-11-28"}


def app_jwt(sandbox: SandboxServer, *, lifetime: int = 540, **claims: object) -> str:
    now = int(time.time())
    told = {"iat": now - 60, "exp": now + lifetime, "iss": str(sandbox.app_id), **claims}
    return jwt.encode(told, sandbox.private_key, algorithm="RS256")


def caller(sandbox: SandboxServer, credential: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {credential}", **VERSION}
    return httpx.Client(base_url=sandbox.url, headers=headers, timeout=10)


def as_app(sandbox: SandboxServer) -> httpx.Client:
    return caller(sandbox, app_jwt(sandbox))


def as_installation(sandbox: SandboxServer, installation: int, **wanted: object) -> httpx.Client:
    with as_app(sandbox) as app:
        answer = app.post(f"/app/installations/{installation}/access_tokens", json=wanted)
    return caller(sandbox, answer.raise_for_status().json()["token"])
