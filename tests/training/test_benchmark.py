from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import training as benchmark
from benchmarks.training import REFERENCE, Bout, Ring, compare
from tests.training.tiny import filed, make_rows, write_rows
from training.task import LabelSpace, Task, make_task

ROWS = make_rows(60, repos=("a/one", "b/two"))


@dataclass
class Sure:
    """Right about every issue but those of one label, which it takes for the next."""

    space: LabelSpace
    blind: int | None

    def probabilities(self, issues: Any) -> np.ndarray:
        found = (self.space.known(issues) > 0).astype(float)
        if self.blind is not None:
            found[found[:, self.blind] > 0] = np.roll(np.eye(3)[self.blind], 1)
        return found


@pytest.fixture
def task() -> Task:
    return make_task(filed(ROWS))


@pytest.fixture
def options(tmp_path: Path) -> argparse.Namespace:
    data = write_rows(tmp_path / "issues.jsonl", ROWS)
    return argparse.Namespace(data=data, parts=2, keep=tmp_path / "kept.jsonl")


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    names: list[str] = []

    def train(question: Any, seen: Task, **_: Any) -> dict[str, Sure]:
        names.append(question.recipe.name)
        blind = 1 if question.recipe.name == REFERENCE else None
        return {repo: Sure(seen.space, blind) for repo in seen.space.repos}

    monkeypatch.setattr(benchmark, "train_scorers", train)
    return names


def fight(task: Task, options: argparse.Namespace) -> list[Bout]:
    ring = Ring(task, options)
    for recipe in ("standard", REFERENCE):
        list(ring.fight(recipe, 0))
    return ring.bouts


def test_a_stopped_run_goes_on_where_it_was(
    task: Task, options: argparse.Namespace, trainings: list[str]
) -> None:
    first = fight(task, options)
    assert trainings == ["standard", REFERENCE, REFERENCE]  # one for all, one for each
    lines = options.keep.read_text().splitlines()
    options.keep.write_text("".join(line + "\n" for line in lines[:-1]))
    assert [bout.rows for bout in fight(task, options)] == [bout.rows for bout in first]
    assert trainings[3:] == [REFERENCE]


def test_other_data_are_not_taken_for_these(
    task: Task, options: argparse.Namespace, trainings: list[str]
) -> None:
    fight(task, options)
    write_rows(options.data, ROWS[::-1])
    fight(task, options)
    assert len(trainings) == 6


def test_recipes_are_compared_on_what_both_have_done(
    task: Task, options: argparse.Namespace, trainings: list[str]
) -> None:
    bouts = fight(task, options)[:-1]  # the reference lacks a repository
    ours, theirs = compare(bouts, task)["recipes"]
    assert (ours["tested"], theirs["tested"], ours["compared_on"]) == (30, 15, 15)
    assert ours["macro_f1"] == pytest.approx(1)
    assert ours["difference"] == pytest.approx(1 - theirs["macro_f1"])
    low, _, high = ours["interval"]
    assert 0 < low <= ours["difference"] <= high
    assert trainings
