"""Gathers the deliveries that arrive together into one transaction: one commit, one wait for the disk.

While one batch is written the next gathers, so a lone delivery waits for nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from types import TracebackType
from typing import Any

import psycopg

from bot.store.inbox import Arrival, store_and_enqueue

MAX_BATCH = 64
MAX_BATCH_BYTES = 8 * 1024 * 1024
MAX_WAITING = 2000
GATHER = 0.002
"""Seconds that a rush of deliveries is given to join the next batch: nearly half the
commits (benchmarks/webhook.py). After a lone delivery nothing is waited for."""
TIMEOUT = 8.0
"""Seconds; GitHub hangs up after 10."""

Connection = psycopg.AsyncConnection[tuple[Any, ...]]
Waiting = tuple[Arrival, "asyncio.Future[bool]"]

logger = logging.getLogger(__name__)


class Unavailable(Exception):
    """The delivery could not be stored now. GitHub shows it as failed, and it can be sent again."""


class Intake:
    """Takes deliveries into the database at `url`. Open it in the loop that uses it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._waiting: deque[Waiting] = deque()
        self._arrived = asyncio.Event()
        self._connection: Connection | None = None
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Intake:
        self._writer = asyncio.create_task(self._write_batches(), name="intake")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._writer is not None
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)
        _refuse(list(self._waiting))
        await self._disconnect()

    async def take(self, arrival: Arrival) -> bool:
        """Store a delivery and enqueue its job. Durable on return.

        Returns:
            False if it was stored before: then nothing new happened.
        Raises:
            Unavailable: the database is away, or slow beyond GitHub's patience.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise Unavailable("too many deliveries wait already")
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, future))
        self._arrived.set()
        return await future

    async def _write_batches(self) -> None:
        while True:
            await self._arrived.wait()
            batch, again = self._next_batch()
            if batch:
                await self._write(batch)
            if len(batch) > 1:
                await asyncio.sleep(GATHER)
            self._waiting.extendleft(reversed(again))
            if not self._waiting:
                self._arrived.clear()

    def _next_batch(self) -> tuple[list[Waiting], list[Waiting]]:
        """What goes in now, and what must wait as its twin is in."""
        batch: list[Waiting] = []
        twins: list[Waiting] = []
        keys: set[tuple[int, str]] = set()
        size = 0
        while self._waiting and len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
            waiting = self._waiting.popleft()
            if waiting[0].key in keys:
                twins.append(waiting)
                continue
            keys.add(waiting[0].key)
            size += len(waiting[0].body)
            batch.append(waiting)
        return batch, twins

    async def _write(self, batch: list[Waiting]) -> None:
        try:
            new = await self._store([arrival for arrival, _ in batch])
        except psycopg.DataError:
            await self._write_one_by_one(batch)
        except Exception as error:  # whatever it was, the senders are told and the writer lives
            logger.error("%d deliveries not stored: %s", len(batch), type(error).__name__)
        else:
            for (_, future), is_new in zip(batch, new, strict=True):
                if not future.done():
                    future.set_result(is_new)
        finally:
            _refuse(batch)

    async def _write_one_by_one(self, batch: list[Waiting]) -> None:
        """One delivery that the database refuses must not take the others with it."""
        if len(batch) == 1:
            logger.error("a delivery that the database refuses: %s", batch[0][0].guid)
            return
        for waiting in batch:
            await self._write([waiting])

    async def _store(self, arrivals: list[Arrival]) -> list[bool]:
        """Twice where the first connection was stale: a delivery that did get in is then known."""
        stale = self._connection is not None
        try:
            return await self._store_once(arrivals)
        except (psycopg.OperationalError, OSError, TimeoutError) as error:
            await self._disconnect()
            if not stale or isinstance(error, TimeoutError):
                raise
        return await self._store_once(arrivals)

    async def _store_once(self, arrivals: list[Arrival]) -> list[bool]:
        async with asyncio.timeout(TIMEOUT):
            if self._connection is None:
                self._connection = await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, connect_timeout=5
                )
            return await store_and_enqueue(self._connection, arrivals)

    async def _disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()


def _refuse(batch: list[Waiting]) -> None:
    """Answer whoever has no answer yet."""
    for _, future in batch:
        if not future.done():
            future.set_exception(Unavailable("not stored"))
