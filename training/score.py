"""Trains on one file of issues, tests on another, and says how good the labels were.

Everything that is chosen (combination, thresholds, cut) is chosen on the training file.
"""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bot.core.evidence import KnownPairs
from bot.errors import UserError
from training.data import FiledIssue, read_issues
from training.device import Device, find_device
from training.measure import (
    DEFAULT_THRESHOLD,
    Promise,
    at_cut,
    best_thresholds,
    choose_cut,
    decide_labels,
    f1_of,
    hindsight_coverage,
)
from training.model import OnProgress, Scorer, train_model
from training.recipe import Recipe
from training.setfit_reference import train_setfit
from training.task import LabelSpace, Task, draw_shots, make_task

ALL = "all repositories"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What `labelwright-train score` is asked. `base`: an encoder's directory, the base encoder if None."""

    train: Path
    test: Path
    recipe: Recipe
    by_repo: bool = False
    labels: tuple[str, ...] = ()
    min_count: int | None = None
    shots: int | None = None
    seeds: int = 1
    target: float = 0.9
    base: Path | None = None


def score_files(question: Question, *, on_progress: OnProgress | None = None) -> dict[str, Any]:
    """Train and test once per seed; the answer is plain data, ready for JSON."""
    task = make_task(
        read_issues(question.train), labels=question.labels, min_count=question.min_count
    )
    read = read_issues(question.test)
    tested = _testable(read, task.space, by_repo=question.by_repo)
    device = find_device(question.recipe.precision)
    runs = [
        score_task(question, task, tested, seed=seed, device=device, on_progress=on_progress)
        for seed in range(question.seeds)
    ]
    return {
        "question": {
            "by_repo": question.by_repo,
            "shots": question.shots,
            "seeds": question.seeds,
            "target": question.target,
            "kind": "single-label" if task.space.single else "multi-label",
            "labels": list(task.space.labels),
            "train_issues": len(task.issues),
            "test_issues": len(tested),
            "test_issues_left_out": len(read) - len(tested),
        },
        "recipe": asdict(question.recipe),
        "files": {str(path): _sha256(path) for path in (question.train, question.test)},
        "machine": _machine(device),
        "overall": _mean([run["overall"] for run in runs]),
        "repositories": _mean([run["repositories"] for run in runs]),
        "runs": runs,
    }


def score_task(
    question: Question,
    task: Task,
    tested: Sequence[FiledIssue],
    *,
    seed: int,
    device: Device,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """One run: figures per repository (or of all as one) and overall: the mean over repositories."""
    if question.shots is not None:
        task = draw_shots(task, question.shots, seed=seed)
    started = time.perf_counter()
    scorers = train_scorers(question, task, seed=seed, device=device, on_progress=on_progress)
    trained = time.perf_counter()
    answers = {}
    for name, scorer in scorers.items():
        issues = [issue for issue in tested if name in (ALL, issue.repo)]
        if issues:
            answers[name] = _answer(scorer, issues, name=name, target=question.target)
    return {
        "seed": seed,
        "train_seconds": round(trained - started, 2),
        "test_seconds": round(time.perf_counter() - trained, 2),
        "repositories": answers,
        "overall": _mean(list(answers.values())),
    }


def train_scorers(
    question: Question,
    task: Task,
    *,
    seed: int,
    device: Device,
    on_progress: OnProgress | None = None,
) -> dict[str, Scorer]:
    """Who scores the issues of which repository."""
    recipe, base = question.recipe, question.base

    def train(part: Task) -> Scorer:
        if recipe.engine == "setfit":
            return train_setfit(part, recipe, seed=seed, base=base)
        return train_model(
            part,
            recipe,
            seed=seed,
            by_repo=question.by_repo,
            device=device,
            base=base,
            on_progress=on_progress,
        )

    if not question.by_repo:
        return {ALL: train(task)}
    if recipe.joint:
        return dict.fromkeys(task.space.repos, train(task))
    return {repo: train(task.only(repo)) for repo in task.space.repos}


def _answer(
    scorer: Scorer, issues: Sequence[FiledIssue], *, name: str, target: float
) -> dict[str, Any]:
    space, shown = scorer.space, scorer.held_out
    single, labels = space.single, space.labels
    known, found = space.known(issues), scorer.probabilities(issues)
    thresholds = np.full(len(labels), DEFAULT_THRESHOLD)
    promise = Promise(target, None)
    if shown is not None:
        promise = choose_cut(shown.probabilities, shown.known, target=target, single=single)
        mine = slice(None) if name == ALL else shown.repo == space.repos.index(name)
        thresholds = best_thresholds(shown.probabilities[mine], shown.known[mine])
    predicted = decide_labels(found, thresholds, single=single)
    answer: dict[str, Any] = {
        "f1": asdict(f1_of(predicted, known, labels)),
        "promise": at_cut(found, known, promise, single=single),
        "hindsight_coverage": hindsight_coverage(found, known, target=target, single=single),
    }
    if not single:
        answer["f1_closed_world"] = asdict(f1_of(predicted, _closed_world(issues, space), labels))
        answer["thresholds"] = dict(zip(labels, thresholds.round(3).tolist(), strict=True))
    return answer


def _testable(
    issues: Sequence[FiledIssue], space: LabelSpace, *, by_repo: bool
) -> list[FiledIssue]:
    """Single-label: the issues with exactly one of the labels. Multi-label: all, for an issue that
    nobody labelled still counts in the coverage."""
    if by_repo:
        issues = [issue for issue in issues if issue.repo in space.repos]
        if not issues:
            raise UserError(
                "The test file has no issue of a repository that is trained on "
                f"({', '.join(space.repos[:3])}). Leave --by-repo out, or give another file."
            )
    wanted = frozenset(space.labels)
    kept = [issue for issue in issues if len(issue.labels & wanted) == 1 or not space.single]
    if not any(issue.labels & wanted for issue in kept):
        names = ", ".join(space.labels[:5])
        raise UserError(
            f"No issue of the test file carries one of the learned labels ({names}, ...)."
        )
    return kept


def _closed_world(issues: Sequence[FiledIssue], space: LabelSpace) -> KnownPairs:
    """Of issues with a label, every label that is not set counts as a no."""
    repo = space.repo_index(issues)
    learned = frozenset(space.labels)
    labelled = np.array(
        [
            bool(issue.labels & (space.siblings[i] if i >= 0 else learned))
            for issue, i in zip(issues, repo, strict=True)
        ]
    )
    positive = np.array([[x in issue.labels for x in space.labels] for issue in issues])
    told = space.allowed(repo) & labelled[:, None]
    return np.where(told, np.where(positive, 1, -1), 0).astype(np.int8)


def _mean(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The same shape with every number the mean over `answers`; what is None or text is left out
    unless all agree."""
    keys = dict.fromkeys(key for answer in answers for key in answer)
    found = {key: _mean_of([answer[key] for answer in answers if key in answer]) for key in keys}
    return {key: value for key, value in found.items() if value is not None}


def _mean_of(values: Sequence[Any]) -> Any:
    if all(isinstance(value, dict) for value in values):
        return _mean(values)
    numbers = [value for value in values if isinstance(value, (int, float))]
    return float(np.mean(numbers)) if numbers else None


def _machine(device: Device) -> dict[str, Any]:
    return {
        "device": str(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": platform.machine(),
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
