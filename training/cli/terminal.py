"""What the commands share beside `bot.cli.terminal`: what they need installed, what they leave behind."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bot.errors import UserError


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


def need_training_extra() -> None:
    missing = [name for name in ("torch", "transformers") if find_spec(name) is None]
    if missing:
        raise UserError(
            f"Training needs {' and '.join(missing)}: pip install 'labelwright[training]'."
        )
