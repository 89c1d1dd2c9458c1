"""Is it GitHub who speaks? HMAC SHA-256 over the raw bytes, in constant time, against every secret."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

SCHEME = "sha256="


def sign(secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature-256."""
    return SCHEME + hmac.digest(secret.encode(), body, "sha256").hex()


def verify(secrets: Sequence[str], body: bytes, signature: str) -> bool:
    """Whether one of the secrets signed the body. All are tried, whichever fits."""
    given = signature.encode("utf-8", "replace")
    matches = [hmac.compare_digest(sign(secret, body).encode(), given) for secret in secrets]
    return any(matches)
