"""Our recipes beside SetFit's own Trainer: same issues, same encoder, same machine, same run.

The NLBSE'24 protocol by cross-validation: exclusive labels, a model per repository, macro-F1 averaged
over repositories. Processor time stands beside the clock: it says the same on a machine that is busy
with other things. With --keep what is done is kept repository by repository, and a stopped run goes on.
Recipes are compared on what both have done. Run it in the training environment.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.metrics import f1_score

from training.data import read_issues
from training.device import find_device
from training.recipe import recipe_named
from training.scoring.folds import stratified_folds
from training.scoring.score import Question, train_scorers
from training.task import Task, make_task

RESAMPLES = 2000
REFERENCE = "setfit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bout:
    """What one recipe said of one repository's issues in one fold, and what that took."""

    recipe: str
    data: str
    parts: int
    fold: int
    repo: str
    together: list[str]
    """Repositories that it was trained with; the time is its share of theirs."""
    rows: list[int]
    predicted: list[int]
    seconds: float
    cpu_seconds: float


def main() -> None:
    options = _options()
    warnings.filterwarnings("ignore")
    issues = [i for i in read_issues(options.data) if any(r in i.repo for r in options.repos)]
    task = make_task(issues)
    ring = Ring(task, options)
    for fold in range(options.folds):
        for recipe in options.recipes:
            for bout in ring.fight(recipe, fold):
                _tell(bout, task)
    answer = compare(ring.bouts, task)
    _show(answer)
    if options.json:
        options.json.write_text(json.dumps(answer, indent=1) + "\n")


class Ring:
    """All bouts so far; those of an earlier run are taken from its file."""

    def __init__(self, task: Task, options: argparse.Namespace) -> None:
        self._task, self._data, self._keep = task, options.data, options.keep
        self._sha256 = hashlib.sha256(options.data.read_bytes()).hexdigest()
        self._parts = stratified_folds(task, parts=options.parts, seed=0)
        self.bouts: list[Bout] = []
        self._kept = list(_read(self._keep)) if self._keep else []

    def fight(self, recipe: str, fold: int) -> Iterator[Bout]:
        repos = list(self._task.space.repos)
        for together in [repos] if recipe_named(recipe).joint else [[repo] for repo in repos]:
            bouts = self._found(recipe, fold, together) or self._train(recipe, fold, together)
            self.bouts += bouts
            yield from bouts

    def _found(self, recipe: str, fold: int, together: list[str]) -> list[Bout]:
        wanted = (recipe, self._sha256, len(self._parts), fold, together)
        return [b for b in self._kept if (b.recipe, b.data, b.parts, b.fold, b.together) == wanted]

    def _train(self, recipe: str, fold: int, together: list[str]) -> list[Bout]:
        """Train on all but the part, predict the part; loading the encoder counts, reading files not."""
        task, part = self._task, self._parts[fold]
        seen = task.take(np.setdiff1d(np.arange(len(task.issues)), part))
        if len(together) == 1:
            seen = seen.only(together[0])
        dial = recipe_named(recipe)
        question = Question(train=self._data, test=self._data, recipe=dial, by_repo=True)
        clock, cpu = time.perf_counter(), time.process_time()
        scorers = train_scorers(question, seen, seed=fold, device=find_device(dial.precision))
        clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
        bouts = []
        for repo in together:
            rows = part[task.repo[part] == task.space.repos.index(repo)]
            found = scorers[repo].probabilities([task.issues[i] for i in rows])
            order = np.array([task.space.labels.index(x) for x in scorers[repo].space.labels])
            bout = Bout(
                recipe=recipe,
                data=self._sha256,
                parts=len(self._parts),
                fold=fold,
                repo=repo,
                together=together,
                rows=rows.tolist(),
                predicted=order[found.argmax(axis=1)].tolist(),
                seconds=clock / len(together),
                cpu_seconds=cpu / len(together),
            )
            bouts.append(bout)
            self._write(bout)
        return bouts

    def _write(self, bout: Bout) -> None:
        if self._keep:
            with self._keep.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(bout)) + "\n")


def _read(path: Path) -> Iterator[Bout]:
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            yield Bout(**json.loads(line))


def compare(bouts: Sequence[Bout], task: Task) -> dict[str, Any]:
    """Each recipe alone, and against the reference on the bouts that both have fought."""
    theirs = {(b.fold, b.repo): b for b in bouts if b.recipe == REFERENCE}
    rows = []
    for recipe in dict.fromkeys(bout.recipe for bout in bouts):
        ours = [bout for bout in bouts if bout.recipe == recipe]
        row = _alone(recipe, ours, task)
        both = [bout for bout in ours if (bout.fold, bout.repo) in theirs]
        if both and recipe != REFERENCE:
            row |= _against(both, [theirs[bout.fold, bout.repo] for bout in both], task)
        rows.append(row)
    return {"device": str(find_device("auto")), "recipes": rows}


