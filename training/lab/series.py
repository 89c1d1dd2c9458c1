"""A comparison as a whole: the trials in their order, those that are done taken from the file, a table."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from bot.classify.bundle import file_sha256
from bot.classify.weights import find_base_weights, locate
from bot.errors import UserError
from training.data import read_issues
from training.device import find_device
from training.lab.comparison import TWIN, Bench, Trial, made_of, run_trial
from training.objectives.registry import TERMS
from training.recipe import Recipe
from training.task import make_task

FIGURES = ("macro", "micro", "average_precision")


def open_bench(train: Path, test: Path, *, recipe: Recipe, base: Path | None = None) -> Bench:
    """The files as a benchmark; issues of the test file without a label of the task are left out."""
    if recipe.engine != "contrastive":
        raise UserError(
            f"The recipe {recipe.name!r} is of the engine {recipe.engine!r}; methods are compared in ours."
        )
    issues = read_issues(train)
    task = make_task(issues)
    labelled = {id(issue) for issue in task.issues}
    wanted = frozenset(task.space.labels)
    tested = [issue for issue in read_issues(test) if issue.labels & wanted]
    if not tested:
        names = ", ".join(task.space.labels[:5])
        raise UserError(f"{test}: no issue carries one of the labels of {train} ({names}, ...).")
    if base is None:
        base = locate(recipe.encoder) if recipe.encoder else find_base_weights()
    return Bench(
        train=task,
        tested=tested,
        unlabelled=[issue for issue in issues if id(issue) not in labelled],
        recipe=recipe,
        device=find_device(recipe.precision),
        base=base,
        inputs=[file_sha256(path) for path in (train, test, base / "model.safetensors")],
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
    """Runs what `out` (JSON Lines) does not hold yet, a line as each trial ends.

    Raises:
        UserError: `out` holds figures of something else, or cannot be written.
    """
    rows, ours = _rows(out), {made_of(bench, method) for method in (TWIN, *TERMS)}
    if any(row.get("made_of") not in ours for row in rows):
        raise UserError(
            f"{out} holds figures of another recipe, encoder or other issues. Give another --out."
        )
    done = {(row["method"], row["shots"], row["seed"]): row for row in rows}
    _append(out, "")  # rather refused now than after the first trial
    for trial in asked:
        key = (trial.method, trial.shots, trial.seed)
        if key not in done:
            before(trial)
            done[key] = run_trial(bench, trial)
            _append(out, json.dumps(done[key]) + "\n")
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


def _rows(path: Path) -> list[dict[str, Any]]:
    """Whole lines; one that a stop cut short is run again."""
    found: list[dict[str, Any]] = []
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        with suppress(ValueError):
            found.append(json.loads(line))
    return found


def _append(path: Path, text: str) -> None:
    """At the end, and never onto a line that a stop cut short."""
    try:
        with path.open("ab+") as stream:
            stream.seek(max(stream.tell() - 1, 0))
            torn = stream.read(1) not in (b"", b"\n")
            stream.write(b"\n" * torn + text.encode())
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror}). Give another --out."
        ) from None


def _spread(values: Sequence[float]) -> float:
    return stdev(values) if len(values) > 1 else 0.0
