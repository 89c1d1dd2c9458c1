"""How well labels were applied, on known pairs only; what nobody knows is shown beside, never hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.core.evidence import KnownPairs


@dataclass(frozen=True, slots=True)
class Measure:
    """Counts of applied labels over issues; the rates follow from them. None where nothing counts."""

    issues: int
    covered: int
    right: int
    wrong: int
    unknown: int
    positives: int

    @property
    def applied(self) -> int:
        return self.right + self.wrong + self.unknown

    @property
    def precision(self) -> float | None:
        """Right among the applied labels whose truth is known."""
        return _share(self.right, self.right + self.wrong)

    @property
    def worst_case(self) -> float | None:
        """Precision if every applied label of unknown truth were wrong."""
        return _share(self.right, self.applied)

    @property
    def unknown_share(self) -> float | None:
        return _share(self.unknown, self.applied)

    @property
    def coverage(self) -> float | None:
        """Issues with at least one applied label among all arriving issues."""
        return _share(self.covered, self.issues)

    @property
    def label_recall(self) -> float | None:
        """Labels that humans set and we applied, among all that humans set."""
        return _share(self.right, self.positives)

    def as_dict(self) -> dict[str, Any]:
        rates = ("applied", "precision", "unknown_share", "worst_case", "coverage", "label_recall")
        return {**asdict(self), **{name: getattr(self, name) for name in rates}}


def measure(applied: NDArray[np.bool_], known: KnownPairs) -> Measure:
    """Measure `applied` [issues, labels] against `known` [issues, labels] of +1, -1 and 0."""
    return Measure(
        issues=len(applied),
        covered=int(applied.any(axis=1).sum()),
        right=int((applied & (known > 0)).sum()),
        wrong=int((applied & (known < 0)).sum()),
        unknown=int((applied & (known == 0)).sum()),
        positives=int((known > 0).sum()),
    )


def pooled(measures: Sequence[Measure]) -> Measure:
    """The measure of several sets of issues taken as one."""
    return Measure(**{name: sum(getattr(m, name) for m in measures) for name in Measure.__slots__})


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
