"""Text -> unit vector, as the bundle says. Serves int8 only where this machine rounds as the builder's.

Every text runs alone, unpadded. On one thread a batch was no faster at any length worth having
(docs/experiments.md), and int8 scales come from all that shares a call: alone, the vector of a text
depends on nothing but the text.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from bot.classify.bundle import (
    BUILD_ADVICE,
    GOLDEN,
    MODELS,
    TOKENIZER,
    Backend,
    Bundle,
    read_bundle,
)
from bot.classify.session import open_session, open_tokenizer, token_ids
from bot.errors import UserError

log = logging.getLogger(__name__)

LEAST_AGREEMENT = 0.999
"""Cosine to the golden vectors under which a graph does not do here what it did where it was built."""


class Encoder:
    """An open bundle. Safe from many threads; `threads` of its own do the work, whoever asks."""

    def __init__(
        self, bundle: Bundle, *, backend: Backend, session: Any, max_tokens: int, threads: int
    ) -> None:
        self.backend: Backend = backend
        """The graph that serves, which is not always the one that was asked for."""
        self.max_tokens = max_tokens
        self.provenance = bundle.provenance
        """What it learned from."""
        self._manifest = bundle.manifest
        self._session = session
        self._inputs = {value.name for value in session.get_inputs()}
        self._tokenizer: Tokenizer = open_tokenizer(bundle.tokenizer, max_tokens=max_tokens)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="encoder")

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        backend: Backend = "int8",
        threads: int = 1,
        max_tokens: int | None = None,
    ) -> Encoder:
        """The encoder of a bundle; fp32 in place of int8 where int8 comes out differently here.

        Args:
            max_tokens: cut texts shorter than the bundle says; never longer.

        Raises:
            UserError: no bundle there, a file was changed, or fp32 too comes out differently.
        """
        encoder = cls._open_checked(directory, backend, threads=threads)
        if encoder is None and backend == "int8":
            log.warning("int8 of %s rounds differently on this machine; fp32 serves", directory)
            encoder = cls._open_checked(directory, "fp32", threads=threads)
        if encoder is None:
            raise UserError(
                f"fp32 of {directory} disagrees with its golden vectors; {BUILD_ADVICE}"
            )
        if max_tokens is not None and max_tokens < encoder.max_tokens:
            encoder._cut_at(max_tokens)
        return encoder

    @classmethod
    def _open_checked(cls, directory: Path, backend: Backend, *, threads: int) -> Encoder | None:
        bundle = read_bundle(directory, files=(MODELS[backend], TOKENIZER, GOLDEN))
        session = open_session(bundle.model(backend))
        limit = bundle.manifest.max_tokens
        encoder = cls(bundle, backend=backend, session=session, max_tokens=limit, threads=threads)
        if encoder.agreement(_golden(bundle, backend)) >= LEAST_AGREEMENT:
            return encoder
        encoder.close()
        return None

    @property
    def dim(self) -> int:
        return self._manifest.dim

    @property
    def bundle_id(self) -> str:
        return self._manifest.bundle_id

    @property
    def text_version(self) -> int:
        return self._manifest.text_version

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [texts, dim], unit rows in the order of the texts; an empty text has a vector too."""
        vectors = np.empty((len(texts), self.dim), dtype=np.float32)
        for row, vector in enumerate(self._pool.map(self._vector, texts)):
            vectors[row] = vector
        return vectors

    def agreement(self, golden: np.ndarray) -> float:
        """Least cosine between the bundle's golden vectors and what this machine makes of their texts."""
        return float((self.encode(self._manifest.golden_texts) * golden).sum(axis=1).min())

    def close(self) -> None:
        """Ends the threads, after what they are at."""
        self._pool.shutdown()

    def _cut_at(self, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self._tokenizer.enable_truncation(max_tokens)

    def _vector(self, text: str) -> np.ndarray:
        ids = token_ids(self._tokenizer, text, max_tokens=self.max_tokens)
        # Graphs that torch exported may ask for more than our own do.
        feed = {"input_ids": ids}
        if "attention_mask" in self._inputs:
            feed["attention_mask"] = np.ones_like(ids)
        if "token_type_ids" in self._inputs:
            feed["token_type_ids"] = np.zeros_like(ids)
        vector: np.ndarray = self._session.run(None, feed)[0][0]
        return vector


def _golden(bundle: Bundle, backend: Backend) -> np.ndarray:
    try:
        rows: np.ndarray = load_file(bundle.golden)[backend]
    except (SafetensorError, KeyError) as error:
        raise UserError(
            f"{bundle.golden} has no {backend} vectors ({error}); {BUILD_ADVICE}"
        ) from None
    if rows.shape != (len(bundle.manifest.golden_texts), bundle.manifest.dim):
        raise UserError(f"{bundle.golden} does not fit the manifest; {BUILD_ADVICE}")
    return rows
