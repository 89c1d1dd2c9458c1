"""Builds a bundle from a model's weights with onnx and numpy. Refuses what it could not serve well.

Weights -> fp32 graph -> what the samples' activations reach -> int8 graph -> golden vectors -> manifest.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from safetensors.numpy import save

from bot.classify.bundle import (
    GOLDEN,
    MODELS,
    TOKENIZER,
    Backend,
    Bundle,
    Manifest,
    file_sha256,
    publishing,
    write_manifest,
)
from bot.classify.graph import encoder_graph, tapped_linear
from bot.classify.quantise import int8_linear, int8_table
from bot.classify.samples import SAMPLES
from bot.classify.seen import PROVENANCE, UNKNOWN, read_provenance
from bot.classify.session import open_session, open_tokenizer, token_ids
from bot.classify.weights import Weights, locate, read_weights
from bot.core.text import TEXT_VERSION
from bot.errors import UserError

MAX_TOKENS = 128
"""Labels are as good as at 256, in less than half the time: measured, docs/experiments.md (Serving)."""
WORST_INT8 = 0.97
"""Least cosine of int8 to fp32 on the samples; a model that rounds worse is not worth serving so."""


def build_bundle(
    source: str | Path,
    out: Path,
    *,
    max_tokens: int = MAX_TOKENS,
) -> Bundle:
    """Writes the bundle of the model at `source` (directory or hub name) to `out`, whole or not at all.

    Raises:
        UserError: the model is missing, broken, of another architecture, or rounds too badly.
    """
    located = locate(source)
    weights, provenance = read_weights(located), read_provenance(located)
    with publishing(out) as directory:
        (directory / TOKENIZER).write_bytes(weights.tokenizer)
        limit = min(max_tokens, weights.max_tokens)
        ids = _sample_ids(directory, limit)
        _write_graphs(weights, directory, ids)
        golden = {backend: _vectors(directory / MODELS[backend], ids) for backend in MODELS}
        _check_rounding(golden, weights.name)
        (directory / GOLDEN).write_bytes(save({str(name): rows for name, rows in golden.items()}))
        if provenance != UNKNOWN:
            (directory / PROVENANCE).write_text(provenance.text(), encoding="utf-8")
        manifest = _manifest(weights, directory, max_tokens=limit)
        write_manifest(directory, manifest)
    return Bundle(out, manifest)


def _sample_ids(directory: Path, max_tokens: int) -> list[np.ndarray]:
    tokenizer = open_tokenizer(directory / TOKENIZER, max_tokens=max_tokens)
    return [token_ids(tokenizer, text, max_tokens=max_tokens) for text in SAMPLES]


def _write_graphs(weights: Weights, directory: Path, ids: list[np.ndarray]) -> None:
    try:
        onnx.save(encoder_graph(weights), directory / MODELS["fp32"])
        linear = int8_linear(_largest_inputs(weights, ids))
    except KeyError as error:
        raise UserError(
            f"{weights.name}: model.safetensors has no {error}, or config.json lies"
        ) from None
    onnx.save(encoder_graph(weights, linear=linear, table=int8_table), directory / MODELS["int8"])


def _largest_inputs(weights: Weights, ids: list[np.ndarray]) -> dict[str, np.ndarray]:
    """For each matrix, float32 [in]: the largest magnitude the samples bring to each input channel."""
    session = open_session(encoder_graph(weights, linear=tapped_linear).SerializeToString())
    keys = [output.name for output in session.get_outputs() if output.name != "vector"]
    largest: dict[str, np.ndarray] = {}
    for row in ids:
        for key, value in zip(keys, session.run(keys, {"input_ids": row}), strict=True):
            reached = np.abs(value).max(axis=(0, 1))
            largest[key] = np.maximum(largest.get(key, reached), reached)
    return largest


def _vectors(model: Path, ids: list[np.ndarray]) -> np.ndarray:
    session = open_session(model)
    return np.vstack([session.run(["vector"], {"input_ids": row})[0] for row in ids])


def _check_rounding(golden: dict[Backend, np.ndarray], name: str) -> None:
    worst = float((golden["int8"] * golden["fp32"]).sum(axis=1).min())
    if worst < WORST_INT8:
        raise UserError(
            f"{name}: int8 vectors agree with fp32 to a cosine of {worst:.3f} only; "
            "this model cannot be served in eight bits"
        )


def _manifest(weights: Weights, directory: Path, *, max_tokens: int) -> Manifest:
    names = [*MODELS.values(), TOKENIZER, GOLDEN]
    names += [PROVENANCE] if (directory / PROVENANCE).is_file() else []
    return Manifest(
        name=weights.name,
        dim=weights.hidden,
        max_tokens=max_tokens,
        text_version=TEXT_VERSION,
        files={name: file_sha256(directory / name) for name in names},
        golden_texts=SAMPLES,
        lineage=weights.lineage,
        licence=weights.licence,
    )
