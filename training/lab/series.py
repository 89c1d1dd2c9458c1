"""A comparison as a whole: the trials in their order, those that are done taken from the file, a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from bot.classify.weights import find_base_weights
from training.data import read_issues
from training.device import find_device
from training.lab.comparison import Bench, Trial, run_trial
from training.recipe import Recipe
from training.task import make_task

FIGURES = ("macro", "micro", "average_precision")


def open_bench(
    train: Path, test: Path, *, recipe: Recipe, labels: Sequence[str] = (), base: Path | None = None
) -> Bench:
    """The files as a benchmark; issues of the test file without a label of the task are left out."""
    issues = read_issues(train)
    task = make_task(issues, labels=labels)
    labelled = {id(issue) for issue in task.issues}
    wanted = frozenset(task.space.labels)
    return Bench(
        train=task,
        tested=[issue for issue in read_issues(test) if issue.labels & wanted],
        unlabelled=[issue for issue in issues if id(issue) not in labelled],
        recipe=recipe,
        device=find_device(recipe.precision),
        base=base or find_base_weights(),
    )


def trials(methods: Sequence[str], shots: Sequence[int], seeds: int) -> list[Trial]:
    """Seed by seed, so that a series that is stopped has whole comparisons."""
    cells = product(range(seeds), shots, methods)
    return [Trial(method=method, shots=count, seed=seed) for seed, count, method in cells]


def run_series(
    bench: Bench,
    asked: Sequence[Trial],
    out: Path,
    *,
    before: Callable[[Trial], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Runs what `out` (JSON Lines) does not hold yet, a line as each trial ends."""
    done = {(row["method"], row["shots"], row["seed"]): row for row in _rows(out)}
    for trial in asked:
        key = (trial.method, trial.shots, trial.seed)
        if key not in done:
            before(trial)
            done[key] = run_trial(bench, trial)
            with out.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(done[key]) + "\n")
    return [done[trial.method, trial.shots, trial.seed] for trial in asked]


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and standard deviation over seeds for each method and number of shots."""
    found = []
    for shots, method in dict.fromkeys((row["shots"], row["method"]) for row in rows):
        mine = [row for row in rows if (row["shots"], row["method"]) == (shots, method)]
        figures = {
            name: (mean(row[name] for row in mine), _spread([row[name] for row in mine]))
            for name in (*FIGURES, "seconds")
        }
        found.append({"shots": shots, "method": method, "seeds": len(mine), **figures})
    return found


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Whole lines; one that a stop cut short is run again."""
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue


def _spread(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0
