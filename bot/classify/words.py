"""Sparse word features of an issue text: hashed TF-IDF of words and word pairs, title apart from body.

Hand-rolled on scipy.sparse: scikit-learn's vectoriser would cost the worker 60 MB and half a second of
import, and builds every pair as a string; here words are hashed once and pairs are arithmetic.
Refuses to keep words: only their hashes are stored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from bot.core.types import IssueText

IDS = 1 << 24
MAX_WORDS = 400
"""Words read of a body: what an issue is about stands in its beginning."""
MIN_ISSUES = 2
"""A feature that one issue alone has can teach nothing about another."""
MAX_FEATURES = 40_000

_WORD = re.compile(r"[^\W\d_][\w+#]*|[+#@]\w+|\d[\w.]*")
_HEADING = re.compile(r"^#{1,6} (.{1,80})$", re.MULTILINE)
_TITLE, _BODY, _LINE = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Which hashed features count, ascending, and the weight of each."""

    ids: Ids
    idf: NDArray[np.float32]


def count_words(texts: Sequence[IssueText], *, extra: Sequence[str] | None = None) -> csr_matrix:
    """Raw counts [n, IDS] of the hashed features; `extra`: one more token per issue ("" for none)."""
    cache: dict[str, int] = {}
    rows = [_features(text, cache) for text in texts]
    if extra is not None:
        rows = [_with(row, token) for row, token in zip(rows, extra, strict=True)]
    pairs = [np.unique(row, return_counts=True) for row in rows]
    starts = np.cumsum([0, *(len(ids) for ids, _ in pairs)])
    ids = np.concatenate([ids for ids, _ in pairs]) if pairs else np.zeros(0, dtype=np.int64)
    counts = np.concatenate([c for _, c in pairs]) if pairs else np.zeros(0)
    return csr_matrix((counts.astype(np.float32), ids, starts), shape=(len(rows), IDS))


def learn_vocabulary(counts: csr_matrix) -> Vocabulary:
    """The features met in at least `MIN_ISSUES` issues; the most frequent where there are too many."""
    seen, issues = np.unique(counts.indices, return_counts=True)
    kept = issues >= MIN_ISSUES
    if kept.sum() > MAX_FEATURES:
        kept &= issues > np.sort(issues)[-MAX_FEATURES]
    idf = np.log((1 + counts.shape[0]) / (1 + issues[kept])) + 1
    return Vocabulary(ids=seen[kept].astype(np.int64), idf=idf.astype(np.float32))


def weigh_words(counts: csr_matrix, vocabulary: Vocabulary) -> csr_matrix:
    """TF-IDF [n, features] with unit rows (logarithmic counts); unknown features are dropped."""
    at = np.searchsorted(vocabulary.ids, counts.indices)
    at = np.minimum(at, max(len(vocabulary.ids) - 1, 0))
    known = vocabulary.ids[at] == counts.indices if len(vocabulary.ids) else at < 0
    lengths = np.add.reduceat(np.append(known, 0), counts.indptr[:-1]) if len(known) else 0
    lengths = np.where(np.diff(counts.indptr) > 0, lengths, 0)
    at = at[known]
    values = (1 + np.log(counts.data[known])) * vocabulary.idf[at]
    shape = (counts.shape[0], len(vocabulary.ids))
    weighed = csr_matrix((values, at, np.append(0, np.cumsum(lengths))), shape=shape)
    squares = np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel()
    norms = np.repeat(np.sqrt(np.maximum(squares, 1e-12)), np.diff(weighed.indptr))
    weighed.data = (weighed.data / norms).astype(np.float32)
    return weighed


def _features(text: IssueText, cache: dict[str, int]) -> Ids:
    """Words and pairs of title and body, the title's apart, and the headings as whole lines."""
    title = _hashes(_WORD.findall(text.title.lower()), cache)
    body = _hashes(_WORD.findall(text.body.lower())[:MAX_WORDS], cache)
    lines = _hashes([line.lower() for line in _HEADING.findall(text.body)], cache)
    parts = (title, _pairs(title), body, _pairs(body))
    joint = np.concatenate(parts)
    own = np.concatenate((title, _pairs(title))) * _TITLE
    return (np.concatenate((joint * _BODY, own, lines * _LINE)) >> 5) % IDS


def _hashes(tokens: Sequence[str], cache: dict[str, int]) -> Ids:
    for token in tokens:
        if token not in cache:
            cache[token] = crc32(token.encode())
    return np.array([cache[token] for token in tokens], dtype=np.int64)


def _pairs(hashes: Ids) -> Ids:
    return (hashes[:-1] * 31 + hashes[1:]) % 0xFFFFFFFB


def _with(row: Ids, token: str) -> Ids:
    return np.append(row, crc32(f"\0{token}".encode()) % IDS) if token else row
