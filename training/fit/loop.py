"""The training loop. One step reads from top to bottom; what the losses are is the phase's business.

Refuses to go on when a loss or a gradient is no number, before it reaches a weight.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import nn

from bot.errors import GiveUp
from training import distributed
from training.fit.plan import Plan, pace
from training.recipe import Recipe
from training.task import Ints


class Diverged(GiveUp):
    """A loss or a gradient became infinite or no number."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the phase says of one batch."""

    losses: Mapping[str, torch.Tensor]
    """Scalars, the same on every rank."""
    metrics: Mapping[str, float] = field(default_factory=dict)


class Phase(Protocol):
    """Which batches make which steps, and what is to be minimised on them."""

    @property
    def plan(self) -> Plan: ...

    @property
    def dial(self) -> str:
        """The line of the recipe to turn down when the loss becomes no number."""

    def begin(self, step: int) -> None:
        """Called before every step."""

    def look(self, rows: Ints, *, step: int, part: int) -> Told:
        """The losses of the step's batch number `part`."""


@dataclass(slots=True)
class Learner:
    """What moves while it learns; together with `step` and the random states all that resuming needs."""

    network: nn.Module
    averaged: nn.Module
    """The network itself where the recipe averages nothing."""
    balance: nn.Module
    optimizer: torch.optim.Optimizer
    peaks: tuple[float, ...]
    """Highest learning rate of each parameter group."""
    step: int = 0

    def parameters(self) -> list[nn.Parameter]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]


@dataclass(frozen=True, slots=True)
class Progress:
    """A step that was done."""

    done: int
    total: int
    loss: float
    losses: Mapping[str, float]
    metrics: Mapping[str, float]
    issues: int
    """Labelled issues (or texts) of the step."""


AfterStep = Callable[[Progress], None]


def make_learner(
    network: nn.Module, balance: nn.Module, groups: Iterable[dict[str, Any]], recipe: Recipe
) -> Learner:
    """A learner before its first step."""
    learned = [*groups]
    if list(balance.parameters()):
        learned.append(
            {
                "params": [*balance.parameters()],
                "lr": recipe.head_learning_rate,
                "weight_decay": 0.0,
            }
        )
    optimizer = torch.optim.AdamW(learned)
    averaged = copy.deepcopy(network).eval() if recipe.averaging else network
    peaks = tuple(group["lr"] for group in optimizer.param_groups)
    return Learner(network, averaged, balance, optimizer, peaks)


def train(learner: Learner, phase: Phase, recipe: Recipe, *, after: AfterStep) -> None:
    """The steps from where the learner stands to the end of the phase."""
    steps = phase.plan.steps
    parameters = learner.parameters()
    while learner.step < len(steps):
        step = learner.step
        learner.network.train()
        phase.begin(step)
        for group, peak in zip(learner.optimizer.param_groups, learner.peaks, strict=True):
            group["lr"] = peak * pace(step, len(steps), warmup=recipe.warmup)

        learner.optimizer.zero_grad(set_to_none=True)
        seen = []
        for part, rows in enumerate(steps[step]):
            told = phase.look(rows, step=step, part=part)
            loss = learner.balance(told.losses)
            _refuse_nonsense("loss", loss.item(), phase=phase, step=step)
            (loss / len(steps[step])).backward()
            seen.append((loss.item(), told))

        distributed.average_gradients(parameters)
        length = torch.nn.utils.clip_grad_norm_(parameters, recipe.clip).item()
        _refuse_nonsense("gradient", length, phase=phase, step=step)
        learner.optimizer.step()
        if learner.averaged is not learner.network:
            decay = min(recipe.averaging, (step + 1) / (step + 10))
            _average(learner.averaged, learner.network, decay=decay)
        learner.step = step + 1
        after(_progress(seen, learner, total=len(steps), rows=sum(map(len, steps[step]))))


def _progress(
    seen: list[tuple[float, Told]], learner: Learner, *, total: int, rows: int
) -> Progress:
    count = len(seen)
    losses: dict[str, float] = {}
    metrics: dict[str, float] = {}
    for _, told in seen:
        for name, value in told.losses.items():
            losses[name] = losses.get(name, 0.0) + value.item() / count
        for name, figure in told.metrics.items():
            metrics[name] = metrics.get(name, 0.0) + figure / count
    loss = sum(value for value, _ in seen) / count
    return Progress(learner.step, total, loss, losses, metrics, rows)


def _refuse_nonsense(what: str, value: float, *, phase: Phase, step: int) -> None:
    if not math.isfinite(value):
        raise Diverged(
            f"The {what} became {value} in step {step + 1} of {len(phase.plan.steps)}: "
            f"lower {phase.dial} in the recipe."
        )


def _average(averaged: nn.Module, network: nn.Module, *, decay: float) -> None:
    with torch.no_grad():
        for slow, fast in zip(averaged.parameters(), network.parameters(), strict=True):
            slow.lerp_(fast, 1 - decay)
