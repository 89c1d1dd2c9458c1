"""Sparse word features of an issue text: hashed TF-IDF of words, of the title apart, of headings apart.

Hand-rolled on scipy.sparse: scikit-learn's vectoriser would cost the worker 60 MB and half a second of
import, and cannot weigh blocks apart; here a word is hashed once and word pairs are arithmetic.
Refuses to keep words: only their hashes are stored.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from bot.core.types import IssueText

BLOCK_WEIGHTS = (1.0, 0.7, 0.5)
"""Length of each block of a row: words of title and body; title (words, pairs, marks); headings."""
BLOCK_IDS = 1 << 22
IDS = BLOCK_IDS * len(BLOCK_WEIGHTS)
MAX_WORDS = 600
"""Words read of a body: what an issue is about stands in its beginning."""
MIN_ISSUES = 2
"""A feature that one issue alone has can teach nothing about another."""
MAX_FEATURES = 40_000

_WORD = re.compile(r"[^\W\d_][\w+#]*|[+#@]\w+|\d[\w.]*")
_HEADING = re.compile(r"^#{1,6} (.{1,80})$", re.MULTILINE)
_MARK = re.compile(r"^\W*([\w/+ -]{1,20})[\]:]")

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Which hashed features count, ascending, and the weight of each."""

    ids: Ids
    idf: NDArray[np.float32]


def count_words(texts: Sequence[IssueText], *, extra: Sequence[str] | None = None) -> csr_matrix:
    """Raw counts [n, IDS] of the hashed features; `extra`: one more mark per issue ("" for none)."""
    cache: dict[str, int] = {}
    marks = extra if extra is not None else [""] * len(texts)
    rows = [_features(text, mark, cache) for text, mark in zip(texts, marks, strict=True)]
    ids = np.concatenate([np.zeros(0, dtype=np.int64), *rows])
    starts = np.cumsum([0, *map(len, rows)])
    ones = np.ones(len(ids), dtype=np.float32)
    counts = csr_matrix((ones, ids, starts), shape=(len(rows), IDS))
    counts.sum_duplicates()
    return counts


def learn_vocabulary(counts: csr_matrix) -> Vocabulary:
    """The features met in at least `MIN_ISSUES` issues; the most frequent where there are too many."""
    seen, issues = np.unique(counts.indices, return_counts=True)
    kept = issues >= MIN_ISSUES
    if kept.sum() > MAX_FEATURES:
        kept &= issues > np.sort(issues)[-MAX_FEATURES]
    idf = np.log((1 + counts.shape[0]) / (1 + issues[kept])) + 1
    return Vocabulary(ids=seen[kept].astype(np.int64), idf=idf.astype(np.float32))


def weigh_words(counts: csr_matrix, vocabulary: Vocabulary) -> csr_matrix:
    """TF-IDF [n, features] with logarithmic counts, each block of a row scaled to its weight; features
    outside the vocabulary are dropped."""
    n, features = counts.shape[0], len(vocabulary.ids)
    if not features:
        empty = np.zeros((n, 0), dtype=np.float32)
        return csr_matrix(empty)
    at = np.minimum(np.searchsorted(vocabulary.ids, counts.indices), features - 1)
    known = vocabulary.ids[at] == counts.indices
    row = np.repeat(np.arange(n), np.diff(counts.indptr))[known]
    at = at[known]
    values = (1 + np.log(counts.data[known])) * vocabulary.idf[at]
    blocks = len(BLOCK_WEIGHTS)
    block = row * blocks + vocabulary.ids[at] // BLOCK_IDS
    squares = np.bincount(block, values * values, minlength=n * blocks)
    scale = np.tile(BLOCK_WEIGHTS, n) / np.sqrt(np.maximum(squares, 1e-12))
    starts = np.append(0, np.cumsum(np.bincount(row, minlength=n)))
    data = (values * scale[block]).astype(np.float32)
    return csr_matrix((data, at, starts), shape=(n, features))


def name_features(text: IssueText) -> dict[int, str]:
    """Feature -> the word, pair or heading of this text that made it; hashes alone cannot be read back."""
    title = _WORD.findall(text.title.lower())
    body = _WORD.findall(text.body.lower())[:MAX_WORDS]
    first, headings = title[:1], [line.lower() for line in _HEADING.findall(text.body)]
    pairs = [f"{one} {other}" for one, other in pairwise(title)]
    hashed = _hashes(title, {})
    named = (
        (0, _hashes([*title, *body], {}), [*title, *body]),
        (1, hashed, title),
        (1, _pairs(hashed), pairs),
        (1, _hashes([f"^{word}" for word in first], {}), first),
        (2, _hashes(headings, {}), headings),
    )
    return {
        int(id_) % BLOCK_IDS + block * BLOCK_IDS: name
        for block, ids, names in named
        for id_, name in zip(ids, names, strict=True)
    }


def features_of(words: str) -> Ids:
    """The features that a word makes in title and body, or that two words make in a title."""
    hashed = _hashes(_WORD.findall(words.lower()), {})
    if len(hashed) == 1:
        return np.concatenate([hashed % BLOCK_IDS, hashed % BLOCK_IDS + BLOCK_IDS])
    return _pairs(hashed) % BLOCK_IDS + BLOCK_IDS


def _features(text: IssueText, mark: str, cache: dict[str, int]) -> Ids:
    title_words = _WORD.findall(text.title.lower())
    title = _hashes(title_words, cache)
    body = _hashes(_WORD.findall(text.body.lower())[:MAX_WORDS], cache)
    marks = [f"^{word}" for word in title_words[:1]]
    marks += [f"[{found.lower()}" for found in _MARK.findall(text.title)]
    marks += [f"@{mark}"] if mark else []
    headings = [line.lower() for line in _HEADING.findall(text.body)]
    blocks = (
        np.concatenate((title, body)),
        np.concatenate((title, _pairs(title), _hashes(marks, cache))),
        _hashes(headings, cache),
    )
    return np.concatenate([ids % BLOCK_IDS + i * BLOCK_IDS for i, ids in enumerate(blocks)])


def _hashes(tokens: Sequence[str], cache: dict[str, int]) -> Ids:
    for token in tokens:
        if token not in cache:
            cache[token] = crc32(token.encode())
    return np.array([cache[token] for token in tokens], dtype=np.int64)


def _pairs(hashes: Ids) -> Ids:
    """Neighbours as one feature each; the order of the two tells."""
    return (hashes[:-1] * 0x9E3779B1 + hashes[1:]) >> 7
