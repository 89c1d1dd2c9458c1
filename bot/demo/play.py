"""Plays scenarios on the running stack: seed, install, learn, let issues arrive, watch, sum up."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bot.classify.build import build_bundle
from bot.classify.bundle import MANIFEST
from bot.classify.expectation import Expectation
from bot.classify.weights import find_base_weights
from bot.core.families import infer_exclusive
from bot.core.rules import Rules, learnable
from bot.demo.lesson import teach
from bot.demo.scenario import Scenario
from bot.demo.stack import Stack, running_stack
from bot.demo.summary import (
    Labelled,
    RepositoryResult,
    Summary,
    label_table,
    latency_line,
    lesson_line,
    summary_table,
)
from bot.errors import UserError
from bot.github.repository_events import RULES_PATH
from bot.issues_file import FiledIssue
from bot.settings import Settings
from bot.store import heads, installations, journal, repositories

IN_FLIGHT = 4
"""Issues on their way at once; more would measure the queue, not the work."""
SPACED_ARRIVALS = 8
"""The last arrivals of a run come under GitHub's own pace of writes."""
GITHUB_PACE = 1.0
"""Seconds between two writes to one installation that GitHub asks for."""
ROWS_SHOWN = 16
TALKATIVE = "silent_share: 0\n"
"""The truth of every arrival is at hand here: keeping silent would tell nothing and lower coverage."""
POLL = 0.05
PATIENCE = 90.0
"""Seconds without any progress after which a run has failed."""


def play_all(
    scenarios: Sequence[Scenario],
    settings: Settings,
    console: Console,
    *,
    corrected: bool = False,
    stay: bool = False,
) -> Summary:
    """Play every scenario, one after the other, and print what happened. `corrected`: afterwards a
    maintainer corrects a label of the first."""
    bundle = ensure_bundle(settings, console)
    with running_stack(bundle=bundle) as stack:
        console.print(
            f"A sandbox GitHub, the receiver, a worker and PostgreSQL run on this machine; "
            f"logs in {stack.logs}; silent share 0, so that every arrival counts",
            highlight=False,
        )
        results = tuple(play(stack, scenario, console) for scenario in scenarios)
        lesson = teach(stack, scenarios[0], results[0], console) if corrected else None
        summary = Summary(results, lesson)
        for result in summary.results:
            console.print(label_table(result))
        console.print(summary_table(summary))
        console.print(latency_line(summary), highlight=False)
        if lesson:
            console.print(escape(lesson_line(lesson)), highlight=False)
        if stay:
            _stay(stack, console)
    return summary


def ensure_bundle(settings: Settings, console: Console) -> Path:
    """The bundle of the settings; built when there is none yet."""
    if not (settings.bundle_dir / MANIFEST).exists():
        with console.status("Building the encoder's bundle, once"):
            build_bundle(find_base_weights(), settings.bundle_dir)
    return settings.bundle_dir


def play(stack: Stack, scenario: Scenario, console: Console) -> RepositoryResult:
    """One scenario on a running stack."""
    repository_id = _seed(stack, scenario)
    owner = scenario.full_name.partition("/")[0]
    installation_id = stack.sandbox.install(owner, [scenario.full_name])
    _wait_learned(stack, repository_id, scenario, console)
    with stack.database.session() as session:
        before = journal.last_delivery(session)
    run = _Run(stack, scenario, repository_id=repository_id, before=before)
    free, spaced = scenario.arrivals[:-SPACED_ARRIVALS], scenario.arrivals[-SPACED_ARRIVALS:]
    with Live(console=console, refresh_per_second=2, get_renderable=lambda: _live_table(run)):
        for batch, pace in ((free, 0.0), (spaced, GITHUB_PACE)):
            with stack.database.session() as session:
                installations.set_write_interval(session, installation_id, pace)
            _send(run, batch, spaced=pace > 0)
    return _result(run)


@dataclass
class _Run:
    """The arrivals of one scenario so far: numbers in order, and which came under GitHub's pace."""

    stack: Stack
    scenario: Scenario
    repository_id: int
    before: int
    numbers: list[int] = field(default_factory=list)
    spaced: set[int] = field(default_factory=set)

    def entries(self) -> dict[int, list[journal.Entry]]:
        with self.stack.database.session() as session:
            found = journal.entries(session, self.repository_id, after=self.before)
        grouped: dict[int, list[journal.Entry]] = {}
        for entry in found:
            grouped.setdefault(entry.number, []).append(entry)
        return grouped

    def waiting(self) -> int:
        with self.stack.database.session() as session:
            return journal.open_deliveries(session, after=self.before)


