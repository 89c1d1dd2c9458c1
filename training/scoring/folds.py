"""Splits of a task into parts that keep repositories and labels in proportion, drawn by a seed."""

from __future__ import annotations

import numpy as np

from training.task import Ints, Task


def stratified_folds(task: Task, *, parts: int, seed: int) -> list[Ints]:
    """Row numbers of each part, ascending. Issues of one stratum are dealt out in turn, and the deal
    goes on where the last stratum ended, so that the parts differ by one issue at most."""
    rng = np.random.default_rng(seed)
    strata = np.array(task.strata())
    order = np.concatenate(
        [rng.permutation(np.flatnonzero(strata == x)) for x in np.unique(strata)]
    )
    part = np.empty(len(order), dtype=np.int64)
    part[order] = np.arange(len(order)) % parts
    return [np.flatnonzero(part == i) for i in range(parts)]
