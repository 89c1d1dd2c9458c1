"""Trains on one file of issues, tests on another, and says how good the labels were.

Everything that is chosen (combination, thresholds, cut) is chosen on the training file.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from bot.classify.bundle import file_sha256
from bot.errors import UserError
from training.data import FiledIssue, read_issues
from training.device import Device, find_device
from training.recipe import Recipe
from training.scoring.answers import answer_of, mean_of
from training.scoring.cores import use_cores
from training.scoring.held_out import within_means
from training.scoring.model import OnProgress, Scorer, nobody, train_model
from training.scoring.setfit_reference import train_setfit
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


def score_files(question: Question, *, on_progress: OnProgress = nobody) -> dict[str, Any]:
    """Train and test once per seed; the answer is plain data, ready for JSON."""
    use_cores()
    on_progress(f"reading {question.train.name}", 1, 1, 0.0)
    filed = read_issues(question.train)
    task = make_task(filed, labels=question.labels, min_count=question.min_count)
    on_progress(f"reading {question.test.name}", 1, 1, 0.0)
    read = read_issues(question.test)
    tested = _testable(read, task.space, by_repo=question.by_repo)
    learned = {issue.text for issue in task.issues}
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
            "train_issues_left_out": len(filed) - len(task.issues),
            "test_issues": len(tested),
            "test_issues_left_out": len(read) - len(tested),
            "test_issues_learned": sum(issue.text in learned for issue in tested),
            "test_issues_elsewhere": sum(issue.repo not in task.space.repos for issue in tested),
        },
        "recipe": asdict(within_means(question.recipe, device)),
        "files": {
            str(path): file_sha256(path, advice="give a file of issues")
            for path in (question.train, question.test)
        },
        "machine": _machine(device),
        "overall": mean_of([run["overall"] for run in runs]),
        "repositories": mean_of([run["repositories"] for run in runs]),
        "runs": runs,
    }


def score_task(
    question: Question,
    task: Task,
    tested: Sequence[FiledIssue],
    *,
    seed: int,
    device: Device,
    on_progress: OnProgress,
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
        on_progress(f"testing {name}", 1, 1, 0.0)
        if _carry_any(issues, scorer.space):
            repo = name if question.by_repo else None
            answers[name] = answer_of(scorer, issues, repo=repo, target=question.target)
    return {
        "seed": seed,
        "train_issues": len(task.issues),
        "train_seconds": round(trained - started, 2),
        "test_seconds": round(time.perf_counter() - trained, 2),
        "repositories": answers,
        "repositories_left_out": [name for name in scorers if name not in answers],
        "overall": mean_of(list(answers.values())),
    }


def train_scorers(
    question: Question,
    task: Task,
    *,
    seed: int,
    device: Device,
    on_progress: OnProgress = nobody,
) -> dict[str, Scorer]:
    """Who scores the issues of which repository."""

    def train(part: Task) -> Scorer:
        if question.recipe.engine == "setfit":
            return train_setfit(part, question.recipe, seed=seed, base=question.base)
        return train_model(
            part,
            question.recipe,
            seed=seed,
            device=device,
            base=question.base,
            on_progress=on_progress,
        )

    if not question.by_repo:
        return {ALL: train(task)}
    if question.recipe.joint:
        return dict.fromkeys(task.space.repos, train(task))
    return {repo: train(task.only(repo)) for repo in task.space.repos}


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
    if not _carry_any(kept, space):
        names = ", ".join(space.labels[:5])
        raise UserError(
            f"No issue of the test file carries one of the learned labels ({names}, ...)."
        )
    return kept


def _carry_any(issues: Sequence[FiledIssue], space: LabelSpace) -> bool:
    wanted = frozenset(space.labels)
    return any(issue.labels & wanted for issue in issues)


def _machine(device: Device) -> dict[str, Any]:
    return {
        "device": str(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": platform.machine(),
    }
