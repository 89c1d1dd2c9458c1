"""No secret reaches a log line."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from bot.github.redact import RedactSecrets, redact

OLD = "ghs_" + "a1B2" * 9
NEW = "ghs_1234_" + "eyJhbGciOi.JIUzI1-NiJ9_" * 20
JWT = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxIn0.c2lnbmF0dXJl-_"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"token is {OLD}.", "a1B2a1B2"),
        (f"url http://x/?t={NEW}&y=1", "JIUzI1"),
        (f"jwt={JWT}", "c2lnbmF0dXJl"),
        (f"key: {PEM} end", "MIIEow"),
        ("-----BEGIN PRIVATE KEY-----\nMIIEvQ cut", "MIIEvQ"),
        ("Authorization: Bearer opaque-123", "opaque-123"),
        ("authorization: token opaque-123", "opaque-123"),
        ("{'Authorization': 'Bearer opaque-123', 'Accept': 'x'}", "opaque-123"),
        ("{b'authorization': b'Bearer opaque-123'}", "opaque-123"),
        ("[(b'Authorization', b'Bearer opaque-123')]", "opaque-123"),
        ('"Authorization":"Basic b3BhcXVl"', "b3BhcXVl"),
        ("sent bearer abcdefghijklmnopqrstuvwx", "abcdefghijkl"),
        ("github_pat_11AAAAAAA0abcdefghijklmnop", "11AAAAAAA0"),
    ],
)
def test_every_kind_of_secret_is_masked(text: str, secret: str) -> None:
    masked = redact(text)
    assert secret not in masked
    assert "[redacted]" in masked


@pytest.mark.parametrize(
    "text",
    [
        "labelled acme/widget#3 with kind/bug",
        "ghs_short is no token",
        "the token of installation 42 is refreshed",
        "authorization is needed",
        "{'Accept': 'application/json'}",
    ],
)
def test_plain_words_are_left_alone(text: str) -> None:
    assert redact(text) == text


def test_what_stands_beside_a_secret_is_kept() -> None:
    masked = redact("{'Authorization': 'Bearer opaque-123', 'Accept': 'text/x'}")
    assert masked == "{'Authorization': '[redacted]', 'Accept': 'text/x'}"


@pytest.fixture
def logged() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    stream = io.StringIO()
    parent = logging.getLogger("test_redact")
    parent.propagate = False
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactSecrets())
    parent.addHandler(handler)
    yield parent.getChild("inner"), stream
    parent.removeHandler(handler)


def test_arguments_of_child_loggers_are_masked(
    logged: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, stream = logged
    logger.warning("got %s for %d", OLD, 42)
    assert stream.getvalue() == "got [redacted] for 42\n"


def test_tracebacks_are_masked(logged: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = logged
    try:
        raise ValueError(f"bad token {OLD}")
    except ValueError:
        logger.exception("call failed")
    assert "bad token [redacted]" in stream.getvalue()
    assert "a1B2" not in stream.getvalue()
