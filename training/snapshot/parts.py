"""Which issues train, which evaluate, which are text alone, and which are left out, with the reason.

Within a repository the evaluation part is newer than everything that is trained on, settled, and made of
issues that we could not have shaped. Refuses a window that too few known pairs would speak for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from training.snapshot.read import Part

Bools: TypeAlias = NDArray[np.bool_]

SHARE = 0.3
"""Share of a repository's issues with a known pair, the newest, that evaluates."""
LEAST = 20
"""Issues with a known pair below which a repository has no evaluation part: all of it teaches."""

BIASED = "filed during the evaluation part, and we may have shaped its labels"
UNSETTLED = "filed during the evaluation part, and not settled yet"
USED = "filed during the evaluation part, and seen by an earlier run"
REPEATED = "near-duplicate of an issue that is trained on or evaluated"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What decides where the issues [n] of a repository go, in the order of filing."""

    informed: Bools
    """At least one known pair."""
    settled: Bools
    unbiased: Bools
    fresh: Bools
    """Newer than all that an earlier run has trained on or evaluated."""


def assign_parts(
    evidence: Evidence, *, share: float = SHARE, least: int = LEAST
) -> list[Part | str]:
    """For each issue its part, or the reason why it is left out."""
    start = _window_start(evidence, share=share, least=least)
    parts: list[Part | str] = []
    for row, informed in enumerate(evidence.informed):
        if start is None or row < start:
            parts.append("train" if informed else "unlabelled")
        else:
            parts.append(_in_window(evidence, row))
    return parts


def leave_out_repeats(parts: Sequence[Part | str], groups: Sequence[int]) -> list[Part | str]:
    """The parts of the issues of all repositories, repeats taken out of the evaluation part: `groups`
    [n] names the near-duplicates. What trains stays, so that a group lies on one side."""
    trained = {
        group for part, group in zip(parts, groups, strict=True) if part in ("train", "unlabelled")
    }
    kept: list[Part | str] = []
    for part, group in zip(parts, groups, strict=True):
        kept.append(REPEATED if part == "evaluate" and group in trained else part)
        if part == "evaluate":
            trained.add(group)
    return kept


def _window_start(evidence: Evidence, *, share: float, least: int) -> int | None:
    """The first row of the evaluation part: the newest `share` of the informed issues if enough of them
    are fit for it; else the newest `least` that are, however long ago the first of them came."""
    usable = evidence.informed & evidence.settled & evidence.unbiased & evidence.fresh
    informed, fit = np.flatnonzero(evidence.informed), np.flatnonzero(usable)
    if len(fit) < least or len(informed) < 2 * least:
        return None
    start = informed[len(informed) - max(1, round(share * len(informed)))]
    if usable[start:].sum() >= least:
        return int(fit[fit >= start][0])
    return int(fit[-least])


def _in_window(evidence: Evidence, row: int) -> Part | str:
    if not evidence.unbiased[row]:
        return BIASED
    if not evidence.settled[row]:
        return UNSETTLED
    return "evaluate" if evidence.fresh[row] else USED
