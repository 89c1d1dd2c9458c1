"""Which issues may judge the next challenger. An issue that has judged one, or has been learned from, never
does again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from bot.classify.seen import read_provenance
from bot.store.tables import Run
from training.judge.gate import past_run
from training.launch import Work
from training.recipe import Recipe
from training.snapshot.cut import seen_until


def used_up(judged: Sequence[Run], recipe: Recipe) -> dict[str, datetime]:
    """Repository -> the newest issue that must not judge any more: what was tried has judged, what was
    promoted has learned, and so has the encoder that the recipe begins with. A challenger that was kept out
    takes what it saw with it, so that evidence too little for one try gathers for the next."""
    used: dict[str, datetime] = {}
    begins = read_provenance(Path(recipe.encoder)).seen if recipe.encoder else {}
    for name, at in (*_of_runs(judged), *begins.items()):
        if at is not None:
            used[name] = max(at, used.get(name, at))
    return used


def _of_runs(judged: Sequence[Run]) -> Iterable[tuple[str, datetime | None]]:
    for row in judged:
        run, snapshot = past_run(row.report), Work(Path(row.directory)).snapshot
        if run.tried:
            yield from ((name, window.last) for name, window in run.windows.items())
        if run.promoted and (snapshot / "manifest.json").is_file():
            yield from seen_until([snapshot]).items()
