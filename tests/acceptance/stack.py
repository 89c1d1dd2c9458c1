"""The whole product in one process, every part real: GitHub is the sandbox, on loopback.

Nothing here waits by the clock: what is waited for is a condition, and jobs that wait for a time to
come are made due.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import uvicorn
from sqlalchemy import text

from bot.classify.encoder import Encoder
from bot.classify.registry import EncoderCache, HeadCache
from bot.core.types import LabelSpec
from bot.github.app import AppAuth
from bot.jobs import queue
from bot.jobs.context import Context
from bot.jobs.tasks import TASKS
from bot.jobs.worker import Timing, run_worker
from bot.sandbox.faults import Fault
from bot.sandbox.sample import SampleIssue
from bot.sandbox.server import SandboxServer
from bot.store.engine import Database
from bot.store.tables import Delivery
from bot.web.app import create_app
from tests.acceptance.past import seed
from tests.acceptance.repo import RULES_PATH, US, Repo

__all__ = ["RULES_PATH", "US", "Repo", "Stack"]

PATIENCE = 90.0
LABELS = (
    LabelSpec("bug", "Something does not work as it should"),
    LabelSpec("feature", "A wish for something it cannot do yet"),
    LabelSpec("question", "Someone asks how to do something"),
)
EAGER = "silent_share: 0\nlabels:\n  bug: {threshold: 0.01}\n"
"""Rules under which every issue gets `bug`, whatever the head thinks of it."""

QUICK = Timing(poll=0.05, beat=0.5, pause=0.1)


def wait_until(condition: Callable[[], Any], *, what: str) -> Any:
    """What the condition gave when it came to hold. How long that takes is not what is tested."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"it never came to hold: {what}")
        time.sleep(0.01)
    return found


@contextmanager
def receiving(database: Database, secret: str) -> Iterator[str]:
    """The receiver on a loopback port; yields the address for webhooks."""
    config = uvicorn.Config(
        create_app(database, webhook_secrets=[secret]), port=0, log_config=None, ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="receiver")
    thread.start()
    try:
        wait_until(lambda: server.started, what="the receiver is up")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/webhook"
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def working(context: Context) -> Iterator[None]:
    """A worker in a thread while the block runs; ends with its running jobs done."""
    stop = threading.Event()
    tasks = {name: partial(task, context) for name, task in TASKS.items()}
    thread = threading.Thread(
        target=run_worker,
        name="worker",
        args=(context.database, tasks),
        kwargs={"concurrency": 3, "stop": stop, "timing": QUICK},
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Stack:
    """The running parts. Tests share it, each with repositories of its own."""

    def __init__(self, context: Context, sandbox: SandboxServer) -> None:
        self.context = context
        self.database = context.database
        self.sandbox = sandbox
        self._worker: Any = None
        self._owners = 0

    def start_worker(self) -> None:
        self._worker = working(self.context)
        self._worker.__enter__()

    def stop_worker(self) -> None:
        """Running jobs are finished first."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.__exit__(None, None, None)

    @contextmanager
    def idle(self) -> Iterator[None]:
        """No worker runs meanwhile: what arrives waits."""
        self.stop_worker()
        try:
            yield
        finally:
            self.start_worker()

    def settle(self, *, hurry: bool = True) -> None:
        """Until every webhook was delivered and every job has ended; parked jobs are made due."""
        wait_until(partial(self._settled, hurry), what="nothing is left to do")

    def _settled(self, hurry: bool) -> bool:
        if hurry:
            self.hurry()
        return not self.jobs() and self.sandbox.hooks.wait(0) and not self.jobs()

    def hurry(self) -> None:
        """Jobs that wait for a time to come are due now."""
        self.sql(
            "UPDATE procrastinate_jobs SET scheduled_at = now()"
            " WHERE status = 'todo' AND scheduled_at > now()"
        )

    @contextmanager
    def just_before(self, method: str, path: str, do: Callable[[], object]) -> Iterator[list[str]]:
        """Have people do something in the moment in which GitHub takes such a request of ours, once.

        `path` is a regular expression; yields the paths of the requests that it happened before.
        """
        faults = self.sandbox.faults
        take, met = faults.take, list[str]()

        def meddled(asked: str, at: str) -> Fault | None:
            if not met and asked == method and re.search(path, at):
                met.append(at)
                do()
            return take(asked, at)

        faults.take = meddled  # type: ignore[method-assign]
        try:
            yield met
        finally:
            faults.take = take  # type: ignore[method-assign]

    def run_again(self, delivery: Delivery) -> None:
        """The job of a delivery once more, as if its worker had died before it could say it was done."""
        self.sql("UPDATE deliveries SET status = 'stored' WHERE id = :id", id=delivery.id)
        with self.database.session() as session:
            queue.defer(session, queue.TASK_DELIVERY, delivery_id=delivery.id)
        self.settle()

    def jobs(self) -> list[Any]:
        """Jobs that wait or run: task, args, seconds until due (0 if it is)."""
        return self.sql(
            "SELECT task_name AS task, args, queue_name, greatest(0,"
            " extract(epoch FROM coalesce(scheduled_at, now()) - now()))::float AS due_in"
            " FROM procrastinate_jobs WHERE status IN ('todo', 'doing') ORDER BY id"
        )

    def failed_jobs(self) -> int:
        return len(self.sql("SELECT 1 FROM procrastinate_jobs WHERE status = 'failed'"))

    def sql(self, statement: str, **values: Any) -> list[Any]:
        with self.database.session() as session:
            done = session.execute(text(statement), values)
            return list(done.all()) if done.returns_rows else []

    def repository(
        self,
        *,
        labels: Sequence[LabelSpec] = LABELS,
        history: Sequence[SampleIssue] = (),
        rules: str | None = None,
        install: bool = True,
        **options: Any,
    ) -> Repo:
        """A repository of its own owner, with the App installed on it and its history learned."""
        self._owners += 1
        owner = f"owner{self._owners}"
        full_name = f"{owner}/tracker"
        repository_id = self.sandbox.add_repository(full_name, labels=labels, **options)
        for issue in history:
            seed(self.sandbox, full_name, issue)
        repo = Repo(self, full_name, repository_id)
        if rules is not None:
            self.sandbox.put_file(full_name, RULES_PATH, rules)
        if install:
            repo = replace(repo, installation_id=self.sandbox.install(owner, [full_name]))
            self.settle()
        return repo


def open_test_context(database: Database, sandbox: SandboxServer, encoder: Encoder) -> Context:
    """As `open_context` does, without spacing of writes and with an encoder that is open already."""
    return Context(
        database=database,
        auth=AppAuth(sandbox.app_id, sandbox.private_key, api_url=sandbox.url),
        encoders=EncoderCache(encoder),
        heads=HeadCache(),
        settling_days=7.0,
        write_interval=0.0,
    )