def _alone(recipe: str, bouts: Sequence[Bout], task: Task) -> dict[str, Any]:
    each = _macro_f1(_predicted(bouts, task), task)
    return {
        "name": recipe,
        "recipe": asdict(recipe_named(recipe)),
        "tested": sum(len(bout.rows) for bout in bouts),
        "macro_f1": float(np.mean(list(each.values()))),
        "repositories": {task.space.repos[i]: value for i, value in each.items()},
        "bouts": len(bouts),
        "seconds": sum(bout.seconds for bout in bouts),
        "cpu_seconds": sum(bout.cpu_seconds for bout in bouts),
    }


def _against(ours: Sequence[Bout], theirs: Sequence[Bout], task: Task) -> dict[str, Any]:
    """Difference in mean macro-F1: 2.5th, 50th and 97.5th percentile over issues drawn again, the
    same ones for both, repository by repository."""
    first, second = _predicted(ours, task), _predicted(theirs, task)
    tested = np.flatnonzero(first >= 0)
    groups = [tested[task.repo[tested] == index] for index in np.unique(task.repo[tested])]
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([rng.choice(group, len(group)) for group in groups])
        gains.append(_mean_f1(first, task, rows) - _mean_f1(second, task, rows))
    return {
        "compared_on": len(tested),
        "reference_macro_f1": _mean_f1(second, task, tested),
        "difference": _mean_f1(first, task, tested) - _mean_f1(second, task, tested),
        "interval": [float(value) for value in np.percentile(gains, [2.5, 50, 97.5])],
        "cpu_share": _sum(ours, "cpu_seconds") / _sum(theirs, "cpu_seconds"),
        "clock_share": _sum(ours, "seconds") / _sum(theirs, "seconds"),
    }


def _sum(bouts: Iterable[Bout], name: str) -> float:
    return sum(float(getattr(bout, name)) for bout in bouts)


def _predicted(bouts: Iterable[Bout], task: Task) -> np.ndarray:
    """[n] label index of each issue, -1 where it was not tested."""
    predicted = np.full(len(task.issues), -1)
    for bout in bouts:
        predicted[bout.rows] = bout.predicted
    return predicted


def _macro_f1(
    predicted: np.ndarray, task: Task, rows: np.ndarray | None = None
) -> dict[int, float]:
    """Per repository of `rows`, of all that was tested if not given."""
    rows = np.flatnonzero(predicted >= 0) if rows is None else rows
    truth, repo = task.known[rows].argmax(axis=1), task.repo[rows]
    return {
        index: float(
            f1_score(truth[repo == index], predicted[rows][repo == index], average="macro")
        )
        for index in np.unique(repo).tolist()
    }


def _mean_f1(predicted: np.ndarray, task: Task, rows: np.ndarray) -> float:
    return float(np.mean(list(_macro_f1(predicted, task, rows).values())))


def _tell(bout: Bout, task: Task) -> None:
    (f1,) = _macro_f1(_predicted([bout], task), task).values()
    print(
        f"fold {bout.fold + 1} {bout.recipe} {bout.repo}: macro F1 {f1:.4f}, "
        f"{bout.seconds:.0f} s, cpu {bout.cpu_seconds:.0f} s",
        flush=True,
    )


def _show(answer: dict[str, Any]) -> None:
    table = Table(title=answer["device"])
    for column in ("recipe", "issues", "macro F1", "cpu s", f"beside {REFERENCE}", "cpu share"):
        table.add_column(column, justify="left" if column == "recipe" else "right")
    for row in answer["recipes"]:
        beside, share = "-", "-"
        if "interval" in row:
            low, _, high = row["interval"]
            beside = f"{row['difference']:+.4f} [{low:+.4f}, {high:+.4f}], {row['compared_on']}"
            share = f"{row['cpu_share']:.2f}"
        figures = (str(row["tested"]), f"{row['macro_f1']:.4f}", f"{row['cpu_seconds']:.0f}")
        table.add_row(row["name"], *figures, beside, share)
    Console().print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="single-label issues of several repositories")
    parser.add_argument("--parts", type=int, default=5, help="parts of the cross-validation")
    parser.add_argument("--folds", type=int, default=5, help="how many of them to test on")
    parser.add_argument(
        "--repos", nargs="+", default=[""], help="only repositories named like this"
    )
    parser.add_argument("--recipes", nargs="+", default=["standard", "separate", REFERENCE])
    parser.add_argument("--keep", type=Path, help="lines of what is done; of this code only")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
