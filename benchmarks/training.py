"""Our recipes beside SetFit's own Trainer: same issues, same encoder, same machine, same run.

The NLBSE'24 protocol by cross-validation: exclusive labels, a model per repository, macro-F1 averaged
over repositories. Recipes take turns within each fold. Processor time stands beside the clock: it says
the same on a machine that is busy with other things. Run it in the training environment.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.metrics import f1_score

from training.data import read_issues
from training.device import find_device
from training.folds import stratified_folds
from training.recipe import recipe_named
from training.score import Question, train_scorers
from training.task import Task, make_task

RESAMPLES = 2000
REFERENCE = "setfit"


@dataclass(slots=True)
class Contestant:
    """A recipe, what it said of each issue that was tested, and what that took."""

    name: str
    predicted: np.ndarray
    """[n] label index of each issue, -1 where it was not tested."""
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)


def main() -> None:
    options = _options()
    warnings.filterwarnings("ignore")
    issues = [i for i in read_issues(options.data) if any(r in i.repo for r in options.repos)]
    task = make_task(issues)
    truth = task.known.argmax(axis=1)
    contestants = [Contestant(name, np.full(len(truth), -1)) for name in options.recipes]
    parts = stratified_folds(task, parts=options.parts, seed=0)
    for number in range(options.folds):
        for contestant in contestants:
            _compete(contestant, task, parts[number], seed=number, data=options.data)
            _tell(contestant, truth, task, number)
    answer = {
        "command": vars(options) | {"data": options.data.name, "json": None},
        "device": str(find_device("auto")),
        "tested": int((contestants[0].predicted >= 0).sum()),
        "recipes": [_row(contestant, contestants, truth, task) for contestant in contestants],
    }
    _show(answer)
    if options.json:
        options.json.write_text(json.dumps(answer, indent=1) + "\n")


def _compete(
    contestant: Contestant, task: Task, part: np.ndarray, *, seed: int, data: Path
) -> None:
    """Train on all but the part, predict the part; loading the encoder counts, reading files not."""
    recipe = recipe_named(contestant.name)
    question = Question(train=data, test=data, recipe=recipe, by_repo=True)
    seen = task.take(np.setdiff1d(np.arange(len(task.issues)), part))
    clock, cpu = time.perf_counter(), time.process_time()
    scorers = train_scorers(question, seen, seed=seed, device=find_device(recipe.precision))
    contestant.seconds.append(time.perf_counter() - clock)
    contestant.cpu_seconds.append(time.process_time() - cpu)
    for index, repo in enumerate(task.space.repos):
        rows = part[task.repo[part] == index]
        found = scorers[repo].probabilities([task.issues[i] for i in rows])
        order = [task.space.labels.index(label) for label in scorers[repo].space.labels]
        contestant.predicted[rows] = np.array(order)[found.argmax(axis=1)]


def _macro_f1(predicted: np.ndarray, truth: np.ndarray, repo: np.ndarray) -> dict[int, float]:
    return {
        index: float(f1_score(truth[repo == index], predicted[repo == index], average="macro"))
        for index in np.unique(repo).tolist()
    }


def _mean_f1(predicted: np.ndarray, truth: np.ndarray, repo: np.ndarray) -> float:
    return float(np.mean(list(_macro_f1(predicted, truth, repo).values())))


def _row(
    contestant: Contestant, contestants: Sequence[Contestant], truth: np.ndarray, task: Task
) -> dict[str, Any]:
    tested = contestant.predicted >= 0
    each = _macro_f1(contestant.predicted[tested], truth[tested], task.repo[tested])
    row = {
        "name": contestant.name,
        "recipe": asdict(recipe_named(contestant.name)),
        "macro_f1": float(np.mean(list(each.values()))),
        "repositories": {task.space.repos[i]: value for i, value in each.items()},
        "seconds": contestant.seconds,
        "cpu_seconds": contestant.cpu_seconds,
    }
    for other in contestants:
        if other.name == REFERENCE != contestant.name:
            row["gain"] = _paired_interval(contestant, other, truth, task.repo)
            row["cpu_share"] = sum(contestant.cpu_seconds) / sum(other.cpu_seconds)
            row["clock_share"] = sum(contestant.seconds) / sum(other.seconds)
    return row


def _paired_interval(
    ours: Contestant, theirs: Contestant, truth: np.ndarray, repo: np.ndarray
) -> list[float]:
    """Difference in mean macro-F1: 2.5th, 50th and 97.5th percentile over issues drawn again, the
    same ones for both, repository by repository."""
    tested = np.flatnonzero(ours.predicted >= 0)
    groups = [tested[repo[tested] == index] for index in np.unique(repo[tested])]
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([rng.choice(group, len(group)) for group in groups])
        gains.append(
            _mean_f1(ours.predicted[rows], truth[rows], repo[rows])
            - _mean_f1(theirs.predicted[rows], truth[rows], repo[rows])
        )
    return [float(value) for value in np.percentile(gains, [2.5, 50, 97.5])]


def _tell(contestant: Contestant, truth: np.ndarray, task: Task, number: int) -> None:
    tested = contestant.predicted >= 0
    so_far = _mean_f1(contestant.predicted[tested], truth[tested], task.repo[tested])
    print(
        f"fold {number + 1} {contestant.name}: {contestant.seconds[-1]:.0f} s, "
        f"cpu {contestant.cpu_seconds[-1]:.0f} s, macro F1 so far {so_far:.4f}",
        flush=True,
    )


def _show(answer: dict[str, Any]) -> None:
    table = Table(title=f"{answer['tested']} issues tested, {answer['device']}")
    for column in ("recipe", "macro F1", "gain [95%]", "s / fold", "cpu s / fold", "cpu share"):
        table.add_column(column, justify="left" if column == "recipe" else "right")
    for row in answer["recipes"]:
        low, middle, high = row.get("gain", [0.0, 0.0, 0.0])
        table.add_row(
            row["name"],
            f"{row['macro_f1']:.4f}",
            f"{middle:+.4f} [{low:+.4f}, {high:+.4f}]" if "gain" in row else "-",
            f"{np.mean(row['seconds']):.0f}",
            f"{np.mean(row['cpu_seconds']):.0f}",
            f"{row['cpu_share']:.2f}" if "cpu_share" in row else "-",
        )
    Console().print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="single-label issues of several repositories")
    parser.add_argument("--parts", type=int, default=5, help="parts of the cross-validation")
    parser.add_argument("--folds", type=int, default=5, help="how many of them to test on")
    parser.add_argument(
        "--repos", nargs="+", default=[""], help="only repositories named like this"
    )
    parser.add_argument("--recipes", nargs="+", default=["standard", REFERENCE])
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
