"""Shows how far the work is: a bar for a person at a terminal, a line now and then for a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

OnProgress = Callable[[str, int, int, float], None]
OnTold = Callable[[Mapping[str, Any]], None]

EVERY = 20.0
"""Seconds between two lines of one piece of work."""


@contextmanager
def follow(console: Console) -> Iterator[OnProgress]:
    """Called with (what is being done, steps done, steps in all, loss)."""
    if not console.is_terminal:
        yield _lines(console)
        return
    with _bar_of(console) as progress:
        yield _bar(progress)


def _bar_of(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed}/{task.total} loss {task.fields[loss]:.3f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def _bar(progress: Progress) -> OnProgress:
    """One bar, which starts anew with each piece of work."""
    bar = progress.add_task("", total=None, loss=0.0, visible=False)
    at = ""

    def on_progress(what: str, done: int, total: int, loss: float) -> None:
        nonlocal at
        if what != at:
            progress.reset(bar, total=total, visible=True, description=what)
            at = what
        progress.update(bar, completed=done, total=total, loss=loss)

    return on_progress


def _lines(console: Console, clock: Callable[[], float] = time.monotonic) -> OnProgress:
    """The first step, the last one, and one now and then, with the time that is left."""
    at, began, told = "", clock(), clock()

    def on_progress(what: str, done: int, total: int, loss: float) -> None:
        nonlocal at, began, told
        now = clock()
        if what == at and done < total and now - told < EVERY:
            return
        if what != at:
            at, began, left = what, now, ""
        else:
            seconds = (now - began) / max(done - 1, 1) * (total - done)
            left = f", loss {loss:.3f}, {seconds:.0f} s left" if done < total else ", done"
        told = now
        steps = f": {done} of {total}" if total > 1 else ""
        console.print(f"{what}{steps}{left}", markup=False, highlight=False, soft_wrap=True)

    return on_progress


@contextmanager
def watch(console: Console, *, hint: str) -> Iterator[OnTold]:
    """Called with what a run tells of itself (`training.launch.OnProgress`); `hint` says how to go on
    after a stop."""
    try:
        if console.is_terminal:
            with console.status("starting") as status:
                yield lambda told: status.update(escape(in_words(told) or "starting"))
        else:
            yield told_lines(console)
    except (KeyboardInterrupt, SystemExit):
        console.print(f"Stopped. {hint}", markup=False, highlight=False, soft_wrap=True)
        raise


def in_words(told: Mapping[str, Any]) -> str:
    """A line of `metrics.jsonl` as a person reads it; anything else as names and values."""
    if {"leg", "step", "steps", "loss", "seconds_left"} <= told.keys():
        waiting = f"waiting {told['waiting']}; " if "waiting" in told else ""
        return (
            f"{waiting}{told['leg']}: step {told['step']} of {told['steps']}, loss {told['loss']:.3f}, "
            f"{told['seconds_left']:.0f} s left"
        )
    return ", ".join(f"{name} {value}" for name, value in told.items())


def told_lines(console: Console, clock: Callable[[], float] = time.monotonic) -> OnTold:
    """A line for each thing that begins, and one now and then."""
    at, last = "", clock()

    def on_told(told: Mapping[str, Any]) -> None:
        nonlocal at, last
        words = in_words(told)
        what = str(told.get("leg") or told.get("step") or ", ".join(told))
        if not words or (what == at and clock() - last < EVERY):
            return
        at, last = what, clock()
        console.print(words, markup=False, highlight=False, soft_wrap=True)

    return on_told
