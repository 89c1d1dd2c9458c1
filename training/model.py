"""A trained model: tuned encoders, words, and how their scores are combined.

Each encoder is trained without one part of the data; on that part it shows, with words that did not see
it either, how much each side counts, and where to cut. Few issues leave no part to spare: then all is
used for training and the combination is fixed beforehand.
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
from training.fit import encode, fit_network, head_logits
from training.folds import stratified_folds
from training.hierarchy import Floats
from training.network import Network, open_tokenizer
from training.recipe import Recipe
from training.sides import SIDES, VectorSide, fit_vectors, network_log_odds
from training.stacking import Floats64, Stack, fit_stack, fixed_stack
from training.task import Bools, Ints, LabelSpace, Task
from training.words import WordSide, fit_words

OnProgress = Callable[[str, int, int, float], None]
"""Called with (what is being done, steps done, steps in all, loss)."""

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
class Member:
    """One encoder of the model, with both heads on its vectors."""

    network: Network
    vectors: VectorSide

    def log_odds(
        self, tokens: Tokens, *, repo: Ints, allowed: Bools, single: bool, device: Device
    ) -> Floats:
        """[2, n, L] of the sides `network` and `vectors`."""
        encoded = encode(self.network, tokens, device=device)
        own = network_log_odds(head_logits(self.network, encoded), allowed=allowed, single=single)
        return np.stack([own, self.vectors.log_odds(encoded, repo)])


@dataclass(frozen=True, slots=True)
class Model:
    """Scores issues for the labels of its space."""

    space: LabelSpace
    recipe: Recipe
    by_repo: bool
    members: tuple[Member, ...]
    words: WordSide
    stack: Stack
    held_out: HeldOut | None
    device: Device
    base: Path | None

    def probabilities(self, issues: Sequence[FiledIssue]) -> Floats64:
        index = self.space.repo_index(issues)
        repo = index if self.by_repo else np.full_like(index, -1)
        allowed = self.space.allowed(index)
        tokens = tokens_of(issues, self.recipe, self.base)
        told = [
            member.log_odds(
                tokens, repo=repo, allowed=allowed, single=self.space.single, device=self.device
            )
            for member in self.members
        ]
        sides = np.concatenate(
            [np.mean(told, axis=0, dtype=np.float32), self.words.log_odds(issues, repo)[None]]
        )
        return self.stack.probabilities(sides, allowed=allowed, single=self.space.single)


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
    """Train on a task. `by_repo`: heads of its own for each repository, on the shared encoders."""
    index = task.repo
    task = task if by_repo else task.without_repos()
    allowed = task.space.allowed(index)
    members: list[Member] = []
    sides = np.zeros((len(SIDES), *task.known.shape), dtype=np.float32)
    parts = spared_parts(task, recipe, seed=seed)
    for number, part in enumerate(parts):
        seen = task.take(np.setdiff1d(np.arange(len(task.issues)), part))
        member = _train_member(
            seen,
            recipe,
            seed=seed * 1000 + number,
            device=device,
            base=base,
            on_step=_report(on_progress, f"encoder {number + 1} of {len(parts)}"),
        )
        members.append(member)
        if len(part):
            unseen = task.take(part)
            words = fit_words(seen).log_odds(unseen.issues, unseen.repo)
            tokens = tokens_of(unseen.issues, recipe, base)
            vectors = member.log_odds(
                tokens,
                repo=unseen.repo,
                allowed=allowed[part],
                single=task.space.single,
                device=device,
            )
            sides[:, part] = np.concatenate([vectors, words[None]])
    stack, held_out = fixed_stack(task.known.shape[1]), None
    if all(map(len, parts)):
        stack = fit_stack(sides, task.known)
        found = stack.probabilities(sides, allowed=allowed, single=task.space.single)
        held_out = HeldOut(found, task.known, index)
    return Model(
        space=task.space,
        recipe=recipe,
        by_repo=by_repo,
        members=tuple(members),
        words=fit_words(task),
        stack=stack,
        held_out=held_out,
        device=device,
        base=base,
    )


def spared_parts(task: Task, recipe: Recipe, *, seed: int) -> list[Ints]:
    """Per member, the rows it is not trained on; empty where all are needed."""
    rarest = int((task.known > 0).sum(axis=0).min())
    enough = rarest >= ENOUGH if task.space.single else len(task.issues) >= 10 * ENOUGH
    if recipe.members > 1 and enough:
        return stratified_folds(task, parts=recipe.members, seed=seed)
    return [np.zeros(0, dtype=np.int64)] * recipe.members


def tokens_of(issues: Sequence[FiledIssue], recipe: Recipe, base: Path | None) -> Tokens:
    texts = [issue.text.joined for issue in issues]
    return tokenise(open_tokenizer(base), texts, max_tokens=recipe.max_tokens)


def _train_member(
    seen: Task,
    recipe: Recipe,
    *,
    seed: int,
    device: Device,
    base: Path | None,
    on_step: Callable[[int, int, float], None] | None,
) -> Member:
    network = fit_network(seen, recipe, seed=seed, device=device, base=base, on_step=on_step)
    vectors = encode(network, tokens_of(seen.issues, recipe, base), device=device)
    return Member(network, fit_vectors(vectors, seen))


def _report(on_progress: OnProgress | None, what: str) -> Callable[[int, int, float], None] | None:
    if on_progress is None:
        return None
    return lambda done, total, loss: on_progress(what, done, total, loss)
