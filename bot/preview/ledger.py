"""A replay as arrays over all its labels: what was applied beside what people made of it in the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.core.evidence import KnownPairs
from bot.core.families import infer_exclusive
from bot.core.types import Action
from bot.preview.past import Past
from bot.preview.record import Record
from bot.preview.rewind import Decided, Scene

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ledger:
    """Rows are issues, oldest first; columns are `labels`."""

    labels: tuple[str, ...]
    known: KnownPairs
    """What is known of every pair by now."""
    probabilities: NDArray[np.float64]
    """Of the head of the day; NaN where that head did not know the label."""
    free: Mask
    """Pairs that the score alone decided."""
    applied: Mapping[float, Mask]
    """Promise -> what was applied."""
    suggested: Mapping[float, Mask]

    def rows(self, chosen: slice | Mask) -> Ledger:
        """The same of some issues only."""
        return Ledger(
            labels=self.labels,
            known=self.known[chosen],
            probabilities=self.probabilities[chosen],
            free=self.free[chosen],
            applied={target: mask[chosen] for target, mask in self.applied.items()},
            suggested={target: mask[chosen] for target, mask in self.suggested.items()},
        )


def keep_ledger(
    past: Past, scene: Scene, record: Record, stream: Sequence[Decided], targets: Sequence[float]
) -> Ledger:
    """Enter every decision of the replay, and the truth as it is known at `past.now`."""
    n = len(stream)
    sets = record.label_sets(past.now, rows=n)
    used = {name for labels in sets for name in labels if scene.learnable(name)}
    labels = tuple(sorted(used | {name for decided in stream for name in decided.labels}))
    exclusive = infer_exclusive(sets, labels, scene.rules)
    return Ledger(
        labels=labels,
        known=record.known(past.now, rows=n, labels=labels, exclusive=exclusive),
        probabilities=_spread(stream, labels, [d.probabilities for d in stream], fill=np.nan),
        free=_spread(stream, labels, [d.free for d in stream], fill=False).astype(np.bool_),
        applied={t: _chosen(stream, labels, t, "apply") for t in targets},
        suggested={t: _chosen(stream, labels, t, "suggest") for t in targets},
    )


def _chosen(
    stream: Sequence[Decided], labels: Sequence[str], target: float, action: Action
) -> Mask:
    found = [
        np.array([d.action == action for d in decided.decisions.get(target, ())], dtype=np.bool_)
        for decided in stream
    ]
    return _spread(stream, labels, found, fill=False).astype(np.bool_)


def _spread(
    stream: Sequence[Decided],
    labels: Sequence[str],
    values: Sequence[NDArray[np.generic]],
    *,
    fill: float,
) -> NDArray[np.float64]:
    """Each row's values [its labels] at the columns of all labels."""
    at = {label: column for column, label in enumerate(labels)}
    matrix = np.full((len(stream), len(labels)), fill, dtype=np.float64)
    for row, (decided, found) in enumerate(zip(stream, values, strict=True)):
        matrix[row, [at[label] for label in decided.labels]] = found
    return matrix
