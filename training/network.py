"""The network that is trained: a sentence encoder (masked mean, unit length) and a linear head.

All repositories share both; `training.scoring.hierarchy` gives each its own head afterwards.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import nn

from bot.classify.weights import OFFSET_FAMILIES, find_base_weights
from bot.errors import UserError
from training.task import Floats


class Encoder(nn.Module):  # type: ignore[misc]
    """A transformer whose token vectors are averaged over the text and scaled to length one."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    @property
    def dim(self) -> int:
        return int(self.backbone.config.hidden_size)

    @property
    def reach(self) -> int | None:
        """Tokens of a text that it has positions for; None where nothing bounds them."""
        config = self.backbone.config
        positions = getattr(config, "max_position_embeddings", None)
        if positions is None or config.model_type not in OFFSET_FAMILIES:
            return positions
        return int(positions) - int(config.pad_token_id) - 1

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        hidden = self.backbone(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        weight = mask.unsqueeze(2).float()
        mean = (hidden * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0)
        return nn.functional.normalize(mean, dim=1)


class LabelHead(nn.Module):  # type: ignore[misc]
    """Logits [n, L] of unit vectors."""

    def __init__(self, weights: torch.Tensor, bias: torch.Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights.clone())
        self.bias = nn.Parameter(bias.clone())

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors @ self.weights.T + self.bias


class Network(nn.Module):  # type: ignore[misc]
    """Encoder and head, as the training loop sees them."""

    def __init__(self, encoder: Encoder, head: LabelHead) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        vectors = self.encoder(ids, mask)
        return vectors, self.head(vectors)


def open_encoder(source: Path | None) -> Encoder:
    """The encoder of a directory in Hugging Face's layout; the base encoder if none is given. Pickled
    weights are not read."""
    from transformers import AutoModel

    path = encoder_directory(source)
    try:
        backbone = AutoModel.from_pretrained(path, dtype=torch.float32, use_safetensors=True)
    except (OSError, ValueError, SafetensorError) as error:
        raise _unreadable(path, error) from error
    if hasattr(backbone, "pooler"):
        backbone.pooler = None  # not used by the mean; untrained in most sentence encoders
    return Encoder(backbone)


def open_tokenizer(source: Path | None) -> Any:
    """`tokenizers.Tokenizer` of the same directory."""
    from tokenizers import Tokenizer

    path = encoder_directory(source) / "tokenizer.json"
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # it has no narrower one
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UserError:
    reason = str(error).strip().partition("\n")[0]
    return UserError(
        f"{path}: the encoder cannot be read ({reason}). Copy it again, or give another."
    )


def encoder_directory(source: Path | None) -> Path:
    """`source`, or the base encoder; UserError if there is no encoder."""
    path = source if source is not None else find_base_weights()
    for name in ("config.json", "tokenizer.json", "model.safetensors"):
        if not (path / name).is_file():
            raise UserError(f"{path}: no encoder there, {name} is missing. Give its directory.")
    return path


def zero_shot_weights(vectors: Floats, scale: float) -> torch.Tensor:
    """First weights of the head, [L, d]: the labels' own vectors less their mean, each `scale` long."""
    centred = vectors - vectors.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return torch.tensor(centred / np.maximum(lengths, 1e-6) * scale, dtype=torch.float32)
