"""What an augmentation is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from bot.core.types import IssueText

Augment: TypeAlias = Callable[[IssueText, Sequence[int]], IssueText]
"""Another reading of an issue. The second argument is a seed: the same seed, the same reading."""
