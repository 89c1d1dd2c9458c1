"""How an App comes to be: a key, a secret, a bot account. The private key is returned, never kept."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.sandbox.records import DEFAULT_EVENTS, DEFAULT_PERMISSIONS, App
from bot.sandbox.state import State


def new_key() -> str:
    """A private RSA key as PEM, in the form GitHub hands out."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


def public_half(private_key: str) -> str:
    key = serialization.load_pem_private_key(private_key.encode(), password=None)
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def register_app(
    state: State,
    *,
    name: str,
    slug: str,
    owner: str,
    private_key: str,
    webhook_secret: str | None = None,
    hook_url: str | None = None,
    permissions: Mapping[str, str] = DEFAULT_PERMISSIONS,
    events: Sequence[str] = DEFAULT_EVENTS,
) -> App:
    app = App(
        id=state.next_id(),
        slug=slug,
        name=name,
        owner=state.account(owner),
        bot=state.account(f"{slug}[bot]", kind="Bot"),
        client_id=f"Iv23li{secrets.token_hex(7)}",
        client_secret=secrets.token_hex(20),
        public_key=public_half(private_key),
        webhook_secret=webhook_secret or secrets.token_hex(20),
        hook_id=state.next_id(),
        hook_url=hook_url,
        created_at=state.now(),
        permissions={"metadata": "read", **permissions},
        events=tuple(events),
    )
    state.apps[app.id] = app
    return app
