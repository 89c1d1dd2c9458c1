"""How long a correction takes to have an effect, and how long the parts of a refit take.

On a made-up repository (see `benchmarks.head`), first from the database to the head that serves, as a worker
does it, with the peak of its memory; then its parts: a refit of one label and of several, its trial, and the
whole head with its trial. With `--bundle`, also the whole road on this machine: sandbox, webhook, queue,
debounce, refit, and the decision on the same text afterwards. Prints tables and JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.head import Clock, Made, make_repository
from benchmarks.refit_road import Effect, drive
from benchmarks.refit_store import REPOSITORY, correct, database_seconds, filled
from bot.classify.head import Head, fit_head, refit_labels
from bot.classify.history import History
from bot.classify.memory import Memory, Remembered
from bot.classify.sides import counted
from bot.classify.trial import Lesson, compare
from bot.jobs.context import Context, key_of
from bot.jobs.learning.learn import learn_repository
from bot.jobs.learning.refit import refit_repository
from bot.jobs.learning.standing import measure_standing
from bot.store.neighbours import nearest_labelled


def main() -> None:
    options = _options()
    figures: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg()[0],
        "issues": options.issues,
        "labels": options.labels,
    }
    if not options.road_only:
        figures["through_the_store"] = _stored(options)
        figures |= _parts(options)
    if options.bundle:
        effects = drive(options.bundle, corrections=options.corrections)
        figures["correction_to_effect_s"] = _spread(effects)
        figures["right"] = f"{sum(effect.right for effect in effects)} of {len(effects)}"
    _report(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--issues", type=int, default=10_000)
    parser.add_argument("--labels", type=int, default=50)
    parser.add_argument("--words", type=int, default=120, help="median words of an issue")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bundle", type=Path, help="a built bundle: measure the whole road too")
    parser.add_argument("--corrections", type=int, default=20)
    parser.add_argument("--road-only", action="store_true")
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args()


def _stored(options: argparse.Namespace) -> list[dict[str, Any]]:
    """What a worker does, step by step. Steps that come again are warm."""
    steps: list[dict[str, Any]] = []
    with filled(issues=options.issues, labels=options.labels, words=options.words) as made:
        context, ours = made.context, iter(made.ours)

        def step(name: str, work: Callable[[], object]) -> None:
            wall, cpu, server = time.perf_counter(), time.process_time(), database_seconds(context)
            work()
            step = {"step": name, "cpu_s": time.process_time() - cpu}
            step |= {"wall_s": time.perf_counter() - wall}
            step |= {"database_cpu_s": database_seconds(context) - server}
            steps.append(step | {"peak_mb": getrusage(RUSAGE_SELF).ru_maxrss / 1e3})

        asked: dict[str, Any] = {"repository_id": REPOSITORY}
        step("head: fitted first", partial(learn_repository, context, reason="bench", **asked))
        for _ in range(options.rounds):
            for number in (1, 5):
                told = list(islice(ours, number))
                step(f"{number} corrected: told", partial(correct, made, told))
                step(f"{number} corrected: learned", partial(refit_repository, context, **asked))
        step("head: fitted again", partial(learn_repository, context, reason="bench", **asked))
        step("status", partial(_status, context))
        step("/why: nearest issues", partial(_nearest, context, *next(ours)))
    return steps


def _status(context: Context) -> None:
    with context.database.session() as session:
        measure_standing(session, REPOSITORY, settling=timedelta(days=context.settling_days))


def _nearest(context: Context, issue_id: int, label: str) -> None:
    with context.database.session() as session:
        nearest_labelled(session, issue_id, label, **key_of(context.champion(session)))


def _parts(options: argparse.Namespace) -> dict[str, Any]:
    made = make_repository(
        issues=options.issues, labels=options.labels, words=options.words, seed=0
    )
    clock = Clock()
    with clock.measure("words of all issues, counted"):
        history = replace(made.history, counts=counted(made.history))
    head = fit_head(history, made.specs, label_vectors=made.label_vectors)
    for _ in range(options.rounds):
        for number in (1, 5):
            _touched(clock, head, history, labels=number)
        _whole(clock, head, made, history)
    return {
        "wall_s": {name: statistics.median(found) for name, found in clock.wall.items()},
        "cpu_s": {name: statistics.median(found) for name, found in clock.cpu.items()},
    }


def _touched(clock: Clock, head: Head, history: History, *, labels: int) -> None:
    lessons = _lessons(history, range(labels))
    names = head.labels[:labels]
    title = f"{labels} label{'s'[: labels != 1]}"
    with clock.measure(f"{title}: learned anew, warm"):
        new = replace(refit_labels(head, history, names), memory=_memory(history, lessons))
    with clock.measure(f"{title}: tried"):
        compare(head, new, history=history, lessons=lessons, columns=range(labels))
    with clock.measure(f"{title}: stored"):
        new.to_bytes()


def _whole(clock: Clock, head: Head, made: Made, history: History) -> None:
    lessons = _lessons(history, range(len(made.specs)))
    with clock.measure("whole head: fitted"):
        new = fit_head(history, made.specs, label_vectors=made.label_vectors)
    with clock.measure("whole head: tried"):
        compare(head, new, history=history, lessons=lessons, columns=range(len(made.specs)))


def _lessons(history: History, columns: Sequence[int]) -> list[Lesson]:
    """The newest issue that is known not to have each label, as a removal."""
    rows = [int(np.flatnonzero(history.known[:, column] < 0)[-1]) for column in columns]
    return [
        Lesson("removal", row, column, None, 1.0, fresh=True)
        for row, column in zip(rows, columns, strict=True)
    ]


def _memory(history: History, lessons: Sequence[Lesson]) -> Memory:
    told = [
        Remembered(lesson.row, history.vectors[lesson.row], lesson.columns[0], -1, 1.0)
        for lesson in lessons
    ]
    return Memory.of(told, dim=history.vectors.shape[1])


def _spread(effects: Sequence[Effect]) -> dict[str, float]:
    seconds = np.array([effect.seconds for effect in effects])
    return {
        "median": float(np.median(seconds)),
        "p95": float(np.percentile(seconds, 95)),
        "worst": float(seconds.max()),
    }


def _report(figures: dict[str, Any]) -> None:
    title = f"{figures['issues']} issues x {figures['labels']} labels, load {figures['load']:.1f}"
    columns = ("step", "cpu_s", "database_cpu_s", "wall_s", "peak_mb")
    table = Table(*columns, title=f"{title}, through the store")
    for row in figures.get("through_the_store", ()):
        table.add_row(row["step"], *(f"{row[column]:.2f}" for column in columns[1:]))
    if table.row_count:
        Console().print(table)
    table = Table("step", "median wall s", "median CPU s", title=title)
    for name, seconds in figures.get("wall_s", {}).items():
        table.add_row(name, f"{seconds:.3f}", f"{figures['cpu_s'][name]:.3f}")
    if "wall_s" in figures:
        Console().print(table)
    for name in ("correction_to_effect_s", "right"):
        if name in figures:
            Console().print(f"{name}: {figures[name]}")


if __name__ == "__main__":
    main()
