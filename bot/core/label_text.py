"""What the encoder reads of a label: its name turned into words, and what its maintainers say of it."""

from __future__ import annotations

import re

from bot.core.types import LabelSpec

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_PUNCTUATION = re.compile(r"[^\w+#]+|_")
_SPACES = re.compile(r"\s+")


def label_text(spec: LabelSpec) -> str:
    """`area/DevTools`, "The inspector" -> `area dev tools: The inspector`."""
    spaced = _PUNCTUATION.sub(" ", _HUMP.sub(" ", spec.name))
    words = _SPACES.sub(" ", spaced).strip().lower() or spec.name
    return f"{words}: {spec.description}" if spec.description else words
