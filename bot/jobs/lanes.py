"""How many jobs of each queue a worker runs at once: a queue never waits for the slots of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.jobs.queue import LIVE

BESIDE = 1
"""Jobs at once in every queue but the live one: they use processors, not patience."""


@dataclass(frozen=True, slots=True)
class Lane:
    queue: str
    concurrency: int


def lanes_of(queues: Sequence[str], *, concurrency: int) -> tuple[Lane, ...]:
    """A lane per queue; `concurrency` is that of the live one."""
    return tuple(Lane(name, concurrency if name == LIVE else BESIDE) for name in queues)
