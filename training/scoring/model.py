"""A trained model: a tuned encoder, words, and how what they say is combined.

On issues that encoder and words did not see they show how much each side counts and where to cut. Few
issues leave none to spare: then the combination is fixed beforehand and nothing is promised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from training.batches import Tokens, tokenise
from training.data import FiledIssue
from training.device import Device
from training.fit import OnStep, encode, fit_network, head_logits
from training.network import Network, open_tokenizer
from training.recipe import Recipe
from training.scoring.folds import stratified_folds
from training.scoring.held_out import (
    HeldOut,
    plan_encoders,
    rows_of,
    sample_rows,
    within_means,
)
from training.scoring.sides import network_log_odds
from training.scoring.stacking import Floats64, Stack, cross_probabilities, fit_stack, fixed_stack
from training.scoring.words import WordSide, fit_words
from training.task import Bools, Floats, Ints, LabelSpace, Task

OnProgress = Callable[[str, int, int, float], None]
"""Called with (what is being done, steps done, steps in all, loss)."""


def nobody(_what: str, _done: int, _total: int, _loss: float) -> None:
    """Progress that nobody asked to see."""


SIDES = 2
MOST_WORDS = 12_000
"""Issues that words learn from: as many as an encoder on a processor sees, for time and memory."""
MOST_WORKERS = 4
"""Regressions over words that are in memory at once."""
STACK_FOLDS = 5
STACKED_FROM = 120
"""Issues below which their several labels cannot tell how much each side counts."""


class Scorer(Protocol):
    """A trained model of either engine."""

    @property
    def space(self) -> LabelSpace: ...

    @property
    def held_out(self) -> HeldOut | None: ...

    def probabilities(self, issues: Sequence[FiledIssue]) -> Floats64:
        """[n, L]; of single-label data the rows sum to one. Labels a repository does not use get 0."""
        ...


@dataclass(frozen=True, slots=True)
class Sided:
    """A tuned encoder with its head, and words: each gives log-odds per label."""

    network: Network
    words: WordSide
    recipe: Recipe
    device: Device
    base: Path | None

    def log_odds(
        self, issues: Sequence[FiledIssue], *, repo: Ints, allowed: Bools, single: bool
    ) -> Floats:
        """[2, n, L]: network, words."""
        tokens = tokens_of(issues, self.recipe, self.base)
        logits = head_logits(self.network, encode(self.network, tokens, device=self.device))
        own = network_log_odds(logits, allowed=allowed, single=single)
        return np.stack([own, self.words.log_odds(issues, repo)])


@dataclass(frozen=True, slots=True)
class Model:
    """Scores issues for the labels of its space; a repository that was trained on has its own heads."""

    space: LabelSpace
    sides: Sided
    stack: Stack
    held_out: HeldOut | None

    def probabilities(self, issues: Sequence[FiledIssue]) -> Floats64:
        repo = self.space.repo_index(issues)
        allowed, single = self.space.allowed(repo), self.space.single
        told = self.sides.log_odds(issues, repo=repo, allowed=allowed, single=single)
        return self.stack.probabilities(told, allowed=allowed, single=single)


@dataclass(frozen=True, slots=True)
class _Trainer:
    """What every encoder of one run has in common."""

    recipe: Recipe
    seed: int
    device: Device
    base: Path | None
    on_progress: OnProgress

    def train(self, task: Task, rows: Ints, *, what: str, number: int) -> Sided:
        """Each side learns from as many of the rows as there is time for."""
        seed = self.seed * 1000 + number

        def sample(most: int) -> Task:
            return task.take(sample_rows(rows, task.known[rows], most=most, seed=seed))

        network = fit_network(
            sample(self.recipe.max_passes),
            self.recipe,
            seed=seed,
            device=self.device,
            base=self.base,
            on_step=self._reports(f"encoder {what}"),
        )
        tell = self._reports(f"words {what}")
        words = fit_words(
            sample(MOST_WORDS),
            workers=min(torch.get_num_threads(), MOST_WORKERS),
            on_part=lambda done, total: tell(done, total, 0.0),
        )
        return Sided(network, words, self.recipe, self.device, self.base)

    def _reports(self, what: str) -> OnStep:
        return lambda done, total, loss: self.on_progress(what, done, total, loss)


@dataclass(slots=True)
class _Shown:
    """What was said of issues that were not seen."""

    task: Task
    told: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.told = np.zeros((SIDES, *self.task.known.shape), dtype=np.float32)

    def show(self, sides: Sided, rows: Ints) -> None:
        unseen = self.task.take(rows)
        allowed = self.task.space.allowed(unseen.repo)
        self.told[:, rows] = sides.log_odds(
            unseen.issues, repo=unseen.repo, allowed=allowed, single=self.task.space.single
        )

    def judge(self, rows: Ints, *, seed: int) -> tuple[Stack, HeldOut]:
        """The stack of all rows, and what stacks that had not seen them say of each."""
        seen, told = self.task.take(rows), self.told[:, rows]
        allowed, single = seen.space.allowed(seen.repo), seen.space.single
        fold = np.zeros(len(rows), dtype=np.int64)
        for number, part in enumerate(stratified_folds(seen, parts=STACK_FOLDS, seed=seed)):
            fold[part] = number
        if not single and len(rows) < STACKED_FROM:
            stack = fixed_stack(len(seen.space.labels))
            found = stack.probabilities(told, allowed=allowed, single=single)
        else:
            stack = fit_stack(told, seen.known)
            found = cross_probabilities(told, seen.known, fold, allowed=allowed, single=single)
        closed = seen.space.closed_world(seen.issues)
        return stack, HeldOut(found, seen.known, closed, seen.repo, fold)


def train_model(
    task: Task,
    recipe: Recipe,
    *,
    seed: int,
    device: Device,
    base: Path | None = None,
    on_progress: OnProgress = nobody,
) -> Model:
    """Train on a task; its repositories share the encoder and what their words have in common."""
    trainer = _Trainer(within_means(recipe, device), seed, device, base, on_progress)
    plan = plan_encoders(task, recipe, seed=seed)
    shown = _Shown(task)
    for number, (rows, unseen) in enumerate(zip(plan.trained, plan.unseen, strict=True), start=1):
        what = f"{number} of {len(plan.trained)}"
        last = number == len(plan.trained)
        sides = trainer.train(task, rows, what=what, number=0 if last else number)
        if len(unseen):
            shown.show(sides, unseen)
    rows = rows_of(plan.unseen)
    if not len(rows):
        return Model(task.space, sides, fixed_stack(len(task.space.labels)), None)
    return Model(task.space, sides, *shown.judge(rows, seed=seed))


def tokens_of(issues: Sequence[FiledIssue], recipe: Recipe, base: Path | None) -> Tokens:
    texts = [issue.text.joined for issue in issues]
    return tokenise(open_tokenizer(base), texts, max_tokens=recipe.max_tokens)
