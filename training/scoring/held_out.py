"""Which issues each encoder is trained on, and which it is shown unseen, within the time there is.

Few issues: all are needed, nothing is held out. Some: every issue is unseen by one encoder. Many: a part
is spared by all, and the encoder that has not seen it serves; a large file is seen in part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from bot.core.evidence import KnownPairs
from training.device import Device
from training.recipe import Recipe
from training.scoring.folds import stratified_folds
from training.scoring.stacking import Floats64
from training.snapshot.near_duplicates import group_texts
from training.task import Ints, Task

ENOUGH = 12
"""Issues of the rarest label of single-label data, or a tenth of all issues, below which none is held
out;"""
FEW = 30
"""of multi-label data fewer do: thresholds chosen on ill-shown issues still beat one half."""
MANY = 2_000
"""Issues from which a part is spared: twice the encoders would cost minutes and bring little."""
SPARED_SHARE = 5
"""One in so many issues is spared,"""
SPARED_AT_MOST = 3_000
"""but not more than these."""
CPU_PASSES = 12_000
"""Upper bound of examples an encoder sees on a processor: some ten minutes on two cores."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Probabilities of training issues by models that had not seen them."""

    probabilities: Floats64
    known: KnownPairs
    closed: KnownPairs
    """The same pairs where a label that is not set counts as a no."""
    repo: Ints
    fold: Ints
    """Issues of one fold were scored by one stack, which had not seen them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`trained`: the rows of each encoder, the one that serves last. `unseen`: the rows it shows what it
    can do on, empty where it shows nothing."""

    trained: tuple[Ints, ...]
    unseen: tuple[Ints, ...]


def plan_encoders(task: Task, recipe: Recipe, *, seed: int) -> Plan:
    everything, nothing = np.arange(len(task.issues)), np.array([], dtype=np.int64)
    if not recipe.held_out_parts or not _enough(task):
        return Plan((everything,), (nothing,))
    many = len(everything) >= MANY
    parts = max(SPARED_SHARE, math.ceil(len(everything) / SPARED_AT_MOST))
    unseen = _parts(task, parts if many else recipe.held_out_parts, seed=seed)
    trained = [np.setdiff1d(everything, part) for part in unseen]
    if min(map(len, trained)) == 0:  # copies of one issue: nothing to test on but what was learned
        return Plan((everything,), (nothing,))
    if many:
        return Plan((trained[0],), (unseen[0],))
    return Plan((*trained, everything), (*unseen, nothing))


def _parts(task: Task, count: int, *, seed: int) -> list[Ints]:
    """Parts in proportion, each issue with its near-duplicates: a copy that was learned proves nothing."""
    part = np.zeros(len(task.issues), dtype=np.int64)
    for number, rows in enumerate(stratified_folds(task, parts=count, seed=seed)):
        part[rows] = number
    part = part[group_texts([issue.text for issue in task.issues])]
    return [np.flatnonzero(part == number) for number in range(count)]


def within_means(recipe: Recipe, device: Device) -> Recipe:
    """The recipe with no more passes than the device gets through while somebody waits."""
    if device.kind != "cpu":
        return recipe
    return replace(recipe, max_passes=min(recipe.max_passes, CPU_PASSES))


def sample_rows(rows: Ints, known: KnownPairs, *, most: int, seed: int) -> Ints:
    """At most so many of `rows`, ascending: those of rare labels first, `known` [len(rows), L]."""
    if len(rows) <= most:
        return rows
    order = np.random.default_rng(seed).permutation(len(rows))
    return np.sort(rows[order[np.argsort(_turns(known[order]), kind="stable")[:most]]])


def _turns(known: KnownPairs) -> Ints:
    """[n]: how many issues of the same rarest label came before, so that labels take turns."""
    positive = known > 0
    rarity = np.where(positive, positive.sum(axis=0), len(known) + 1)
    kind = np.where(positive.any(axis=1), rarity.argmin(axis=1), -1)
    seen: dict[int, count[int]] = {}
    return np.array([next(seen.setdefault(label, count())) for label in kind.tolist()])


def _enough(task: Task) -> bool:
    rarest = int((task.known > 0).sum(axis=0).min())
    return len(task.issues) >= (10 * ENOUGH if task.space.single and rarest < ENOUGH else FEW)


def rows_of(parts: Sequence[Ints]) -> Ints:
    """All rows of the parts, ascending."""
    return np.sort(np.concatenate(parts))
