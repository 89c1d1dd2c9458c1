from __future__ import annotations

import io
from itertools import chain, repeat

from rich.console import Console

from training.cli import progress
from training.cli.progress import follow


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
