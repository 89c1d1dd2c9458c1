"""Word counts of issues in memory: a refit within seconds cannot read ten thousand texts anew.

Some 700 bytes an issue. What has changed since it was counted is counted again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from bot.classify.sides import author_marks
from bot.classify.words import IDS, count_words
from bot.core.text import issue_text

CAPACITY = 60_000


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


class WordCache:
    """Least-recently-used counts by issue id."""

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._rows: OrderedDict[int, _Row] = OrderedDict()
        self._lock = threading.Lock()

    def counts(self, filed: Sequence[Filed]) -> csr_matrix:
        """Counts [n, IDS], as `count_words` gives them."""
        with self._lock:
            known = [self._rows.get(one.issue_id) for one in filed]
        keys = [hash(one[1:]) for one in filed]
        missing = [n for n, row in enumerate(known) if row is None or row.key != keys[n]]
        rows = dict(enumerate(known))
        rows.update(zip(missing, _count([filed[n] for n in missing]), strict=True))
        found = [row for _, row in sorted(rows.items()) if row is not None]
        self._keep(filed, found)
        ids = np.concatenate([np.zeros(0, np.int32), *(row.ids for row in found)])
        data = np.concatenate([np.zeros(0, np.float32), *(row.counts for row in found)])
        starts = np.cumsum([0, *(len(row.ids) for row in found)])
        return csr_matrix((data, ids, starts), shape=(len(found), IDS))

    def _keep(self, filed: Sequence[Filed], rows: Sequence[_Row]) -> None:
        with self._lock:
            for one, row in zip(filed, rows, strict=True):
                self._rows[one.issue_id] = row
                self._rows.move_to_end(one.issue_id)
            while len(self._rows) > self._capacity:
                self._rows.popitem(last=False)


def _count(filed: Sequence[Filed]) -> list[_Row]:
    texts = [issue_text(one.title, one.body) for one in filed]
    counts = count_words(texts, extra=author_marks([one.association for one in filed]))
    return [
        _Row(
            hash(one[1:]),
            counts.indices[slice(*counts.indptr[n : n + 2])].astype(np.int32),
            counts.data[slice(*counts.indptr[n : n + 2])].copy(),
        )
        for n, one in enumerate(filed)
    ]
