"""What a head expects of itself, measured forward-chained on its own history: values that serialise.

Refuses to count unknown pairs as anything but unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.core.measure import Measure, measure


@dataclass(frozen=True, slots=True)
class LabelExpectation:
    """One label: its evidence in the history, its forward-chained record, its cut or why it has none."""

    label: str
    positives: int
    negatives: int
    right: int
    wrong: int
    unknown: int
    missed: int
    apply_at: float | None
    why_muted: str

    @property
    def precision(self) -> float | None:
        known = self.right + self.wrong
        return self.right / known if known else None


@dataclass(frozen=True, slots=True)
class Expectation:
    """The forward-chained record of the whole head. `n` issues were scored by what came before them;
    rates are None where nothing was applied. `lower_bound` holds at confidence 1 - delta, what this choice
    of cuts could spend. `choice`, `rank`, `pairs`, `since`: what the next one must know, see `Earlier`."""

    target: float
    delta: float
    n: int
    precision: float | None
    lower_bound: float | None
    unknown_share: float | None
    worst_case: float | None
    coverage: float | None
    label_recall: float | None
    labels: tuple[LabelExpectation, ...]
    choice: int = 1
    rank: float | None = None
    pairs: int = 0
    since: float | None = None

    @property
    def muted(self) -> dict[str, str]:
        """Label -> why it is only suggested, in words for a maintainer."""
        return {row.label: row.why_muted for row in self.labels if row.apply_at is None}

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Expectation:
        rows = tuple(LabelExpectation(**row) for row in found["labels"])
        return cls(**{**found, "labels": rows})


def expect(
    applied: NDArray[np.bool_],
    known: NDArray[np.int8],
    history: NDArray[np.int8],
    *,
    labels: tuple[str, ...],
    apply_at: tuple[float | None, ...],
    why_muted: tuple[str, ...],
    target: float,
    delta: float,
    lower_bound: float | None,
) -> Expectation:
    """Measure `applied` [n, L] against `known` [n, L]; `history` counts every known pair there is."""
    whole: Measure = measure(applied, known)
    rows = tuple(
        LabelExpectation(
            label=label,
            positives=int((history[:, j] > 0).sum()),
            negatives=int((history[:, j] < 0).sum()),
            right=int((applied[:, j] & (known[:, j] > 0)).sum()),
            wrong=int((applied[:, j] & (known[:, j] < 0)).sum()),
            unknown=int((applied[:, j] & (known[:, j] == 0)).sum()),
            missed=int((~applied[:, j] & (known[:, j] > 0)).sum()),
            apply_at=apply_at[j],
            why_muted=why_muted[j],
        )
        for j, label in enumerate(labels)
    )
    return Expectation(
        target=target,
        delta=delta,
        n=whole.issues,
        precision=whole.precision,
        lower_bound=lower_bound,
        unknown_share=whole.unknown_share,
        worst_case=whole.worst_case,
        coverage=whole.coverage,
        label_recall=whole.label_recall,
        labels=rows,
    )
