"""A trained model: a tuned encoder, words, and how what they say is combined.

Beside the encoder that is trained on everything, others are trained without a part of the issues: on
that part they show, with words that did not see it either, how much each side counts and where to cut.
Few issues leave no part to spare: then the combination is fixed beforehand and nothing is promised.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from bot.core.evidence import KnownPairs
from training.batches import Tokens, tokenise
from training.data import FiledIssue
from training.device import Device
from training.fit import OnStep, encode, fit_network, head_logits
from training.folds import stratified_folds
from training.hierarchy import Floats
from training.network import Network, open_tokenizer
from training.recipe import Recipe
from training.sides import VectorSide, fit_vectors, network_log_odds
from training.stacking import Floats64, Stack, fit_stack, fixed_stack
from training.task import Bools, Ints, LabelSpace, Task
from training.words import WordSide, fit_words

OnProgress = Callable[[str, int, int, float], None]
"""Called with (what is being done, steps done, steps in all, loss)."""

SIDES = 3
ENOUGH = 12
"""Issues of the rarest label of single-label data, below which no part is spared; of multi-label data
ten times as many in all."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Probabilities of training issues by models that had not seen them."""

    probabilities: Floats64
    known: KnownPairs
    repo: Ints


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
    """A tuned encoder with both heads on its vectors, and words: each gives log-odds per label."""

    network: Network
    vectors: VectorSide
    words: WordSide
    recipe: Recipe
    device: Device
    base: Path | None

    def log_odds(
        self, issues: Sequence[FiledIssue], *, repo: Ints, allowed: Bools, single: bool
    ) -> Floats:
        """[3, n, L]: network, vectors, words."""
        vectors = encode(
            self.network, tokens_of(issues, self.recipe, self.base), device=self.device
        )
        own = network_log_odds(head_logits(self.network, vectors), allowed=allowed, single=single)
        return np.stack(
            [own, self.vectors.log_odds(vectors, repo), self.words.log_odds(issues, repo)]
        )


@dataclass(frozen=True, slots=True)
class Model:
    """Scores issues for the labels of its space. `by_repo`: each repository has heads of its own."""

    space: LabelSpace
    by_repo: bool
    sides: Sided
    stack: Stack
    held_out: HeldOut | None

    def probabilities(self, issues: Sequence[FiledIssue]) -> Floats64:
        index = self.space.repo_index(issues)
        repo = index if self.by_repo else np.full_like(index, -1)
        allowed, single = self.space.allowed(index), self.space.single
        told = self.sides.log_odds(issues, repo=repo, allowed=allowed, single=single)
        return self.stack.probabilities(told, allowed=allowed, single=single)


def train_model(
    task: Task,
    recipe: Recipe,
    *,
    seed: int,
    by_repo: bool,
    device: Device,
    base: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Model:
    """Train on a task. `by_repo`: heads of its own for each repository, on the shared encoder."""
    allowed, single = task.space.allowed(task.repo), task.space.single
    known = task if by_repo else task.without_repos()
    parts = held_out_parts(task, recipe, seed=seed)

    def train(rows: Ints, number: int) -> Sided:
        what = f"encoder without part {number} of {len(parts)}" if number else "encoder"
        return _train_sides(
            known.take(rows),
            recipe,
            seed=seed * 1000 + number,
            device=device,
            base=base,
            on_step=_report(on_progress, what),
        )

    everything = np.arange(len(task.issues))
    stack, held_out = fixed_stack(len(task.space.labels)), None
    if parts:
        told = np.zeros((SIDES, *task.known.shape), dtype=np.float32)
        for number, part in enumerate(parts, start=1):
            unseen = known.take(part)
            told[:, part] = train(np.setdiff1d(everything, part), number).log_odds(
                unseen.issues, repo=unseen.repo, allowed=allowed[part], single=single
            )
        stack = fit_stack(told, task.known)
        found = stack.probabilities(told, allowed=allowed, single=single)
        held_out = HeldOut(found, task.known, task.repo)
    return Model(task.space, by_repo, train(everything, 0), stack, held_out)


def held_out_parts(task: Task, recipe: Recipe, *, seed: int) -> list[Ints]:
    """The rows that one encoder each is not trained on; none where all are needed."""
    rarest = int((task.known > 0).sum(axis=0).min())
    enough = rarest >= ENOUGH if task.space.single else len(task.issues) >= 10 * ENOUGH
    if not enough or not recipe.held_out_parts:
        return []
    return stratified_folds(task, parts=recipe.held_out_parts, seed=seed)


def tokens_of(issues: Sequence[FiledIssue], recipe: Recipe, base: Path | None) -> Tokens:
    texts = [issue.text.joined for issue in issues]
    return tokenise(open_tokenizer(base), texts, max_tokens=recipe.max_tokens)


def _train_sides(
    seen: Task,
    recipe: Recipe,
    *,
    seed: int,
    device: Device,
    base: Path | None,
    on_step: OnStep | None,
) -> Sided:
    network = fit_network(seen, recipe, seed=seed, device=device, base=base, on_step=on_step)
    vectors = encode(network, tokens_of(seen.issues, recipe, base), device=device)
    return Sided(network, fit_vectors(vectors, seen), fit_words(seen), recipe, device, base)


def _report(on_progress: OnProgress | None, what: str) -> OnStep | None:
    if on_progress is None:
        return None
    return lambda done, total, loss: on_progress(what, done, total, loss)
