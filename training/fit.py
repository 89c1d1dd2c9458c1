"""Tunes a sentence encoder on labelled issues: one pass per example and epoch, read from top to bottom.

The loss is supervised contrastive over the batch plus classification by a linear head that starts in
the zero-shot direction. Refuses to go on when the loss is no number.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bot.errors import GiveUp
from training import distributed
from training.batches import by_length, epoch_batches, pad, tokenise
from training.device import Device
from training.hierarchy import Floats
from training.network import (
    LabelHead,
    Network,
    open_encoder,
    open_tokenizer,
    zero_shot_weights,
)
from training.objectives import Batch
from training.objectives.classification import Classification
from training.objectives.contrastive import Contrastive
from training.recipe import Recipe
from training.task import Ints, Task

OnStep = Callable[[int, int, float], None]
"""Called after each step with (steps done, steps in all, loss)."""

INFERENCE_BATCH = 64


def fit_network(
    task: Task,
    recipe: Recipe,
    *,
    seed: int,
    device: Device,
    base: Path | None = None,
    on_step: OnStep | None = None,
) -> Network:
    """The tuned network, in evaluation mode. The same arguments give the same weights, bit by bit,
    on the same machine and number of ranks."""
    torch.manual_seed(seed + 7919 * distributed.rank())
    tokenizer = open_tokenizer(base)
    tokens = tokenise(tokenizer, texts_of(task), max_tokens=recipe.max_tokens)
    network = _start(task, recipe, device=device, base=base, tokenizer=tokenizer)
    batches = _plan([len(row) for row in tokens], recipe, seed=seed)

    objectives = (
        (1.0, Classification(recipe.smoothing)),
        (recipe.contrast, Contrastive(recipe.temperature)),
    )
    optimizer = torch.optim.AdamW(_parameter_groups(network, recipe))
    peaks = [group["lr"] for group in optimizer.param_groups]
    averaged = copy.deepcopy(network) if recipe.averaging else network
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]

    network.train()
    for step, rows in enumerate(batches):
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * _pace(step, len(batches), warmup=recipe.warmup)

        mine = distributed.share(rows)
        ids, mask = pad([tokens[i] for i in mine])
        with device.autocast():
            vectors, logits = network(ids.to(device.kind), mask.to(device.kind))
        batch = Batch(
            vectors=distributed.gather(vectors.float(), count=len(rows)),
            logits=distributed.gather(logits.float(), count=len(rows)),
            known=torch.as_tensor(task.known[rows]).to(device.kind).float(),
            single=task.space.single,
        )
        loss = sum((weight * objective(batch) for weight, objective in objectives), torch.zeros(()))
        if not math.isfinite(loss.item()):
            raise GiveUp(
                f"The loss became {loss.item()} in step {step + 1} of {len(batches)}: "
                f"lower learning_rate ({recipe.learning_rate:g}) in the recipe."
            )

        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        distributed.average_gradients(parameters)
        torch.nn.utils.clip_grad_norm_(parameters, recipe.clip)
        optimizer.step()
        if recipe.averaging:
            _average(averaged, network, decay=min(recipe.averaging, (step + 1) / (step + 10)))
        if on_step is not None:
            on_step(step + 1, len(batches), loss.item())
    averaged.eval()
    return averaged


def encode(network: Network, tokens: Sequence[Sequence[int]], *, device: Device) -> Floats:
    """Unit vectors [n, d] of token ids, order kept."""
    vectors = np.zeros((len(tokens), network.encoder.dim), dtype=np.float32)
    with torch.inference_mode(), device.autocast():
        for rows in by_length([len(row) for row in tokens], size=INFERENCE_BATCH):
            ids, mask = pad([tokens[i] for i in rows])
            found = network.encoder(ids.to(device.kind), mask.to(device.kind))
            vectors[rows] = found.float().cpu().numpy()
    return vectors


def head_logits(network: Network, vectors: Floats) -> Floats:
    """Logits [n, L] of the network's own head."""
    with torch.inference_mode():
        found = network.head(torch.as_tensor(vectors).to(network.head.bias.device))
    return np.asarray(found.float().cpu().numpy())


def texts_of(task: Task) -> list[str]:
    return [issue.text.joined for issue in task.issues]


def _start(
    task: Task, recipe: Recipe, *, device: Device, base: Path | None, tokenizer: Any
) -> Network:
    """The base encoder with a head that points in the zero-shot direction."""
    encoder = open_encoder(base).to(device.kind).eval()
    labels = len(task.space.labels)
    blank = Network(encoder, LabelHead(torch.zeros(labels, encoder.dim), torch.zeros(labels)))
    names = tokenise(tokenizer, list(task.space.labels), max_tokens=recipe.max_tokens)
    weights = zero_shot_weights(encode(blank, names, device=device), recipe.head_scale)
    bias = torch.zeros(labels) if task.space.single else _log_odds(task)
    return Network(encoder, LabelHead(weights, bias).to(device.kind))


def _log_odds(task: Task) -> torch.Tensor:
    """[L]: how often each label is set where it is known, with one half added to either side."""
    positive, negative = (task.known > 0).sum(axis=0) + 0.5, (task.known < 0).sum(axis=0) + 0.5
    return torch.tensor(np.log(positive / negative), dtype=torch.float32)


def _plan(lengths: list[int], recipe: Recipe, *, seed: int) -> list[Ints]:
    """The batches of all epochs: few examples are gone over more often, very many less."""
    per_epoch = len(epoch_batches(lengths, size=recipe.batch, seed=(seed,)))
    epochs = max(recipe.epochs, math.ceil(recipe.min_steps / per_epoch))
    epochs = max(min(epochs, recipe.max_passes // len(lengths)), 1)
    return [
        rows
        for epoch in range(epochs)
        for rows in epoch_batches(lengths, size=recipe.batch, seed=(seed, epoch))
    ]


def _parameter_groups(network: Network, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Lower layers learn slower; the head learns faster and without decay, biases without decay."""
    layers = int(network.encoder.backbone.config.num_hidden_layers)
    frozen = round(recipe.frozen * layers)
    for name, parameter in network.encoder.named_parameters():
        depth = _depth(name, layers)
        if frozen and depth <= frozen:
            parameter.requires_grad_(False)
            continue
        yield {
            "params": [parameter],
            "lr": recipe.learning_rate * recipe.layer_decay ** (layers - depth),
            "weight_decay": recipe.weight_decay if parameter.ndim > 1 else 0.0,
        }
    for parameter in network.head.parameters():
        yield {"params": [parameter], "lr": recipe.head_learning_rate, "weight_decay": 0.0}


def _depth(name: str, layers: int) -> int:
    """0 for embeddings, n for the n-th layer, `layers` for what comes after."""
    found = re.search(r"\.layers?\.(\d+)\.", name)
    if found:
        return int(found.group(1)) + 1
    return 0 if "embeddings" in name else layers


def _pace(step: int, steps: int, *, warmup: float) -> float:
    """Linear warm-up, then a cosine to zero; in (0, 1]."""
    first = max(round(warmup * steps), 1)
    if step < first:
        return (step + 1) / first
    return 0.5 * (1 + math.cos(math.pi * (step - first) / max(steps - first, 1)))


def _average(averaged: Network, network: Network, *, decay: float) -> None:
    with torch.no_grad():
        for slow, fast in zip(averaged.parameters(), network.parameters(), strict=True):
            slow.lerp_(fast, 1 - decay)
