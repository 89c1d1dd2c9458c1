"""A maintainer by numbers: what somebody who reads an issue later does to its labels, drawn from a seed.

Knows what the issue should carry and what we set; refuses to know why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np


@dataclass(frozen=True, slots=True)
class Habits:
    """Chances that a wrong label is taken off, a missing one set, and that a correction is a slip: it
    hits another label, and is wrong. `hours` is the median of the lognormal delay, `spread` that of its
    logarithm."""

    remove: float = 0.7
    add: float = 0.2
    slip: float = 0.03
    hours: float = 6.0
    spread: float = 1.2


@dataclass(frozen=True, slots=True)
class Change:
    """One label set or taken off; `slip` if it should not have been."""

    label: str
    added: bool
    slip: bool = False


@dataclass(frozen=True, slots=True)
class Visit:
    """What was done to one issue, so long after it was filed."""

    after: timedelta
    changes: tuple[Change, ...]


def visit(
    habits: Habits,
    *,
    seed: int,
    issue: int,
    wanted: Collection[str],
    unwanted: Collection[str],
    there: Collection[str],
) -> Visit:
    """The one visit to an issue. `wanted` and `unwanted`: labels that it should and should not carry, by
    all that is known; `there`: those that it carries. A label that is in neither is left alone."""
    rng = np.random.default_rng([seed, issue])
    after = timedelta(hours=habits.hours * float(np.exp(habits.spread * rng.standard_normal())))
    slips = _slips(rng, wanted=wanted, unwanted=unwanted, there=there)
    found: dict[str, Change] = {}
    for label in sorted({*wanted, *unwanted}):
        # Drawn for every label, so that the draws of one do not depend on what the others carry.
        acts, slipped = rng.random(2)
        missing = label in wanted and label not in there
        wrong = label in unwanted and label in there
        if not ((missing and acts < habits.add) or (wrong and acts < habits.remove)):
            continue
        change = Change(label, added=missing)
        if slipped < habits.slip:
            change = next(slips, change)
        found[change.label] = change
    return Visit(after, tuple(found.values()))


def _slips(
    rng: np.random.Generator,
    *,
    wanted: Collection[str],
    unwanted: Collection[str],
    there: Collection[str],
) -> Iterator[Change]:
    """Wrong changes in random order; each hits a label that nobody would have had to touch."""
    right = [Change(label, added=False, slip=True) for label in wanted if label in there]
    absent = [Change(label, added=True, slip=True) for label in unwanted if label not in there]
    every = sorted([*right, *absent], key=lambda change: change.label)
    order = np.random.default_rng(rng.integers(2**32)).permutation(len(every))
    return iter([every[place] for place in order])
