"""What rank 0 tells while a run goes on: metrics as lines of JSON, a bar with the time left, a tracker."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from training.fit import loop
from training.fit.checkpoint import NotSaved
from training.trackers import Tracker

EVERY = 15.0
"""Seconds between two lines where nobody watches a bar."""


@dataclass(slots=True)
class Journal:
    """Open on rank 0 alone; lines that a resumed run will write again are cut off at its start."""

    path: Path
    tracker: Tracker
    lines: int
    console: Console = field(default_factory=lambda: Console(stderr=True))
    bar: Progress = field(init=False)
    shown: Any = None
    leg: str = ""
    began: float = 0.0
    last: float = 0.0
    first_step: int = 0

    def __post_init__(self) -> None:
        kept = self.path.read_bytes().splitlines(keepends=True) if self.path.is_file() else []
        self.lines = min(self.lines, len(kept))
        _write(self.path, b"".join(kept[: self.lines]), mode="wb")
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} loss {task.fields[loss]:.3f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> Journal:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()
        self.tracker.finish()

    def begin(self, leg: str, *, step: int, steps: int) -> None:
        self.leg, self.began, self.first_step = leg, time.perf_counter(), step
        if self.shown is not None:
            self.bar.remove_task(self.shown)
        self.shown = self.bar.add_task(leg, total=steps, completed=step, loss=0.0)

    def note(self, told: loop.Progress, *, learning_rate: float) -> None:
        """One line, and the bar; the tracker gets the same figures."""
        now = time.perf_counter()
        each = (now - self.began) / max(told.done - self.first_step, 1)
        line = {
            "leg": self.leg,
            "step": told.done,
            "steps": told.total,
            "loss": told.loss,
            "losses": dict(told.losses),
            "metrics": dict(told.metrics),
            "learning_rate": learning_rate,
            "issues": told.issues,
            "seconds_per_step": round(each, 4),
            "seconds_left": round(each * (told.total - told.done), 1),
        }
        _write(self.path, json.dumps(line).encode() + b"\n", mode="ab")
        self.lines += 1
        self.tracker.log(_flat(line), step=self.lines)
        self.bar.update(self.shown, completed=told.done, loss=told.loss)
        if not self.console.is_terminal and (now - self.last > EVERY or told.done == told.total):
            self.last = now
            self.say(
                f"{self.leg}: step {told.done} of {told.total}, loss {told.loss:.4f}, "
                f"{line['seconds_left']:.0f} s left"
            )

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)


def _flat(line: dict[str, Any]) -> dict[str, float]:
    """Numbers alone, for who draws curves."""
    figures = {f"{line['leg']}/{key}": line[key] for key in ("loss", "learning_rate")}
    return figures | {
        f"{line['leg']}/{key}": value
        for part in ("losses", "metrics")
        for key, value in line[part].items()
    }


def _write(path: Path, content: bytes, *, mode: str) -> None:
    try:
        with path.open(mode) as stream:
            stream.write(content)
    except OSError as error:
        raise NotSaved(
            f"{path}: cannot be written ({error.strerror}). Make room, then start the same command "
            "again: it goes on from the last checkpoint."
        ) from error
