"""One trial: the legs of a fit, looked at four times a student, so that a poor one ends early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from training.batches import tokenise
from training.device import Device
from training.fit.labelled import texts_of
from training.fit.legs import Setting, train_legs
from training.fit.loop import Progress
from training.fit.output import Identity
from training.fit.saver import Saver
from training.objectives.registry import make_terms
from training.recipe import Recipe
from training.search.exam import Exam

LOOKS = 4
"""At each quarter of a student's steps: trials of different length are compared where they stand alike."""

OnLook = Callable[[int, float], None]
"""Called with (number of the look, value); raises to end the trial."""


@dataclass(slots=True)
class Watcher(Saver):
    """Looks where a run would save: a trial is short, and nothing of it is kept."""

    look: Callable[[int, Any], None] = lambda *_: None

    def after(self, told: Progress) -> None:
        before, now = (LOOKS * done // told.total for done in (told.done - 1, told.done))
        if now > before and self.leg is not None and self.leg.kind == "fit":
            assert self.learner is not None
            self.look(self.leg.round * LOOKS + now, self.learner.averaged)


@dataclass(frozen=True, slots=True)
class Bench:
    """What every trial shares."""

    exam: Exam
    base: Path
    tokenizer: Any
    device: Device


def run_trial(bench: Bench, recipe: Recipe, *, on_look: OnLook) -> float:
    """The value of the last look.

    Raises:
        GiveUp: the loss became no number.
        Exception: whatever `on_look` raised.
    """
    lesson, values = bench.exam.lesson, [0.0]

    def look(number: int, network: Any) -> None:
        learns = network.training
        values.append(
            bench.exam.score(network.eval(), recipe, tokenizer=bench.tokenizer, device=bench.device)
        )
        network.train(learns)
        on_look(number, values[-1])

    setting = Setting(
        recipe=recipe,
        lesson=lesson,
        device=bench.device,
        base=bench.base,
        tokenizer=bench.tokenizer,
        terms=make_terms(recipe.terms),
        tokens=tokenise(bench.tokenizer, texts_of(lesson.task), max_tokens=recipe.max_tokens),
    )
    with TemporaryDirectory() as folder:
        watcher = Watcher(
            path=Path(folder) / "checkpoint",
            identity=Identity("search", "search", "search"),
            every=1,
            seed=recipe.seed,
            cuda=bench.device.kind == "cuda",
            journal=None,
            look=look,
        )
        train_legs(setting, watcher, None)
    return values[-1]
