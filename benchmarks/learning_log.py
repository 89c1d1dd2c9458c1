"""What a replay of the fast loop leaves behind, for figures to be drawn from. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bot.classify.trial import Trial

Who = Literal["fast", "slow", "frozen"]
"""The head that serves; the last whole fit, without memory or refits of single labels; the first of all."""
WATCHING: tuple[Who, ...] = ("fast", "slow", "frozen")


@dataclass(frozen=True, slots=True)
class Arrival:
    """What each head would have applied to an issue. Where we were `silent` nothing was written."""

    row: int
    silent: bool
    applied: dict[Who, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Taught:
    """A refit or a whole fit. `waits`: seconds from each new correction to its begin."""

    kind: Literal["labels", "whole"]
    at: datetime
    wall: float
    cpu: float
    trial: Trial | None
    objection: str
    waits: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Log:
    """All that happened. `learned`: (row, label, sign) of what was corrected -> when a head that
    remembers it came to serve."""

    arrivals: list[Arrival] = field(default_factory=list)
    taught: list[Taught] = field(default_factory=list)
    learned: dict[tuple[int, str, int], datetime] = field(default_factory=dict)
