"""Vectors of texts, each computed once: a folder of this machine keeps those of earlier previews."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from bot.classify.encoder import Encoder

AT_ONCE = 128
"""Texts between two savings, so that a stop loses little."""

Floats = NDArray[np.float32]


class KeptVectors:
    """Encodes through `encoder`, and remembers by the text's hash."""

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self._encoder = encoder
        name = f"{encoder.bundle_id[:24]}-{encoder.backend}-{encoder.text_version}.safetensors"
        self._path = folder / name
        self._vectors: dict[str, Floats] = _load(self._path, dim=encoder.dim)

    def encode(
        self, texts: Sequence[str], *, told: Callable[[int], None] = lambda _: None
    ) -> Floats:
        """Vectors [n, dim]; `told` hears how many of the texts are done."""
        keys = [hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() for text in texts]
        missing = {
            key: text for key, text in zip(keys, texts, strict=True) if key not in self._vectors
        }
        done = len(texts) - len(missing)
        told(done)
        # By length, so that what runs together is of like size.
        order = sorted(missing, key=lambda key: len(missing[key]))
        for start in range(0, len(order), AT_ONCE):
            part = order[start : start + AT_ONCE]
            self._vectors.update(
                zip(part, self._encoder.encode([missing[key] for key in part]), strict=True)
            )
            _save(self._path, self._vectors)
            done += len(part)
            told(done)
        matrix = np.zeros((len(texts), self._encoder.dim), dtype=np.float32)
        for row, key in enumerate(keys):
            matrix[row] = self._vectors[key]
        return matrix


def _load(path: Path, *, dim: int) -> dict[str, Floats]:
    """What was kept; nothing where the file is missing, broken or of another encoder."""
    try:
        kept = load_file(path)
        keys, vectors = kept["keys"], kept["vectors"]
    except (OSError, KeyError, SafetensorError):
        return {}
    if vectors.shape != (len(keys), dim):
        return {}
    return dict(zip((bytes(key).hex() for key in keys), vectors, strict=True))


def _save(path: Path, vectors: dict[str, Floats]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_suffix(".part")
    keys = np.array([list(bytes.fromhex(key)) for key in vectors], dtype=np.uint8)
    save_file({"keys": keys, "vectors": np.stack(list(vectors.values()))}, part)
    os.replace(part, path)