def _seed(stack: Stack, scenario: Scenario) -> int:
    repository_id = stack.sandbox.add_repository(scenario.full_name, labels=scenario.labels)
    stack.sandbox.put_file(scenario.full_name, RULES_PATH, TALKATIVE)
    for issue in scenario.history:
        stack.sandbox.seed_issue(
            scenario.full_name,
            title=issue.title,
            body=issue.body,
            labels=issue.labels,
            created_at=issue.created_at or datetime.now(UTC),
            closed_at=issue.closed_at,
            author=issue.author,
            association=issue.association,
        )
    return repository_id


def _wait_learned(stack: Stack, repository_id: int, scenario: Scenario, console: Console) -> None:
    """Show how the history is read and learned until a head serves."""
    total = len(scenario.history)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"Learning {scenario.full_name}", total=total)
        patience = _Patience(stack)
        while True:
            with stack.database.session() as session:
                row = repositories.get(session, repository_id)
                done = journal.embedded(session, repository_id)
                ready = row is not None and row.head_id is not None
            progress.update(task, completed=done)
            if ready:
                progress.update(task, completed=total)
                return
            patience.check(done)
            time.sleep(0.2)


def _send(run: _Run, batch: Sequence[FiledIssue], *, spaced: bool) -> None:
    """Let issues arrive, a few in flight at once, and wait until each has been dealt with."""
    patience = _Patience(run.stack)
    for position in range(len(batch) + 1):
        last = position == len(batch)
        while (waiting := run.waiting()) >= (1 if last else IN_FLIGHT):
            patience.check((position, waiting))
            time.sleep(POLL)
        if not last:
            issue = batch[position]
            number = run.stack.sandbox.open_issue(
                run.scenario.full_name,
                title=issue.title,
                body=issue.body,
                author=issue.author,
                association=issue.association,
            )
            run.numbers.append(number)
            if spaced:
                run.spaced.add(number)


class _Patience:
    """Gives up when nothing moves for long, with what the processes said last."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._seen: object = None
        self._since = time.monotonic()

    def check(self, progress: object) -> None:
        if progress != self._seen:
            self._seen, self._since = progress, time.monotonic()
        elif time.monotonic() - self._since > PATIENCE:
            raise UserError(f"nothing moved for {PATIENCE:.0f} s:\n{self._stack.tails()}")


def _result(run: _Run) -> RepositoryResult:
    with run.stack.database.session() as session:
        head = heads.active(session, run.repository_id)
        failed = journal.failures(session, after=run.before)
    if failed:
        raise UserError(f"{len(failed)} deliveries failed, the first: {failed[0]}")
    expected = Expectation.from_dict(head.expectation if head else {})
    names = tuple(spec.name for spec in run.scenario.labels if learnable(spec.name, Rules()))
    found = run.entries()
    return RepositoryResult(
        full_name=run.scenario.full_name,
        promised=expected.target,
        labels=names,
        exclusive=infer_exclusive([set(i.labels) for i in run.scenario.history], names),
        expected=expected,
        arrivals=tuple(
            _labelled(number, issue, found.get(number, []), spaced=number in run.spaced)
            for number, issue in zip(run.numbers, run.scenario.arrivals, strict=True)
        ),
    )


def _labelled(
    number: int, issue: FiledIssue, found: Sequence[journal.Entry], *, spaced: bool
) -> Labelled:
    done = [entry for entry in found if entry.action == "apply" and entry.done_at is not None]
    return Labelled(
        number=number,
        title=issue.title,
        truth=frozenset(issue.labels),
        applied={entry.label: entry.probability for entry in done if entry.status == "done"},
        suggested=tuple(entry.label for entry in found if entry.action == "suggest"),
        seconds=max(
            ((e.done_at - e.received_at).total_seconds() for e in done if e.done_at), default=None
        ),
        spaced=spaced,
    )


def _live_table(run: _Run) -> Table:
    """The newest arrivals, what they got, how sure it was, how long it took."""
    found = run.entries()
    table = Table(
        title=f"{run.scenario.full_name}: issue {len(run.numbers)} of {len(run.scenario.arrivals)}"
    )
    for column in ("#", "issue", "labels (confidence)", "suggested", "delivery to label"):
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    arrived = list(zip(run.numbers, run.scenario.arrivals, strict=False))
    for number, issue in arrived[-ROWS_SHOWN:]:
        row = _labelled(number, issue, found.get(number, []), spaced=False)
        table.add_row(
            str(number),
            escape(issue.title[:60]),
            escape(", ".join(f"{name} ({p:.2f})" for name, p in row.applied.items())),
            escape(", ".join(row.suggested)),
            "" if row.seconds is None else f"{row.seconds:.2f} s",
        )
    return table


def _stay(stack: Stack, console: Console) -> None:
    console.print(
        f"Receiver: {stack.receiver_url}   GitHub: {stack.sandbox.url}   Ctrl-C stops it."
    )
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        return
