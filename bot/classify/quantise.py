"""Eight-bit matrices and tables. Says how numbers are rounded; knows nothing of files or models.

Weights are rounded ahead, per column; inputs while running, per call (DynamicQuantizeMatMul).
Channels of the input that run hot are scaled down and their weights up first, after SmoothQuant
(https://arxiv.org/abs/2211.10438): the product is the same, the rounding error far smaller.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import TensorProto

from bot.classify.graph import RUNTIME, Graph, Linear

PAIR_LIMIT = 127
"""Most that the magnitudes of two neighbouring weights of a column add up to.

Without VNNI products are summed in pairs into 16 bits. Rounding may add half a step to each, and
255 * (127 + 1) is still under 32,767: nothing saturates, every machine gives the same sum. Halving the range of all
weights, as `reduce_range` does, buys the same and rounds one bit coarser.
"""
SMOOTHING = 0.7
"""How much of the hot channels' range goes over to the weights."""


def round_columns(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """weight [in, out] as int8 [in, out] and float32 scale [out], so that weight ~ int8 * scale."""
    size = np.abs(weight)
    pairs = size[:-1] + size[1:] if len(size) > 1 else size
    scale = np.maximum(pairs.max(axis=0), 1e-12) / PAIR_LIMIT
    return np.rint(weight / scale).astype(np.int8), scale.astype(np.float32)


def channel_scales(weight: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """float32 [in]: what to divide the input by, from its largest magnitude per channel.

    Rounded to quarter octaves, so that a bundle built on another machine is the same bundle.
    """
    heat = np.maximum(largest, 1e-4) ** SMOOTHING
    heat /= np.maximum(np.abs(weight).max(axis=1), 1e-4) ** (1 - SMOOTHING)
    octaves = np.log2(heat)
    scales: np.ndarray = np.exp2(np.rint(4 * (octaves - octaves.mean())) / 4)
    return scales.astype(np.float32)


def int8_linear(largest: Mapping[str, np.ndarray]) -> Linear:
    """A product in eight bits; `largest` gives the input's largest magnitudes for each key."""

    def linear(graph: Graph, x: str, key: str, weight: np.ndarray, bias: np.ndarray) -> str:
        scales = channel_scales(weight, largest[key])
        smooth = graph.one("Mul", x, graph.constant(f"{key}.smooth", 1 / scales))
        rounded, scale = round_columns(weight * scales[:, None])
        return graph.one(
            "DynamicQuantizeMatMul",
            smooth,
            graph.constant(f"{key}.weight", rounded),
            graph.constant(f"{key}.scale", scale),
            graph.constant(f"{key}.zero", np.zeros(weight.shape[1], dtype=np.int8)),
            graph.constant(f"{key}.bias", bias),
            domain=RUNTIME,
        )

    return linear


def int8_table(graph: Graph, ids: str, table: np.ndarray) -> str:
    """Rows kept in eight bits with a scale each, and widened as they are looked up."""
    scale = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-12) / 127
    rows = graph.constant("words", np.rint(table / scale).astype(np.int8))
    wide = graph.one("Cast", graph.one("Gather", rows, ids), to=TensorProto.FLOAT)
    scales = graph.constant("words.scale", scale.astype(np.float32))
    return graph.one("Mul", wide, graph.one("Gather", scales, ids))
