"""The phase that learns from labels: what is minimised on a batch of labelled issues.

Supervised contrastive over the batch plus classification by a linear head that starts in the
zero-shot direction; then what the semi-supervised terms say of issues without labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from training import distributed
from training.batches import Tokens, pad, tokenise
from training.device import Device
from training.fit.loop import Learner, Told, make_learner, train
from training.fit.plan import Plan, labelled_plan, parameter_groups
from training.fit.start import start_network
from training.fit.terms import Company
from training.network import Network, open_tokenizer
from training.objectives import Batch, Objective
from training.objectives.balance import FixedBalance, LearnedBalance
from training.objectives.classification import Classification
from training.objectives.contrastive import Contrastive
from training.recipe import Recipe
from training.task import Ints, Task

OnStep = Callable[[int, int, float], None]
"""Called after each step with (steps done, steps in all, loss)."""

CLASSIFICATION, CONTRAST = "classification", "contrast"


@dataclass(slots=True)
class LabelledPhase:
    """The labelled issues, their objectives, and the terms that come beside them."""

    task: Task
    tokens: Tokens
    recipe: Recipe
    device: Device
    network: Network
    plan: Plan
    weights: NDArray[np.float32] | None = None
    """[n, L]: how much a known pair counts."""
    company: Company | None = None
    objectives: dict[str, Objective] = field(init=False)

    def __post_init__(self) -> None:
        self.objectives = labelled_objectives(self.recipe)

    @property
    def dial(self) -> str:
        return f"learning_rate ({self.recipe.learning_rate:g})"

    def begin(self, step: int) -> None:
        if self.company is not None:
            self.company.begin(step, plan=self.plan)

    def look(self, rows: Ints, *, step: int, part: int) -> Told:
        mine = distributed.share(rows)
        ids, mask = pad([self.tokens[i] for i in mine])
        with self.device.autocast():
            vectors, logits = self.network(ids.to(self.device.kind), mask.to(self.device.kind))
        batch = self._batch(rows, vectors=vectors.float(), logits=logits.float())
        heard = batch if self.company is None else self.company.weigh(batch)
        losses = {
            name: objective(heard if name == CLASSIFICATION else batch)
            for name, objective in self.objectives.items()
        }
        if self.company is None:
            return Told(losses)
        told = self.company.look(batch, step=step, part=part)
        return Told({**losses, **told.losses}, told.metrics)

    def _batch(self, rows: Ints, *, vectors: torch.Tensor, logits: torch.Tensor) -> Batch:
        kind = self.device.kind
        return Batch(
            vectors=distributed.gather(vectors, count=len(rows)),
            logits=distributed.gather(logits, count=len(rows)),
            known=torch.as_tensor(self.task.known[rows]).to(kind).float(),
            single=self.task.space.single,
            weight=None if self.weights is None else torch.as_tensor(self.weights[rows]).to(kind),
            repo=torch.as_tensor(self.task.repo[rows]).to(kind),
        )


def labelled_objectives(recipe: Recipe) -> dict[str, Objective]:
    """By name, in the order of their sum."""
    return {
        CLASSIFICATION: Classification(recipe.smoothing, recipe.loss, recipe.focus),
        CONTRAST: Contrastive(recipe.temperature, recipe.contrast_within),
    }


def labelled_learner(network: Network, recipe: Recipe, *, factors: dict[str, float]) -> Learner:
    """`factors`: of the terms; those of the labelled losses are the recipe's."""
    kind = LearnedBalance if recipe.balance == "uncertainty" else FixedBalance
    balance = kind({CLASSIFICATION: 1.0, CONTRAST: recipe.contrast, **factors})
    balance.to(network.head.bias.device)
    return make_learner(network, balance, parameter_groups(network, recipe), recipe)


def fit_network(
    task: Task,
    recipe: Recipe,
    *,
    seed: int,
    device: Device,
    base: Path | None = None,
    on_step: OnStep | None = None,
) -> Network:
    """The network tuned on labels alone, in evaluation mode. The same arguments give the same weights,
    bit by bit, on the same machine and number of ranks."""
    torch.manual_seed(seed)
    tokenizer = open_tokenizer(base)
    tokens = tokenise(tokenizer, texts_of(task), max_tokens=recipe.max_tokens)
    network = start_network(task, recipe, device=device, base=base, tokenizer=tokenizer)
    distributed.draw_apart(seed)
    plan = labelled_plan([len(row) for row in tokens], recipe, seed=seed, repo=task.repo)
    learner = labelled_learner(network, recipe, factors={})
    phase = LabelledPhase(task, tokens, recipe, device, network, plan)
    train(
        learner,
        phase,
        recipe,
        after=lambda told: on_step(told.done, told.total, told.loss) if on_step else None,
    )
    tuned: Network = learner.averaged.eval()
    return tuned


def texts_of(task: Task) -> list[str]:
    return [issue.text.joined for issue in task.issues]
