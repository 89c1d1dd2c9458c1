"""A fitted encoder as a bundle: ONNX fp32 and int8, golden vectors, and proof that they say what torch says.

The graphs are the bot's own (`bot.classify.build`). Refuses a bundle whose vectors differ from torch's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bot.classify.build import MAX_TOKENS, build_bundle
from bot.classify.bundle import MODELS, Backend, Bundle, publishing, read_bundle, write_manifest
from bot.classify.samples import SAMPLES
from bot.classify.session import open_session, open_tokenizer, token_ids
from bot.errors import GiveUp, UserError

LEAST_PARITY: Mapping[Backend, float] = {"fp32": 0.9999, "int8": 0.98}
"""Cosine to torch's vectors that every golden text must exceed."""


@dataclass(frozen=True, slots=True)
class Parity:
    """Worst and mean cosine to torch over the golden texts."""

    backend: Backend
    worst: float
    mean: float


def export_bundle(
    encoder: Path,
    out: Path,
    *,
    lineage: Mapping[str, str] | None = None,
    name: str | None = None,
    max_tokens: int = MAX_TOKENS,
) -> tuple[Bundle, tuple[Parity, ...]]:
    """The bundle of the encoder in a fit's `encoder/` directory, at `out` whole or not at all.

    `lineage`: where it comes from (snapshot, recipe, parent), added to what the weights tell. `name`: in
    place of what the directory tells. `max_tokens`: texts are cut there, or where the model says, if lower.

    Raises:
        UserError: the encoder is broken or of another architecture, or a graph disagrees with torch.
    """
    with publishing(out) as directory:
        bundle = build_bundle(encoder, directory, max_tokens=max_tokens)
        parity = check_parity(bundle, _torch_vectors(encoder, bundle.manifest.max_tokens))
        kept = {**bundle.manifest.lineage, **(lineage or {})}
        manifest = replace(bundle.manifest, lineage=kept, name=name or bundle.manifest.name)
        write_manifest(directory, manifest)
    return Bundle(out, manifest), parity


def export_fit(
    fit: Path, out: Path, done: Mapping[str, object]
) -> tuple[Bundle, tuple[Parity, ...]]:
    """`export_bundle` of a fit's output directory, named by recipe and snapshot; `done`: what the fit wrote
    last."""
    lineage = {key: str(done[key]) for key in ("recipe", "snapshot") if key in done}
    name = "-".join(lineage.values()) or None
    return export_bundle(fit / "encoder", out, lineage=lineage, name=name)


def export_once(fit: Path, bundle: Path, *, snapshot: str) -> dict[str, Any]:
    """The bundle of the fit, made unless it is there already, and what the fit says of itself.

    Raises:
        GiveUp: it learned from other issues, perhaps from those that are to judge it.
    """
    path = fit / "done.json"
    try:
        done = dict(json.loads(path.read_text(encoding="utf-8")))
        of = done["snapshot"]
    except (OSError, ValueError, KeyError, TypeError):
        raise GiveUp(f"{path} cannot be read; delete {fit} and fit again.") from None
    if of != snapshot:
        raise GiveUp(
            f"{fit} was made of another snapshot ({of}, not {snapshot}); delete it, and "
            f"{bundle}, and fit again."
        )
    with suppress(UserError):
        read_bundle(bundle)
        return done  # whole already, from before a stop
    export_fit(fit, bundle, done)
    return done


def check_parity(bundle: Bundle, reference: np.ndarray) -> tuple[Parity, ...]:
    """Cosine of each graph's vectors of the golden texts to `reference` [texts, dim] of any length.

    Raises:
        UserError: one lies below `LEAST_PARITY`, or is no number.
    """
    unit = reference / np.linalg.norm(reference, axis=1, keepdims=True)
    found = []
    for backend in MODELS:
        cosine = (_graph_vectors(bundle, backend) * unit).sum(axis=1)
        found.append(Parity(backend, float(cosine.min()), float(cosine.mean())))
        if not found[-1].worst > LEAST_PARITY[backend]:
            raise UserError(
                f"The {backend} graph of {bundle.manifest.name} agrees with torch to a cosine of "
                f"{found[-1].worst:.4f} only, {LEAST_PARITY[backend]} is asked for: it is not exported, "
                "the champion keeps serving. Look at the fit's metrics, and fit again."
            )
    return tuple(found)


def _graph_vectors(bundle: Bundle, backend: Backend) -> np.ndarray:
    limit = bundle.manifest.max_tokens
    tokenizer = open_tokenizer(bundle.tokenizer, max_tokens=limit)
    session = open_session(bundle.model(backend))
    rows = [token_ids(tokenizer, text, max_tokens=limit) for text in SAMPLES]
    return np.vstack([session.run(["vector"], {"input_ids": row})[0] for row in rows])


def _torch_vectors(encoder: Path, max_tokens: int) -> np.ndarray:
    """What sentence-transformers makes of the golden texts with these weights, fp32 on the CPU."""
    from sentence_transformers import SentenceTransformer  # heavy, needed here alone

    try:
        model = SentenceTransformer(str(encoder), device="cpu", local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{encoder} cannot be opened ({reason}): it is not exported, the champion keeps serving. Fit again."
        ) from None
    model.max_seq_length = max_tokens
    vectors = model.float().encode(list(SAMPLES), show_progress_bar=False)
    return np.asarray(vectors, dtype=np.float32)
