"""The whole product in one process, every part real: GitHub is the sandbox, on loopback.

Nothing here waits by the clock: what is waited for is a condition, and jobs that wait for a time to
come are made due.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import uvicorn
from sqlalchemy import select, text

from bot.classify.encoder import Encoder
from bot.classify.registry import HeadCache
from bot.core.types import LabelEvent, LabelSpec
from bot.github.app import AppAuth
from bot.jobs import queue
from bot.jobs.context import Context
from bot.jobs.tasks import TASKS
from bot.jobs.worker import Timing, run_worker
from bot.sandbox.exchanges import Exchange
from bot.sandbox.faults import Fault
from bot.sandbox.sample import SampleIssue, load_sample
from bot.sandbox.server import SandboxServer
from bot.store import decisions, effects, issues, label_events, repositories
from bot.store.engine import Database
from bot.store.tables import Decision, Delivery, Effect, Repository
from bot.web.app import create_app

PATIENCE = 30.0
US = "labelwright[bot]"
RULES_PATH = ".github/labelwright.yml"
LABELS = (
    LabelSpec("bug", "Something does not work as it should"),
    LabelSpec("feature", "A wish for something it cannot do yet"),
    LabelSpec("question", "Someone asks how to do something"),
)
EAGER = "labels:\n  bug: {threshold: 0.01}\n"
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


@dataclass(frozen=True)
class Repo:
    """One repository: what people do there, and what is known of it here."""

    stack: Stack
    full_name: str
    id: int
    installation_id: int = 0

    @property
    def owner(self) -> str:
        return self.full_name.partition("/")[0]

    # -- what people do -------------------------------------------------------------------------------

    def open(
        self, title: str = "It crashes", body: str = "A trace.", *, settle: bool = True, **more: Any
    ) -> int:
        number = self.stack.sandbox.open_issue(self.full_name, title=title, body=body, **more)
        if settle:
            self.stack.settle()
        return number

    def label(self, number: int, name: str, actor: str = "maintainer") -> None:
        self.stack.sandbox.label(self.full_name, number, name, actor)
        self.stack.settle()

    def unlabel(self, number: int, name: str, actor: str = "maintainer") -> None:
        self.stack.sandbox.unlabel(self.full_name, number, name, actor)
        self.stack.settle()

    def write_rules(self, rules: str | None) -> None:
        self.stack.sandbox.put_file(self.full_name, RULES_PATH, rules)
        self.stack.settle()

    # -- how it stands on GitHub ----------------------------------------------------------------------

    def labels(self, number: int) -> dict[str, str]:
        """Label -> who set it."""
        return self.stack.sandbox.issue_labels(self.full_name, number)

    def defined(self) -> set[str]:
        return set(self.stack.sandbox.labels(self.full_name))

    def asked(self, method: str, path: str = "") -> list[Exchange]:
        """What we asked of GitHub here, oldest first; `path` is its end."""
        here = (f"/repos/{self.full_name}/", f"/repositories/{self.id}/")
        return [
            one
            for one in self.stack.sandbox.requests
            if one.method == method and one.path.startswith(here) and one.path.endswith(path)
        ]

    def writes(self) -> list[tuple[str, str]]:
        """Everything of ours that changed something here."""
        found = (one for method in ("POST", "PUT", "PATCH", "DELETE") for one in self.asked(method))
        return [(one.method, one.path) for one in found]

    def our_events(self, number: int) -> list[tuple[str, str]]:
        """(labeled or unlabeled, label) by us, in order."""
        rows: Any = self.stack.sandbox.events(self.full_name, number)
        return [
            (row["event"], row["label"]["name"])
            for row in rows
            if row["event"] in ("labeled", "unlabeled") and row["actor"]["login"] == US
        ]

    # -- what the store knows -------------------------------------------------------------------------

    def row(self) -> Repository:
        with self.stack.database.session() as session:
            found = repositories.get(session, self.id)
            assert found is not None, f"{self.full_name} is not in the store"
            return found

    def issue_id(self, number: int) -> int:
        with self.stack.database.session() as session:
            return issues.ids_by_number(session, self.id)[number]

    def decisions(self, number: int) -> list[Decision]:
        with self.stack.database.session() as session:
            return decisions.of_issue(session, self.issue_id(number))

    def decided(self, number: int) -> dict[str, Decision]:
        """The latest decision on each label."""
        return {decision.label: decision for decision in self.decisions(number)}

    def effects(self, number: int) -> list[Effect]:
        with self.stack.database.session() as session:
            return effects.of_issue(session, self.issue_id(number))

    def label_events(self, number: int) -> list[LabelEvent]:
        with self.stack.database.session() as session:
            return label_events.of_issue(session, self.issue_id(number))

    def deliveries(self, event: str, action: str) -> list[Delivery]:
        """Stored deliveries of this repository, oldest first."""
        with self.stack.database.session() as session:
            found = select(Delivery).where(Delivery.event == event, Delivery.action == action)
            rows = session.scalars(found.order_by(Delivery.id)).all()
        return [row for row in rows if f'"{self.full_name}"'.encode() in row.body]


def seed(sandbox: SandboxServer, full_name: str, issue: SampleIssue, **more: Any) -> int:
    """An issue of the past; `more` overrules what the sample says of it."""
    told: Mapping[str, Any] = {
        "title": issue.title,
        "body": issue.body,
        "labels": issue.labels,
        "created_at": issue.created_at,
        "closed_at": issue.closed_at,
        "author": issue.author,
        "association": issue.author_association,
        **more,
    }
    return sandbox.seed_issue(full_name, **told)


def sample_issues(count: int) -> list[SampleIssue]:
    """The oldest issues of the sample that are not pull requests."""
    return [issue for issue in load_sample().issues if not issue.is_pr][:count]


def plain_history(count: int, *, label: str = "bug") -> list[SampleIssue]:
    """Issues a year old, an hour apart, each with one label."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=365)
    return [
        SampleIssue(
            number=n,
            title=f"Crash number {n}",
            body=f"It stops with code {n} when I save.",
            labels=(label,),
            created_at=start + timedelta(hours=n),
            closed_at=None,
            author="reporter",
            author_association="NONE",
        )
        for n in range(1, count + 1)
    ]


def open_test_context(database: Database, sandbox: SandboxServer, encoder: Encoder) -> Context:
    """As `open_context` does, without spacing of writes and with an encoder that is open already."""
    return Context(
        database=database,
        auth=AppAuth(sandbox.app_id, sandbox.private_key, api_url=sandbox.url),
        encoder=encoder,
        heads=HeadCache(),
        settling_days=7.0,
        write_interval=0.0,
    )
