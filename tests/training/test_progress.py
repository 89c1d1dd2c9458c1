from __future__ import annotations

import io
from itertools import chain, repeat

import pytest
from rich.console import Console

from training.cli import progress
from training.cli.progress import follow, watch


def test_a_log_gets_a_line_now_and_then() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=False)
    seconds = chain([0.0, 0.0, 1.0, 2.0, 25.0, 30.0, 31.0], repeat(32.0))
    tell = progress._lines(console, clock=lambda: next(seconds))
    for done in (1, 2, 3, 4):
        tell("encoder", done, 4, 0.5)
    tell("heads", 1, 1, 0.0)
    assert written.getvalue().splitlines() == [
        "encoder: 1 of 4",
        "encoder: 3 of 4, loss 0.500, 12 s left",
        "encoder: 4 of 4, done",
        "heads",
    ]


def test_a_terminal_gets_a_bar_that_starts_anew() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=100)
    with follow(console) as tell:
        tell("first", 1, 2, 0.5)
        tell("second", 1, 1, 0.25)
        tell("second", 1, 1, 0.25)
    assert "second" in written.getvalue()
    assert "0.250" in written.getvalue()


STEP = {
    "leg": "fit",
    "step": 1,
    "steps": 9,
    "loss": 2.5,
    "losses": {"a": 1.0},
    "seconds_left": 80.2,
}


def test_what_a_run_tells_reads_as_a_sentence() -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=False)
    seconds = [0.0]
    tell = progress.told_lines(console, clock=lambda: seconds[0])
    export = {"step": "export"}
    for told in (
        {},
        STEP,
        STEP | {"step": 2},
        STEP | {"step": 7},
        export,
        export,
        {"a/b": "1 of 2"},
        {"waiting": "for process 1"} | STEP,
    ):
        tell(told)
        seconds[0] += 15
    assert written.getvalue().splitlines() == [
        "fit: step 1 of 9, loss 2.500, 80 s left",
        "fit: step 7 of 9, loss 2.500, 80 s left",
        "step export",
        "a/b 1 of 2",
        "waiting for process 1; fit: step 1 of 9, loss 2.500, 80 s left",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_who_stops_it_is_told_how_it_goes_on(terminal: bool) -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=100)
    with pytest.raises(KeyboardInterrupt):
        _stopped(console)
    assert "Stopped. run 3 goes on." in written.getvalue()


def _stopped(console: Console) -> None:
    with watch(console, hint="run 3 goes on.") as tell:
        tell(STEP)
        raise KeyboardInterrupt
