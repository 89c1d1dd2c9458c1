"""Vectors and word counts of a repository's issues: those at hand, and those that are made now.

A text is read only where one of them is missing, a part at a time: no history is in memory as text.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from bot.classify import counted
from bot.classify.counted import Filed
from bot.classify.encoder import Encoder
from bot.core.text import TEXT_VERSION, issue_text
from bot.jobs.context import Context, key_of
from bot.store import outlines, vectors, word_counts
from bot.store.engine import Database
from bot.store.outlines import Outline

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

READ_AT_ONCE = 1024
"""Texts read together. Sorted by length, so that what is embedded together is of like size, and nothing is
padded for a long one."""
EMBED_AT_ONCE = 64
"""Issues embedded between two commits, so that a stop loses little."""


def embed(context: Context, encoder: Encoder, found: Sequence[Outline]) -> Floats:
    """Vectors [issues, dim] of the encoder; only the missing ones are computed."""
    return embedded(context, encoder, found, new={one.id for one in found})[0]


def embedded(
    context: Context, encoder: Encoder, found: Sequence[Outline], *, new: Collection[int]
) -> tuple[Floats, NDArray[np.bool_]]:
    """Vectors [issues, dim], and which issues have one [issues]; of the missing ones only `new` (their
    ids) are computed."""
    ids = [one.id for one in found]
    with context.database.session() as session:
        matrix, there = vectors.matrix(session, ids, dim=encoder.dim, **key_of(encoder))
    missing = [row for row in np.flatnonzero(~there).tolist() if ids[row] in new]
    for start in range(0, len(missing), READ_AT_ONCE):
        rows = missing[start : start + READ_AT_ONCE]
        _compute(context, encoder, matrix, {row: ids[row] for row in rows})
        there[rows] = True
        log.info("%d of %d issues embedded", start + len(rows), len(missing))
    return matrix, there


def _compute(context: Context, encoder: Encoder, matrix: Floats, ids: dict[int, int]) -> None:
    """Fill these rows of the matrix (row -> id of the issue), and store them, but for those whose text
    became another one meanwhile: nobody would ever look at such a vector again."""
    with context.database.session() as session:
        told = outlines.texts(session, ids.values())
    texts = {row: issue_text(*told[id_]).joined for row, id_ in ids.items()}
    order = sorted(texts, key=lambda row: len(texts[row]))
    for start in range(0, len(order), EMBED_AT_ONCE):
        part = order[start : start + EMBED_AT_ONCE]
        matrix[part] = encoder.encode([texts[row] for row in part])
        with context.database.session() as session:
            still = outlines.unchanged(session, {ids[row]: told[ids[row]] for row in part})
            kept = [(ids[row], matrix[row]) for row in part if ids[row] in still]
            vectors.save(session, kept, **key_of(encoder))


def count_words_of(context: Context, found: Sequence[Outline]) -> csr_matrix:
    """Word counts [issues, ids]; only texts that were not counted before are read."""
    authors = {one.id: one.author_association for one in found}
    keys = {one.id: _counting_key(one) for one in found}
    return context.words.counts_of(keys, _Stored(context.database, authors))


def _counting_key(one: Outline) -> int:
    """The same in every process: 64 bits of what the counts depend on."""
    told = f"{counted.VERSION}/{TEXT_VERSION}/{one.text}/{one.author_association}"
    return int.from_bytes(blake2b(told.encode(), digest_size=8).digest(), signed=True)


@dataclass(frozen=True, slots=True)
class _Stored:
    """Texts and counts in the database."""

    database: Database
    authors: Mapping[int, str]

    def texts(self, ids: Sequence[int]) -> list[Filed]:
        with self.database.session() as session:
            told = outlines.texts(session, ids)
        return [Filed(id_, *told[id_], self.authors[id_]) for id_ in ids]

    def kept(self, keys: Mapping[int, int]) -> dict[int, bytes]:
        with self.database.session() as session:
            return word_counts.read(session, keys)

    def keep(self, keys: Mapping[int, int], counts: Mapping[int, bytes]) -> None:
        with self.database.session() as session:
            word_counts.save(session, keys, counts)
