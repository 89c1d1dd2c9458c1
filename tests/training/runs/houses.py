"""What a retraining needs around it: ways to fit, and somebody who remembers what was promoted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bot.store import runs
from bot.store.tables import Run
from training.fit import run as fit_run
from training.launch import FitFailed, Launcher, OnProgress, Work
from training.recipe_file import read_recipe
from training.run import House


@dataclass
class Here:
    """The real fit, in this process: torchrun is tested elsewhere."""

    fits: int = 0
    breaks: int = 0

    def fit(self, work: Work, *, on_progress: OnProgress) -> None:
        on_progress({"step": 0})
        if self.breaks:
            self.breaks -= 1
            raise FitFailed("the loss became nan in step 3")
        self.fits += 1
        fit_run.run(
            fit_run.Job(
                recipe=read_recipe(work.recipe),
                snapshot=work.snapshot,
                out=work.out,
                tracker="none",
            )
        )


@dataclass
class Interrupted:
    """Something comes between while it is fitted."""

    meanwhile: Callable[[], None]

    def fit(self, work: Work, *, on_progress: OnProgress) -> None:
        self.meanwhile()
        on_progress({"step": 1})


@dataclass
class Promoted:
    """Remembers what it was asked to promote."""

    asked: list[tuple[Path, int]]

    def __call__(self, bundle: Path, run_id: int) -> str:
        self.asked.append((bundle, run_id))
        return "It is being rolled out."


def row(house: House, run_id: int) -> Run:
    with house.database.session() as session:
        found = runs.get(session, run_id)
        session.expunge(found)
        return found


def fitted_by(house: House, launcher: Launcher) -> House:
    return replace(house, launch=lambda run_id: launcher)


def silent(told: Mapping[str, Any]) -> None:
    """Nobody watches."""
