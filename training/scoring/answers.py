"""What a trained model's scores of test issues are worth, as plain data.

Thresholds and cuts come from what the model showed on training issues that it had not seen. Whether a
label that is not set is unknown or a no is another question to learn: each is answered in its own terms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from bot.core.evidence import KnownPairs
from training.data import FiledIssue
from training.scoring.held_out import HeldOut
from training.scoring.measure import (
    DEFAULT_THRESHOLD,
    Promise,
    at_cuts,
    best_thresholds,
    choose_cuts,
    decide_labels,
    f1_of,
    hindsight_coverage,
    no_promise,
)
from training.scoring.model import Scorer
from training.scoring.stacking import Floats64
from training.task import LabelSpace

ENOUGH_POSITIVES = 50
"""Known labels of a repository's own, below which its thresholds are those of all repositories."""


def answer_of(
    scorer: Scorer, issues: Sequence[FiledIssue], *, repo: str | None, target: float
) -> dict[str, Any]:
    """All figures of one set of issues; `repo`: they are all of this one."""
    space, labels, single = scorer.space, scorer.space.labels, scorer.space.single
    known, found = truth_of(space, issues), scorer.probabilities(issues)
    promise, thresholds = _promise(scorer, target=target), _thresholds(scorer, repo=repo)
    predicted = decide_labels(found, thresholds, single=single)
    answer: dict[str, Any] = {
        "f1": asdict(f1_of(predicted, known, labels)),
        "promise": at_cuts(found, known, promise, single=single),
        "cuts": {x: float(c) for x, c in zip(labels, promise.cuts, strict=True) if c < np.inf},
        "hindsight_coverage": hindsight_coverage(found, known, target=target, single=single),
    }
    if single:
        return answer
    closed = _thresholds(scorer, repo=repo, closed=True)
    predicted = decide_labels(found, closed, single=False)
    return answer | {
        "f1_closed_world": asdict(f1_of(predicted, space.closed_world(issues), labels)),
        "thresholds": dict(zip(labels, thresholds.round(3).tolist(), strict=True)),
        "thresholds_closed_world": dict(zip(labels, closed.round(3).tolist(), strict=True)),
    }


def truth_of(space: LabelSpace, issues: Sequence[FiledIssue]) -> KnownPairs:
    """Known pairs; a label that the repository did not use while we learned is missed all the same."""
    known, carried = space.known(issues), space.carried(issues)
    if space.single:
        known[carried.any(axis=1)] = -1
    known[carried] = 1
    return known


def mean_of(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The same shape with every number the mean over `answers`; what is None or text is left out."""
    keys = dict.fromkeys(key for answer in answers for key in answer)
    found = {key: _mean([answer[key] for answer in answers if key in answer]) for key in keys}
    return {key: value for key, value in found.items() if value is not None}


def _mean(values: Sequence[Any]) -> Any:
    if all(isinstance(value, dict) for value in values):
        return mean_of(values)
    numbers = [value for value in values if isinstance(value, (int, float))]
    return float(np.mean(numbers)) if numbers else None


def _promise(scorer: Scorer, *, target: float) -> Promise:
    """Cuts on everything that was shown."""
    space, shown = scorer.space, scorer.held_out
    if shown is None:
        return no_promise(target, len(space.labels))
    return choose_cuts(
        shown.probabilities,
        shown.known,
        shown.fold,
        space.labels,
        target=target,
        single=space.single,
    )


def _thresholds(scorer: Scorer, *, repo: str | None, closed: bool = False) -> Floats64:
    """Chosen on what was shown of the repository, on known pairs or in the closed world."""
    space, shown = scorer.space, scorer.held_out
    if shown is None:
        return np.full(len(space.labels), DEFAULT_THRESHOLD)
    rows = _rows_of(space, shown, repo)
    pairs = shown.closed if closed else shown.known
    return best_thresholds(shown.probabilities[rows], pairs[rows])


def _rows_of(space: LabelSpace, shown: HeldOut, repo: str | None) -> np.ndarray:
    everything = np.ones(len(shown.repo), dtype=bool)
    if repo not in space.repos:
        return everything
    own = np.asarray(shown.repo == space.repos.index(repo))
    return own if (shown.known[own] > 0).sum() >= ENOUGH_POSITIVES else everything
