"""Corrections: label events by humans that contradict what we did, and why the others are none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Kind = Literal["removal", "addition", "swap"]


@dataclass(frozen=True, slots=True)
class Correction:
    """A human contradicted a decision of ours that took effect.

    *removal*: our label was taken off. *addition*: a label was set where we had said nothing.
    *swap*: both at once inside an exclusive group; `removed` gave way to `added`.
    """

    kind: Kind
    issue_id: int
    removed: str | None
    added: str | None
    actor: str
    weight: float
    """What it counts for in a fit, in (0, 1]: a maintainer's word counts fully, others' less."""
    at: datetime
