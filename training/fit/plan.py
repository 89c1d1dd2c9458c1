"""Which issues meet in which step, and how fast each weight learns."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from training.batches import epoch_batches, repository_batches
from training.network import Network
from training.recipe import Recipe
from training.task import Ints


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a phase: each the batches whose gradients it adds up."""

    steps: tuple[tuple[Ints, ...], ...]
    epochs: tuple[int, ...]
    """The step each epoch begins with."""

    def epoch(self, step: int) -> int:
        return sum(first <= step for first in self.epochs) - 1


def labelled_plan(
    lengths: Sequence[int], recipe: Recipe, *, seed: int, repo: Ints | None = None
) -> Plan:
    """The steps of all epochs: few examples are gone over more often, very many less.

    `repo` [n]: needed where the recipe draws batches from few repositories.
    """
    per_epoch = len(_batches(lengths, recipe, seed=(seed,), repo=repo))
    epochs = max(
        recipe.epochs, math.ceil(recipe.min_steps / math.ceil(per_epoch / recipe.accumulate))
    )
    epochs = max(min(epochs, recipe.max_passes // len(lengths)), 1)
    return make_plan(
        [_batches(lengths, recipe, seed=(seed, epoch), repo=repo) for epoch in range(epochs)],
        accumulate=recipe.accumulate,
    )


def make_plan(epochs: Sequence[Sequence[Ints]], *, accumulate: int) -> Plan:
    """Batches of each epoch -> steps; the last step of an epoch may be short."""
    steps: list[tuple[Ints, ...]] = []
    first: list[int] = []
    for batches in epochs:
        first.append(len(steps))
        steps += [tuple(batches[i : i + accumulate]) for i in range(0, len(batches), accumulate)]
    return Plan(tuple(steps), tuple(first))


def pace(step: int, steps: int, *, warmup: float) -> float:
    """Linear warm-up, then a cosine to zero; in (0, 1]."""
    first = max(round(warmup * steps), 1)
    if step < first:
        return (step + 1) / first
    return 0.5 * (1 + math.cos(math.pi * (step - first) / max(steps - first, 1)))


def parameter_groups(network: Network, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Lower layers learn slower; the head learns faster and without decay, biases without decay."""
    yield from encoder_groups(network.encoder, recipe, learning_rate=recipe.learning_rate)
    for parameter in network.head.parameters():
        yield {"params": [parameter], "lr": recipe.head_learning_rate, "weight_decay": 0.0}


def encoder_groups(
    encoder: torch.nn.Module, recipe: Recipe, *, learning_rate: float
) -> Iterator[dict[str, Any]]:
    """Freezes what the recipe leaves alone, on the way."""
    layers = int(encoder.backbone.config.num_hidden_layers)
    frozen = round(recipe.frozen * layers)
    for name, parameter in encoder.named_parameters():
        depth = _depth(name, layers)
        spared = bool(frozen) and depth <= frozen
        if spared or (recipe.lora_rank and not _is_low_rank(name)):
            parameter.requires_grad_(False)
            continue
        yield {
            "params": [parameter],
            "lr": learning_rate * recipe.layer_decay ** (layers - depth),
            "weight_decay": recipe.weight_decay if parameter.ndim > 1 else 0.0,
        }


def _batches(
    lengths: Sequence[int], recipe: Recipe, *, seed: Sequence[int], repo: Ints | None
) -> list[Ints]:
    if not recipe.repos_per_batch or repo is None:
        return epoch_batches(lengths, size=recipe.batch, seed=seed)
    return repository_batches(
        lengths, repo, size=recipe.batch, repos=recipe.repos_per_batch, seed=seed
    )


def _is_low_rank(name: str) -> bool:
    return ".parametrizations." in name and not name.endswith(".original")


def _depth(name: str, layers: int) -> int:
    """0 for embeddings, n for the n-th layer, `layers` for what comes after."""
    found = re.search(r"\.layers?\.(\d+)\.", name)
    if found:
        return int(found.group(1)) + 1
    return 0 if "embeddings" in name else layers
