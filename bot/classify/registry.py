"""Models in memory: the few that are in use, so that an issue does not pay for reading one."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np

from bot.classify.bundle import Backend
from bot.classify.encoder import Encoder
from bot.classify.head import Head
from bot.errors import UserError

BOTH = 2
"""The encoder that serves, and the one that replaces it or was replaced. MiniLM in int8 adds 41 MB."""


HEADS = 128 << 20
"""Bytes of heads in memory. A young repository's is some kilobytes, one of 50 labels and many words tens of
megabytes."""


class HeadCache:
    """Least-recently-used heads by their id, `capacity` bytes of them, and the last one whatever it weighs. A
    head never changes under its id, so nothing expires."""

    def __init__(self, *, capacity: int = HEADS) -> None:
        self._capacity = capacity
        self._heads: OrderedDict[int, Head] = OrderedDict()
        self._bytes: dict[int, int] = {}
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
            self._bytes[head_id] = _weight(head)
            while len(self._heads) > 1 and sum(self._bytes.values()) > self._capacity:
                del self._bytes[self._heads.popitem(last=False)[0]]
        return head


def _weight(part: object) -> int:
    """Bytes of the arrays in it."""
    if isinstance(part, np.ndarray):
        return part.nbytes
    if not is_dataclass(part):
        return 0
    return sum(_weight(getattr(part, field.name)) for field in fields(part))


class EncoderCache:
    """The encoders of the bundles used last, two at most. Whoever still uses one that was put away may
    go on: it ends when nobody holds it."""

    def __init__(self, first: Encoder, *, backend: Backend | None = None, threads: int = 1) -> None:
        self.first = first.bundle_id
        """The bundle that was open when this began."""
        self._backend: Backend = backend or first.backend
        self._threads = threads
        self._open: OrderedDict[str, Encoder] = OrderedDict({first.bundle_id: first})
        self._looking, self._opening = threading.Lock(), threading.Lock()

    @property
    def open(self) -> tuple[str, ...]:
        """Bundles in memory, the one used last at the end."""
        with self._looking:
            return tuple(self._open)

    def get(self, bundle: str, directory: Path | None) -> Encoder:
        """The encoder of a bundle, opened from `directory` if it is not open.

        Raises:
            UserError: there is no such bundle there, it is another one, or it does not work here.
        """
        if (found := self._found(bundle)) is not None:
            return found
        with self._opening:  # others go on with what is open
            if (found := self._found(bundle)) is not None:
                return found
            opened = self._opened(bundle, directory)
        with self._looking:
            self._open[bundle] = opened
            while len(self._open) > BOTH:
                self._open.popitem(last=False)
        return opened

    def _found(self, bundle: str) -> Encoder | None:
        with self._looking:
            if bundle in self._open:
                self._open.move_to_end(bundle)
            return self._open.get(bundle)

    def _opened(self, bundle: str, directory: Path | None) -> Encoder:
        if directory is None:
            raise UserError(f"Bundle {bundle} is not known here; promote it again")
        opened = Encoder.open(directory, backend=self._backend, threads=self._threads)
        if opened.bundle_id != bundle:
            raise UserError(f"{directory} holds bundle {opened.bundle_id}, not {bundle}")
        return opened
