"""Which issues have nearly the same text, found by their words: no encoder decides what may test it.

MinHash over word triples (Broder 1997), bands that bring candidates together, then the exact Jaccard
index. Refuses to call texts of a few words duplicates unless they are equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from bot.core.types import IssueText

SAME = 0.7
"""Share of word triples in common from which two issues count as one; a form that two people filled in
differently stays below it."""
MAX_WORDS = 400
BANDS, ROWS = 24, 4
"""A pair at `SAME` meets in some band with probability .998."""
FEW = 8
"""Words below which only the same words in the same order count."""

_WORD = re.compile(r"\w+")
_PRIME = np.uint64((1 << 31) - 1)

Hashes = NDArray[np.uint64]


def group_texts(texts: Sequence[IssueText]) -> list[int]:
    """For each text, the position of the first one that it is a near-duplicate of, itself if none;
    chains count as one group. An empty text is like no other."""
    triples = [_triples(text) for text in texts]
    parents = list(range(len(texts)))
    for first, second in sorted(_candidates(triples)):
        if _alike(triples[first], triples[second]):
            a, b = sorted((_root(parents, first), _root(parents, second)))
            parents[b] = a
    return [_root(parents, position) for position in range(len(texts))]


def _triples(text: IssueText) -> Hashes:
    words = _WORD.findall(text.joined.lower())[:MAX_WORDS]
    if not words:
        return np.zeros(0, dtype=np.uint64)
    if len(words) < FEW:
        return np.array([crc32(" ".join(words).encode())], dtype=np.uint64)
    three = zip(words, words[1:], words[2:], strict=False)
    return np.unique(np.array([crc32(" ".join(x).encode()) for x in three], dtype=np.uint64))


def _candidates(triples: Sequence[Hashes]) -> set[tuple[int, int]]:
    rng = np.random.default_rng(0)
    a = rng.integers(1, int(_PRIME), BANDS * ROWS, dtype=np.uint64)
    b = rng.integers(0, int(_PRIME), BANDS * ROWS, dtype=np.uint64)
    buckets: dict[tuple[int, bytes], list[int]] = {}
    for position, found in enumerate(triples):
        if len(found):
            mixed = (found[:, None] % _PRIME * a + b) % _PRIME
            for band, part in enumerate(mixed.min(axis=0).reshape(BANDS, ROWS)):
                buckets.setdefault((band, part.tobytes()), []).append(position)
    return {pair for bucket in buckets.values() for pair in _pairs(bucket)}


def _pairs(bucket: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Every pair of a small bucket; of a large one each with the first and with its neighbour, which
    is enough to chain a thousand copies of one text."""
    if len(bucket) <= 30:
        return combinations(bucket, 2)
    return {(bucket[0], x) for x in bucket[1:]} | set(pairwise(bucket))


def _alike(first: Hashes, second: Hashes) -> bool:
    common = len(np.intersect1d(first, second, assume_unique=True))
    return common >= SAME * (len(first) + len(second) - common)


def _root(parents: list[int], position: int) -> int:
    while parents[position] != position:
        parents[position] = parents[parents[position]]
        position = parents[position]
    return position
