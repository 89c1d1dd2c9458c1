"""Vectors and logits of a network that is not trained at the moment."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from training.batches import by_length, pad
from training.device import Device
from training.network import Network
from training.task import Floats

INFERENCE_BATCH = 64


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
