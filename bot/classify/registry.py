"""Heads in memory: the few that are in use, so that an issue does not pay for reading one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from bot.classify.head import Head


class HeadCache:
    """Least-recently-used heads by their id. A head never changes under its id, so nothing expires."""

    def __init__(self, *, capacity: int = 32) -> None:
        self._capacity = capacity
        self._heads: OrderedDict[int, Head] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, head_id: int, read: Callable[[], bytes]) -> Head:
        """The head under this id; `read` fetches its artefact when it is not in memory."""
        with self._lock:
            if head_id in self._heads:
                self._heads.move_to_end(head_id)
                return self._heads[head_id]
        head = Head.from_bytes(read())
        with self._lock:
            self._heads[head_id] = head
            while len(self._heads) > self._capacity:
                self._heads.popitem(last=False)
        return head
