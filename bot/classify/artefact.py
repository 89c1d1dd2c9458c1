"""Heads as bytes: safetensors with JSON metadata. Refuses pickle and versions it does not know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save
from scipy.sparse import csc_matrix

from bot.classify.calibrate import Combiner
from bot.classify.expectation import Expectation
from bot.classify.logistic import Linear
from bot.classify.memory import Memory
from bot.classify.promise import LabelCut
from bot.classify.sides import Sides
from bot.classify.words import Vocabulary
from bot.core.types import LabelSpec
from bot.errors import UserError

VERSION = 1
NEGLIGIBLE = 1e-3
"""Word weights below this share of a label's largest are not stored."""

Tensors = dict[str, NDArray[Any]]


def pack(
    sides: Sides,
    combiner: Combiner,
    label_vectors: NDArray[np.float32],
    memory: Memory,
    **facts: Any,
) -> bytes:
    """Arrays as tensors, `facts` (JSON values and dataclasses) as metadata."""
    tensors = {
        "centre": sides.centre,
        "vector.weights": sides.vector.weights,
        "vector.intercepts": sides.vector.intercepts,
        "words.intercepts": sides.words.intercepts,
        "vocabulary.ids": sides.vocabulary.ids.astype(np.int32),
        "vocabulary.idf": sides.vocabulary.idf,
        "base": sides.base,
        "family": sides.family,
        "combiner": combiner.coefficients,
        "label_vectors": label_vectors,
        **_pack_memory(memory),
        **_pack_words(sides.words.weights),
    }
    whole = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    facts = {"version": VERSION, **facts}
    metadata = {"head": json.dumps(facts, default=asdict, ensure_ascii=False)}
    return bytes(save(whole, metadata=metadata))


def unpack(stored: bytes) -> dict[str, Any]:
    """The keyword arguments of `Head`.

    Raises:
        UserError: `stored` is no head, or one of a version this code does not read.
    """
    try:
        tensors = load(stored)
        header = json.loads(stored[8 : 8 + int.from_bytes(stored[:8], "little")])
        facts = json.loads(header["__metadata__"]["head"])
        if facts.pop("version") != VERSION:
            raise UserError("the stored head is of another version; fit it again")
        return {**_arrays(tensors), **_facts(facts)}
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"not a stored head ({error}); fit it again") from error


def _arrays(tensors: Tensors) -> dict[str, Any]:
    sides = Sides(
        centre=tensors["centre"],
        vector=Linear(tensors["vector.weights"], tensors["vector.intercepts"]),
        vocabulary=Vocabulary(
            tensors["vocabulary.ids"].astype(np.int64), tensors["vocabulary.idf"]
        ),
        words=Linear(_unpack_words(tensors), tensors["words.intercepts"]),
        base=tensors["base"],
        family=tensors["family"],
    )
    return {
        "sides": sides,
        "combiner": Combiner(tensors["combiner"]),
        "label_vectors": tensors["label_vectors"],
        "memory": _memory(tensors),
    }


def _pack_memory(memory: Memory) -> Tensors:
    """Vectors in half precision: a cosine moves by some 1e-4."""
    return {
        "memory.issues": memory.issues,
        "memory.vectors": memory.vectors.astype(np.float16),
        "memory.columns": memory.columns,
        "memory.signs": memory.signs,
        "memory.trust": memory.trust,
    }


def _memory(tensors: Tensors) -> Memory:
    """Heads stored before there was a memory have an empty one."""
    if "memory.vectors" not in tensors:
        return Memory.empty(tensors["label_vectors"].shape[1])
    return Memory(
        issues=tensors["memory.issues"],
        vectors=tensors["memory.vectors"].astype(np.float32),
        columns=tensors["memory.columns"],
        signs=tensors["memory.signs"],
        trust=tensors["memory.trust"],
    )


def _facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **facts,
        "specs": tuple(LabelSpec(**spec) for spec in facts["specs"]),
        "exclusive": tuple(tuple(group) for group in facts["exclusive"]),
        "cuts": tuple(LabelCut(**cut) for cut in facts["cuts"]),
        "expectation": Expectation.from_dict(facts["expectation"]),
    }


def _pack_words(weights: NDArray[np.float32]) -> Tensors:
    """By column, half precision, without the weights that decide nothing."""
    floor = NEGLIGIBLE * np.abs(weights).max(axis=0, initial=0)
    kept = csc_matrix(np.where(np.abs(weights) > floor, weights, 0))
    return {
        "words.values": kept.data.astype(np.float16),
        "words.rows": kept.indices.astype(np.int32),
        "words.starts": kept.indptr.astype(np.int32),
        "words.shape": np.array(weights.shape, dtype=np.int32),
    }


def _unpack_words(tensors: Tensors) -> NDArray[np.float32]:
    parts = (
        tensors["words.values"].astype(np.float32),
        tensors["words.rows"],
        tensors["words.starts"],
    )
    rows, columns = (int(size) for size in tensors["words.shape"])
    return np.asarray(csc_matrix(parts, shape=(rows, columns)).toarray(), dtype=np.float32)
