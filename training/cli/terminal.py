"""What the commands share: where they print, how they fail, what they need installed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape

from bot.errors import LabelwrightError, UserError

console = Console()
errors = Console(stderr=True)

USER_ERROR_EXIT = 2


def write_json(path: Path, answer: dict[str, Any]) -> None:
    """All at once: what lies under `path` is never half a file."""
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        unfinished.write_text(json.dumps(answer, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror}). Give another --json."
        ) from error


@contextmanager
def polite_errors() -> Iterator[None]:
    """Errors that we raise on purpose are one line for a person, not a trace."""
    try:
        yield
    except LabelwrightError as error:
        errors.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise typer.Exit(USER_ERROR_EXIT) from None


def need_training_extra() -> None:
    missing = [name for name in ("torch", "transformers") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"Training needs {' and '.join(missing)}: pip install 'labelwright[training]'."
        )
