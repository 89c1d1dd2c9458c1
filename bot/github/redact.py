"""Keeps secrets out of the log: a filter for handlers, since one on a logger does not see its children.

Does not touch issue text: our own code never logs it, and PyGithub's debug log, which would, is off (`bot.log`).
"""

from __future__ import annotations

import logging
import re

MASK = "[redacted]"

_SECRETS = (
    # whole PEM keys first: their lines look like nothing in particular
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
    ),
    # in headers as text, as a dict's repr or as bytes: whatever follows the name, up to its end
    re.compile(
        r"(?P<keep>authorization(?:['\"])?\s*[:=,]\s*(?:b?['\"])?)"
        r"(?:(?:bearer|token|basic)\s+)?[^\s'\",;}\]]+",
        re.IGNORECASE,
    ),
    re.compile(r"(?P<keep>\b(?:bearer|token)\s+)[A-Za-z0-9._~+/=-]{20,}", re.IGNORECASE),
    # ghs_ of an installation in both its forms, and its kin of users and OAuth
    re.compile(r"gh[sopru]_[A-Za-z0-9._-]{36,}"),
    re.compile(r"github_pat_[A-Za-z0-9_]{22,}"),
    # a JWT: two JSON objects and a signature
    re.compile(r"eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"),
)


def redact(text: str) -> str:
    """The text with every token, JWT, PEM key and Authorization value masked."""
    for pattern in _SECRETS:
        text = pattern.sub(_masked, text)
    return text


def _masked(found: re.Match[str]) -> str:
    return f"{found.groupdict().get('keep') or ''}{MASK}"


class RedactSecrets(logging.Filter):
    """Masks the finished message and a traceback of a record. Lets every record through."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            return True  # logging itself reports the broken format
        record.msg, record.args = redact(message), None
        if record.exc_info and record.exc_info[0] is not None:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True
