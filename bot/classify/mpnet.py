"""MPNet as a BERT: its tensors under BERT's names, and what its attention gains by distance, as a table.

Distances fall into buckets, near ones alone and far ones together by their logarithm, one half of the
buckets for each direction (https://arxiv.org/abs/1910.10683, section 2.1, as MPNet takes it over).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bot.errors import UserError

NAMES = (
    (".attention.attn.q.", ".attention.self.query."),
    (".attention.attn.k.", ".attention.self.key."),
    (".attention.attn.v.", ".attention.self.value."),
    (".attention.attn.o.", ".attention.output.dense."),
    (".attention.LayerNorm.", ".attention.output.LayerNorm."),
)
BIAS = "encoder.relative_attention_bias.weight"
SEGMENTS = "embeddings.token_type_embeddings.weight"
FARTHEST = 128
"""From here on all distances are one."""


def as_bert(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same tensors by BERT's names; MPNet has no segments, so theirs add nothing."""
    kept = {_renamed(name): values for name, values in tensors.items() if name != BIAS}
    return {**kept, SEGMENTS: np.zeros((1, 1), dtype=np.float32)}


def distance_table(tensors: Mapping[str, np.ndarray], positions: int) -> np.ndarray:
    """[2 * positions - 1, heads]: row d + positions - 1 is for a token d places ahead.

    Raises:
        UserError: the model has no biases by distance.
    """
    if BIAS not in tensors:
        raise UserError(f"model.safetensors has no {BIAS}, or config.json lies: this is no MPNet")
    biases = tensors[BIAS]
    ahead = np.arange(1 - positions, positions)
    table: np.ndarray = biases[bucket_of(ahead, buckets=len(biases))]
    return table


def bucket_of(ahead: np.ndarray, *, buckets: int) -> np.ndarray:
    """The bucket of each signed distance."""
    half = buckets // 2
    near = half // 2
    distance = np.abs(ahead)
    ratio = np.log(np.maximum(distance, 1) / near, dtype=np.float32)
    far = near + (ratio / np.float32(np.log(FARTHEST / near)) * (half - near)).astype(np.int64)
    within = np.where(distance < near, distance, np.minimum(far, half - 1))
    found: np.ndarray = within + half * (ahead > 0)
    return found


def _renamed(name: str) -> str:
    for theirs, ours in NAMES:
        name = name.replace(theirs, ours)
    return name
