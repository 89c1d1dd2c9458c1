"""What a trained model's scores of test issues are worth, as plain data.

Thresholds and cuts come from what the model showed on training issues that it had not seen.
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
    promise, thresholds = _choose(scorer, repo=repo, target=target)
    predicted = decide_labels(found, thresholds, single=single)
    answer: dict[str, Any] = {
        "f1": asdict(f1_of(predicted, known, labels)),
        "promise": at_cuts(found, known, promise, single=single),
        "cuts": {x: float(c) for x, c in zip(labels, promise.cuts, strict=True) if c < np.inf},
        "hindsight_coverage": hindsight_coverage(found, known, target=target, single=single),
    }
    if not single:
        answer["f1_closed_world"] = asdict(f1_of(predicted, closed_world(space, issues), labels))
        answer["thresholds"] = dict(zip(labels, thresholds.round(3).tolist(), strict=True))
    return answer


def truth_of(space: LabelSpace, issues: Sequence[FiledIssue]) -> KnownPairs:
    """Known pairs; a label that the repository did not use while we learned is missed all the same."""
    known, carried = space.known(issues), _carried(space, issues)
    if space.single:
        known[carried.any(axis=1)] = -1
    known[carried] = 1
    return known


def closed_world(space: LabelSpace, issues: Sequence[FiledIssue]) -> KnownPairs:
    """Of issues with a label, every label that is not set counts as a no."""
    repo = space.repo_index(issues)
    learned = frozenset(space.labels)
    labelled = np.array(
        [
            bool(issue.labels & (learned | (space.siblings[i] if i >= 0 else learned)))
            for issue, i in zip(issues, repo, strict=True)
        ]
    )
    carried = _carried(space, issues)
    told = (space.allowed(repo) & labelled[:, None]) | carried
    return np.where(told, np.where(carried, 1, -1), 0).astype(np.int8)


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


def _carried(space: LabelSpace, issues: Sequence[FiledIssue]) -> np.ndarray:
    return np.array([[label in issue.labels for label in space.labels] for issue in issues])


def _choose(scorer: Scorer, *, repo: str | None, target: float) -> tuple[Promise, Floats64]:
    """Cuts on everything that was shown, thresholds on what was shown of the repository."""
    space, shown = scorer.space, scorer.held_out
    if shown is None:
        return no_promise(target, len(space.labels)), np.full(len(space.labels), DEFAULT_THRESHOLD)
    promise = choose_cuts(
        shown.probabilities,
        shown.known,
        shown.fold,
        space.labels,
        target=target,
        single=space.single,
    )
    rows = _rows_of(space, shown, repo)
    return promise, best_thresholds(shown.probabilities[rows], shown.known[rows])


def _rows_of(space: LabelSpace, shown: HeldOut, repo: str | None) -> np.ndarray:
    everything = np.ones(len(shown.repo), dtype=bool)
    if repo not in space.repos:
        return everything
    own = np.asarray(shown.repo == space.repos.index(repo))
    return own if (shown.known[own] > 0).sum() >= ENOUGH_POSITIVES else everything
