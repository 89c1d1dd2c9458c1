"""Seconds to fit a head on a large repository: sides, calibration and cuts; one label refitted; scoring.

On a made-up repository whose words, vectors and labels hang together as real ones do: Zipf words, each
label with words and a direction of its own, a plain family and three prefixed ones, a third unlabelled.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bot.classify.head import Head, fit_head, refit_labels
from bot.classify.history import History
from bot.core.evidence import known_pairs
from bot.core.types import IssueText, LabelSpec

FAMILIES = ("", "area/", "kind/", "os/")
VOCABULARY = 30_000
DIM = 384


@dataclass(frozen=True, slots=True)
class Made:
    history: History
    specs: tuple[LabelSpec, ...]
    label_vectors: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Clock:
    """Seconds by step, on the wall and of this process; they differ where the machine is shared."""

    wall: dict[str, list[float]] = field(default_factory=dict)
    cpu: dict[str, list[float]] = field(default_factory=dict)

    @contextmanager
    def measure(self, step: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall.setdefault(step, []).append(time.perf_counter() - wall)
        self.cpu.setdefault(step, []).append(time.process_time() - cpu)


def make_repository(*, issues: int, labels: int, words: int, seed: int) -> Made:
    """A repository of `issues` issues of about `words` words and `labels` labels."""
    rng = np.random.default_rng(seed)
    names = tuple(f"{FAMILIES[j % len(FAMILIES)]}topic{j}" for j in range(labels))
    directions = _unit(rng.normal(size=(labels, DIM)))
    share = rng.dirichlet(np.full(labels, 0.4))
    own_words = rng.integers(200, VOCABULARY, size=(labels, 40))
    sets, texts, vectors = [], [], np.empty((issues, DIM), dtype=np.float32)
    for i in range(issues):
        chosen = rng.choice(labels, size=rng.integers(1, 4), p=share, replace=False)
        sets.append([names[j] for j in chosen] if rng.random() > 1 / 3 else [])
        texts.append(_text(rng, own_words[chosen].ravel(), words))
        vectors[i] = _unit(directions[chosen].sum(axis=0) + 2.5 * _unit(rng.normal(size=DIM)))
    history = History(
        texts=texts,
        vectors=vectors,
        known=known_pairs(sets, names),
        times=np.arange(issues, dtype=np.float64),
    )
    label_vectors = _unit(directions + 1.5 * _unit(rng.normal(size=directions.shape)))
    return Made(history, tuple(LabelSpec(name) for name in names), label_vectors.astype(np.float32))


def _text(rng: np.random.Generator, own: NDArray[np.int64], words: int) -> IssueText:
    length = max(10, int(rng.lognormal(np.log(words), 0.7)))
    ids = np.minimum(rng.zipf(1.35, size=length), VOCABULARY - 1)
    ids[rng.random(length) < 0.06] = rng.choice(own)
    spelled = [f"w{number}" for number in ids]
    body = " ".join(spelled[8:])
    return IssueText(title=" ".join(spelled[:8]), body=f"## What happened\n{body}")


def _unit(rows: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


def main() -> None:
    options = _options()
    made = make_repository(
        issues=options.issues, labels=options.labels, words=options.words, seed=0
    )
    clock = Clock()
    for _ in range(options.rounds):
        stored = _round(made, clock)
    figures = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg()[0],
        "issues": options.issues,
        "labels": options.labels,
        "rounds": options.rounds,
        "artefact_mb": len(stored) / 1e6,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "wall_s": {name: statistics.median(found) for name, found in clock.wall.items()},
        "cpu_s": {name: statistics.median(found) for name, found in clock.cpu.items()},
        "all_wall_s": clock.wall,
        "all_cpu_s": clock.cpu,
    }
    _report(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def _round(made: Made, clock: Clock) -> bytes:
    with clock.measure("full fit"):
        head = fit_head(made.history, made.specs, label_vectors=made.label_vectors)
    with clock.measure("one label, warm"):
        refit_labels(head, made.history, head.labels[:1])
    with clock.measure("to bytes"):
        stored = head.to_bytes()
    with clock.measure("from bytes"):
        head = Head.from_bytes(stored)
    with clock.measure("score one issue"):
        head.score(made.history.texts[:1], made.history.vectors[:1])
    return stored


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--issues", type=int, default=10_000)
    parser.add_argument("--labels", type=int, default=50)
    parser.add_argument("--words", type=int, default=120, help="median words of an issue")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures there")
    return parser.parse_args()


def _report(figures: dict[str, Any]) -> None:
    title = f"{figures['issues']} issues x {figures['labels']} labels, load {figures['load']:.1f}"
    table = Table("step", "median wall s", "median CPU s", title=title)
    for name, seconds in figures["wall_s"].items():
        table.add_row(name, f"{seconds:.3f}", f"{figures['cpu_s'][name]:.3f}")
    table.add_row("artefact, MB", f"{figures['artefact_mb']:.1f}")
    table.add_row("peak of the process, MB", f"{figures['peak_mb']:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
