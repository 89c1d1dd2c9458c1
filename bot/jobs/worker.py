"""Runs jobs in threads until told to stop, and tells the others that this worker lives.

Ends only on a stop request: a database that is away is waited for.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import psycopg
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.worker import Worker
from sqlalchemy.exc import SQLAlchemyError

from bot.jobs.engine import build_app, is_away, sweep
from bot.jobs.lanes import Lane, lanes_of
from bot.jobs.queue import QUEUES
from bot.store import beats
from bot.store.engine import Database

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Serving:
    """What this worker classifies with."""

    bundle: str
    backend: str


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. New jobs are announced, so `poll` only matters for scheduled ones."""

    poll: float = 1.0
    beat: float = 3.0
    dead_after: float = 30.0
    pause: float = 2.0
    """Before the next start, when the database went away."""


def run_worker(
    database: Database,
    tasks: Mapping[str, Callable[..., None]],
    *,
    concurrency: int,
    queues: Sequence[str] = QUEUES,
    stop: threading.Event | None = None,
    serving: Callable[[], Serving | None] = lambda: None,
    timing: Timing = Timing(),
) -> None:
    """Run the jobs of `queues` until `stop` is set, or SIGTERM or SIGINT where this is the main
    thread; running jobs are finished first.

    Args:
        tasks: Name -> function, called with the job's arguments.
        concurrency: Live jobs at once. Each other queue has a slot of its own beside them, so that
            neither waits for the other.
        serving: What to tell the others that this worker serves; asked at every beat.
    """
    lanes = lanes_of(queues, concurrency=concurrency)
    worker = _Runner(database, lanes, stop or threading.Event(), timing)
    with worker.signals():
        asyncio.run(worker.run(tasks, serving))


class _Runner:
    def __init__(
        self,
        database: Database,
        lanes: tuple[Lane, ...],
        stop: threading.Event,
        timing: Timing,
    ) -> None:
        self._database = database
        self._lanes = lanes
        self._slots = sum(lane.concurrency for lane in lanes)
        self._stop = stop
        self._timing = timing
        self._name = f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:6]}"

    @contextmanager
    def signals(self) -> Iterator[None]:
        """The first signal asks to stop; the next does what it did before."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def asked(number: int, frame: object) -> None:  # noqa: ARG001
            logger.info("stopping: the running jobs are finished first")
            self._stop.set()
            signal.signal(number, before[signal.Signals(number)])

        for number in before:
            signal.signal(number, asked)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def run(
        self,
        tasks: Mapping[str, Callable[..., None]],
        serving: Callable[[], Serving | None],
    ) -> None:
        threads = ThreadPoolExecutor(self._slots + 2, thread_name_prefix="job")
        asyncio.get_running_loop().set_default_executor(threads)
        beating = asyncio.create_task(self._keep_beating(serving))
        try:
            while not self._stop.is_set():
                await self._run_once(tasks)
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            await asyncio.to_thread(self._forget)

    async def _run_once(self, tasks: Mapping[str, Callable[..., None]]) -> None:
        """Run until asked to stop, or until the database goes away."""
        app = build_app(self._database, tasks, connections=self._slots + 3 * len(self._lanes))
        try:
            async with app.open_async():
                await self._work(app)
        except (ConnectorException, psycopg.Error) as error:
            if not is_away(error):
                raise
            logger.error("the database is away: %s", error.__cause__ or error)
            await self._wait(self._timing.pause)

    async def _work(self, app: App) -> None:
        workers = [self._worker(app, lane) for lane in self._lanes]
        stopping = asyncio.create_task(self._stop_on_request(workers))
        running = [asyncio.create_task(worker.run()) for worker in workers]  # type: ignore[no-untyped-call]
        try:
            await asyncio.gather(*running)
        finally:
            stopping.cancel()
            for worker in workers:
                worker.stop()  # type: ignore[no-untyped-call]
            await asyncio.gather(*running, return_exceptions=True)

    def _worker(self, app: App, lane: Lane) -> Worker:
        return Worker(
            app=app,
            queues=[lane.queue],
            name=lane.queue,
            concurrency=lane.concurrency,
            fetch_job_polling_interval=self._timing.poll,
            update_heartbeat_interval=self._timing.dead_after / 6,
            stalled_worker_timeout=self._timing.dead_after,
            delete_jobs="successful",
            install_signal_handlers=False,
        )

    async def _stop_on_request(self, workers: Sequence[Worker]) -> None:
        while not self._stop.is_set():
            await asyncio.sleep(0.1)
        for worker in workers:
            worker.stop()  # type: ignore[no-untyped-call]

    async def _keep_beating(self, serving: Callable[[], Serving | None]) -> None:
        while True:
            began = time.time()
            try:
                await asyncio.to_thread(self._beat, serving)
            except Exception as error:  # whatever it is, the next beat must come
                logger.error("no beat: %s", type(error).__name__)
            await asyncio.sleep(self._timing.beat)
            # After a pause of the whole machine every heart seems to have stopped: let them beat.
            if time.time() - began < self._timing.dead_after / 2:
                await self._sweep()

    async def _sweep(self) -> None:
        try:
            await asyncio.to_thread(sweep, self._database, dead_after=self._timing.dead_after)
        except SQLAlchemyError as error:
            logger.error("no sweep: %s", type(error).__name__)

    def _beat(self, asked: Callable[[], Serving | None]) -> None:
        serving = asked()
        with self._database.session() as session:
            beats.beat(
                session,
                self._name,
                bundle=serving.bundle if serving else None,
                backend=serving.backend if serving else None,
            )
            beats.sweep(session, older_than=timedelta(hours=1))

    def _forget(self) -> None:
        try:
            with self._database.session() as session:
                beats.forget(session, self._name)
        except SQLAlchemyError as error:
            logger.error("could not sign off: %s", type(error).__name__)

    async def _wait(self, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while not self._stop.is_set() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.1)
