"""A BERT-family encoder as an ONNX graph, written by hand: no torch, and shaped for ONNX Runtime.

In: `input_ids` int64 [n, tokens], every row of the same length (no padding, so no mask).
Out: `vector` float32 [n, hidden], pooled and of unit length.

Layer normalisation stays a node of its own: the runtime's fused SkipLayerNormalization takes ten
times as long on CPU (docs/experiments.md), so sessions must not fuse it back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bot.classify.weights import Weights

RUNTIME = "com.microsoft"
"""Operators of ONNX Runtime itself; in its releases since 1.17."""


@dataclass(slots=True)
class Graph:
    """Nodes and constants as they are added; values go by name."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)
    taps: dict[str, str] = field(default_factory=dict)
    """Values to look at besides the vector: key -> value name."""

    def constant(self, name: str, value: np.ndarray) -> str:
        array = np.ascontiguousarray(value) if value.ndim else value
        self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def add(
        self, operator: str, *inputs: str, outputs: int = 1, domain: str = "", **attributes: Any
    ) -> list[str]:
        number = len(self.nodes)
        names = [f"{operator}_{number}_{index}" for index in range(outputs)]
        self.nodes.append(
            helper.make_node(operator, inputs, names, f"node_{number}", None, domain, **attributes)
        )
        return names

    def one(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        return self.add(operator, *inputs, domain=domain, **attributes)[0]


Linear = Callable[[Graph, str, str, np.ndarray, np.ndarray], str]
"""Adds x @ weight [in, out] + bias: (graph, x, key, weight, bias) -> name of the result."""
Table = Callable[[Graph, str, np.ndarray], str]
"""Adds rows of a table [rows, hidden]: (graph, ids, table) -> name of the result."""


def float_linear(graph: Graph, x: str, key: str, weight: np.ndarray, bias: np.ndarray) -> str:
    product = graph.one("MatMul", x, graph.constant(f"{key}.weight", weight))
    return graph.one("Add", product, graph.constant(f"{key}.bias", bias))


def tapped_linear(graph: Graph, x: str, key: str, weight: np.ndarray, bias: np.ndarray) -> str:
    """As float_linear, and shows what goes in."""
    graph.taps[key] = x
    return float_linear(graph, x, key, weight, bias)


def float_table(graph: Graph, ids: str, table: np.ndarray) -> str:
    return graph.one("Gather", graph.constant("words", table), ids)


def encoder_graph(
    weights: Weights, *, linear: Linear = float_linear, table: Table = float_table
) -> onnx.ModelProto:
    """The whole model; `linear` and `table` say how its matrices are kept and multiplied."""
    graph = Graph()
    x = _embeddings(graph, weights, table)
    bias = _distance_bias(graph, weights)
    for layer in range(weights.layers):
        x = _layer(graph, weights, x, prefix=f"encoder.layer.{layer}", linear=linear, bias=bias)
    vector = graph.one("LpNormalization", _pool(graph, weights, x), axis=-1, p=2)
    return _model(graph, weights, vector)


def _embeddings(graph: Graph, weights: Weights, table: Table) -> str:
    tensors = weights.tensors
    words = table(graph, "input_ids", tensors["embeddings.word_embeddings.weight"])
    # Every token is of the first segment, so its row is added to the positions once and for all.
    positions = tensors["embeddings.position_embeddings.weight"][weights.first_position :]
    positions = positions + tensors["embeddings.token_type_embeddings.weight"][0]
    zero = graph.constant("zero", np.array([0], dtype=np.int64))
    length = graph.one("Shape", "input_ids", start=1, end=2)
    places = graph.one("Slice", graph.constant("positions", positions), zero, length, zero)
    total = graph.one("Add", words, places)
    return _normalise(graph, weights, total, prefix="embeddings.LayerNorm")


def _distance_bias(graph: Graph, weights: Weights) -> str:
    """[1, heads, tokens, tokens], the same for all layers; the empty name where there is none."""
    if weights.distances is None:
        return ""
    zero = graph.constant("zero_scalar", np.array(0, dtype=np.int64))
    one = graph.constant("one_scalar", np.array(1, dtype=np.int64))
    length = graph.one("Squeeze", graph.one("Shape", "input_ids", start=1, end=2))
    places = graph.one("Range", zero, length, one)
    column = graph.constant("column_axis", np.array([1], dtype=np.int64))
    ahead = graph.one("Sub", places, graph.one("Unsqueeze", places, column))
    row = graph.one("Add", ahead, graph.constant("same", np.array(weights.positions - 1)))
    gained = graph.one("Gather", graph.constant("distances", weights.distances), row)
    axis = graph.constant("batch_axis", np.array([0], dtype=np.int64))
    return graph.one("Unsqueeze", graph.one("Transpose", gained, perm=[2, 0, 1]), axis)


def _layer(
    graph: Graph, weights: Weights, x: str, *, prefix: str, linear: Linear, bias: str
) -> str:
    attended = _attention(
        graph, weights, x, prefix=f"{prefix}.attention.self", linear=linear, bias=bias
    )
    out = f"{prefix}.attention.output"
    mixed = linear(graph, attended, f"{out}.dense", *_dense(weights, f"{out}.dense"))
    x = _normalise(graph, weights, graph.one("Add", mixed, x), prefix=f"{out}.LayerNorm")
    wide = f"{prefix}.intermediate.dense"
    inner = linear(graph, x, wide, *_dense(weights, wide))
    inner = graph.one("Gelu", inner, domain=RUNTIME)
    out = f"{prefix}.output"
    outer = linear(graph, inner, f"{out}.dense", *_dense(weights, f"{out}.dense"))
    return _normalise(graph, weights, graph.one("Add", outer, x), prefix=f"{out}.LayerNorm")


def _attention(
    graph: Graph, weights: Weights, x: str, *, prefix: str, linear: Linear, bias: str
) -> str:
    """Query, key and value in one product, then the runtime's attention; `bias` is added to its scores."""
    parts = [_dense(weights, f"{prefix}.{name}") for name in ("query", "key", "value")]
    weight = np.concatenate([part[0] for part in parts], axis=1)
    shift = np.concatenate([part[1] for part in parts])
    joined = linear(graph, x, f"{prefix}.qkv", weight, shift)
    asked = graph.add("Split", joined, outputs=3, axis=-1, num_outputs=3)
    if bias:
        asked += ["", "", bias]
    return graph.one("MultiHeadAttention", *asked, domain=RUNTIME, num_heads=weights.heads)


def _dense(weights: Weights, name: str) -> tuple[np.ndarray, np.ndarray]:
    return weights.tensors[f"{name}.weight"].T, weights.tensors[f"{name}.bias"]


def _normalise(graph: Graph, weights: Weights, x: str, *, prefix: str) -> str:
    gain = graph.constant(f"{prefix}.gain", weights.tensors[f"{prefix}.weight"])
    shift = graph.constant(f"{prefix}.shift", weights.tensors[f"{prefix}.bias"])
    return graph.one("LayerNormalization", x, gain, shift, axis=-1, epsilon=weights.epsilon)


def _pool(graph: Graph, weights: Weights, x: str) -> str:
    if weights.pooling == "cls":
        return graph.one("Gather", x, graph.constant("first", np.array(0, np.int64)), axis=1)
    axis = graph.constant("token_axis", np.array([1], dtype=np.int64))
    return graph.one("ReduceMean", x, axis, keepdims=0)


def _model(graph: Graph, weights: Weights, vector: str) -> onnx.ModelProto:
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["texts", "tokens"])
    shape = ["texts", weights.hidden]
    outputs = [helper.make_tensor_value_info("vector", TensorProto.FLOAT, shape)]
    graph.nodes.append(helper.make_node("Identity", [vector], ["vector"]))
    for key, value in graph.taps.items():
        graph.nodes.append(helper.make_node("Identity", [value], [key]))
        outputs.append(helper.make_tensor_value_info(key, TensorProto.FLOAT, None))
    body = helper.make_graph(graph.nodes, "encoder", [ids], outputs, list(graph.constants.values()))
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(RUNTIME, 1)]
    return helper.make_model(body, opset_imports=opsets, ir_version=9, producer_name="labelwright")
