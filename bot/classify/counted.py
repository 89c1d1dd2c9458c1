"""Word counts of issues in memory: a refit within seconds cannot read ten thousand texts anew.

Bounded by bytes, for one issue may be three words and the next a log. What has changed since it was
counted is counted again. What is not in memory may be kept elsewhere, as bytes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from bot.classify.sides import author_marks
from bot.classify.words import IDS, count_words
from bot.core.text import issue_text

CAPACITY = 64 << 20
"""Bytes of counts in memory: some sixty thousand issues of ordinary length."""
VERSION = 1
"""Of the counts as bytes: another one where the same issue text is counted otherwise."""
AT_ONCE = 1000
"""Texts in memory at a time, while they are counted."""
OVERHEAD = 450
"""Bytes of a row beside its counts: two arrays, a tuple, a place in the order."""


class Filed(NamedTuple):
    """What the words of an issue depend on."""

    issue_id: int
    title: str
    body: str
    association: str


class _Row(NamedTuple):
    key: int
    ids: NDArray[np.int32]
    counts: NDArray[np.float32]

    @property
    def weight(self) -> int:
        return OVERHEAD + self.ids.nbytes + self.counts.nbytes

    def packed(self) -> bytes:
        return self.ids.astype("<i4").tobytes() + self.counts.astype("<u2").tobytes()


def _unpacked(key: int, kept: bytes) -> _Row:
    n = len(kept) // 6
    ids = np.frombuffer(kept, "<i4", n).astype(np.int32)
    return _Row(key, ids, np.frombuffer(kept, "<u2", n, 4 * n).astype(np.float32))


class Source(Protocol):
    """Where texts are, and counts that were kept."""

    def texts(self, ids: Sequence[int]) -> Sequence[Filed]:
        """Of these issues, in any order."""
        ...

    def kept(self, keys: Mapping[int, int]) -> Mapping[int, bytes]:
        """Issue id -> what was kept under its key, where it was."""
        ...

    def keep(self, keys: Mapping[int, int], counts: Mapping[int, bytes]) -> None: ...


class WordCache:
    """Least-recently-used counts by issue id, `capacity` bytes of them."""

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._rows: OrderedDict[int, _Row] = OrderedDict()
        self._held = 0
        self._lock = threading.Lock()

    def counts_of(self, keys: Mapping[int, int], source: Source) -> csr_matrix:
        """Counts [n, IDS], as `count_words` gives them, of the issues in `keys`: id -> what tells one text
        and author from another. Only what is not in memory is read, `AT_ONCE` at a time."""
        with self._lock:
            known = {id_: self._rows.get(id_) for id_ in keys}
        rows = {id_: row for id_, row in known.items() if row is not None and row.key == keys[id_]}
        missing = [id_ for id_ in keys if id_ not in rows]
        for start in range(0, len(missing), AT_ONCE):
            rows |= _met({id_: keys[id_] for id_ in missing[start : start + AT_ONCE]}, source)
        found = [rows[id_] for id_ in keys]
        self._keep(keys, found)
        ids = np.concatenate([np.zeros(0, np.int32), *(row.ids for row in found)])
        data = np.concatenate([np.zeros(0, np.float32), *(row.counts for row in found)])
        starts = np.cumsum([0, *(len(row.ids) for row in found)])
        return csr_matrix((data, ids, starts), shape=(len(found), IDS))

    def _keep(self, ids: Iterable[int], rows: Sequence[_Row]) -> None:
        with self._lock:
            for id_, row in zip(ids, rows, strict=True):
                self._drop(self._rows.pop(id_, None))
                self._rows[id_] = row
                self._held += row.weight
            while self._held > self._capacity:
                self._drop(self._rows.popitem(last=False)[1])

    def _drop(self, row: _Row | None) -> None:
        self._held -= row.weight if row else 0


def _met(keys: Mapping[int, int], source: Source) -> dict[int, _Row]:
    """Counts of issues that are not in memory."""
    rows = {id_: _unpacked(keys[id_], kept) for id_, kept in source.kept(keys).items()}
    if new := [id_ for id_ in keys if id_ not in rows]:
        counted = _count(source.texts(new), keys)
        source.keep(keys, {id_: row.packed() for id_, row in counted.items()})
        rows |= counted
    return rows


def _count(filed: Sequence[Filed], keys: Mapping[int, int]) -> dict[int, _Row]:
    texts = [issue_text(one.title, one.body) for one in filed]
    counts = count_words(texts, extra=author_marks([one.association for one in filed]))
    return {
        one.issue_id: _Row(
            keys[one.issue_id],
            counts.indices[slice(*counts.indptr[n : n + 2])].astype(np.int32),
            counts.data[slice(*counts.indptr[n : n + 2])].copy(),
        )
        for n, one in enumerate(filed)
    }
