"""The network as it is before its first step: the encoder, and a head in the zero-shot direction."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bot.errors import UserError
from training.batches import tokenise
from training.device import Device
from training.fit.inference import encode
from training.lora import add_low_rank
from training.network import Encoder, LabelHead, Network, open_encoder, zero_shot_weights
from training.recipe import Recipe
from training.task import Task


def start_network(
    task: Task,
    recipe: Recipe,
    *,
    device: Device,
    base: Path | None,
    tokenizer: Any,
    label_texts: Sequence[str] = (),
    weights: dict[str, torch.Tensor] | None = None,
) -> Network:
    """`label_texts`: what the labels mean, their names if empty. `weights`: of an encoder that was
    adapted before, instead of those at `base`."""
    encoder = open_encoder(base).to(device.kind).eval()
    if weights is not None:
        encoder.load_state_dict(weights)
    labels = len(task.space.labels)
    blank = Network(encoder, LabelHead(torch.zeros(labels, encoder.dim), torch.zeros(labels)))
    meant = list(label_texts) or list(task.space.labels)
    names = tokenise(tokenizer, meant, max_tokens=recipe.max_tokens)
    directions = zero_shot_weights(encode(blank, names, device=device), recipe.head_scale)
    bias = torch.zeros(labels) if task.space.single else _log_odds(task)
    prepare_encoder(encoder, recipe, device=device)
    return Network(encoder, LabelHead(directions, bias).to(device.kind))


def prepare_encoder(encoder: Encoder, recipe: Recipe, *, device: Device) -> None:
    """What changes how the encoder is trained, but not what it says at first. UserError if the recipe wants
    more of a text than the encoder can read."""
    reach = encoder.reach
    if reach is not None and recipe.max_tokens > reach:
        raise UserError(
            f"The encoder reads at most {reach} tokens of a text, the recipe {recipe.name!r} asks for "
            f"{recipe.max_tokens}: lower max_tokens."
        )
    if recipe.lora_rank:
        add_low_rank(encoder.backbone, rank=recipe.lora_rank, scale=recipe.lora_scale)
    if recipe.checkpointing:
        backbone = encoder.backbone  # transformers renames it within version 5
        named = "activation_checkpointing_enable", "gradient_checkpointing_enable"
        enable = next(getattr(backbone, name) for name in named if hasattr(backbone, name))
        enable({"use_reentrant": False})
    if recipe.compile and device.kind == "cuda":
        encoder.compile(dynamic=True)


def _log_odds(task: Task) -> torch.Tensor:
    """[L]: how often each label is set where it is known, with one half added to either side."""
    positive, negative = (task.known > 0).sum(axis=0) + 0.5, (task.known < 0).sum(axis=0) + 0.5
    return torch.tensor(np.log(positive / negative), dtype=torch.float32)
