"""Logging set-up for the commands: one line an event, tokens redacted."""

from __future__ import annotations

import logging

from bot.github.redact import RedactSecrets


def configure_logging(level: str) -> None:
    """Log to standard error; every handler redacts, so no logger can forget to."""
    handler = logging.StreamHandler()
    handler.addFilter(RedactSecrets())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("httpx", "procrastinate", "alembic", "urllib3", "github"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))
