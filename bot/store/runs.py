"""Runs: who fits which, until when; what became of it. A lease that runs out gives its run back.

Every change by a fitter names its lease, so that a machine that was thought dead and comes back
cannot spoil the run that another has taken over.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import or_, select, text, update
from sqlalchemy.orm import Session

from bot.errors import UserError
from bot.store.engine import Database
from bot.store.tables import Run

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
"""Fits that may die before the run is given up."""
LEASE = timedelta(minutes=10)
"""Without a heartbeat for so long, whoever fits is taken for dead."""

ALONE = timedelta(hours=1)
"""A run that nobody fits for so long is an alert."""
DIED = "fits died without a word"

DRIVING, JUDGING, BEGINNING = 5_270_001, 5_270_002, 5_270_004
"""Advisory locks."""

Ending = Literal["promoted", "kept", "failed"]


class LeaseLost(UserError):
    """The run is no longer ours: the lease ran out, or the run ended."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to fit a run, until it runs out."""

    run_id: int
    token: str
    directory: Path
    attempt: int


def create(session: Session, *, reason: str, launcher: str, directory: Path, snapshot: str) -> int:
    """A run that waits to be fitted; its id."""
    run = Run(reason=reason, launcher=launcher, directory=str(directory), snapshot=snapshot)
    session.add(run)
    session.flush()
    return run.id


def get(session: Session, run_id: int) -> Run:
    """The run; UserError where there is none."""
    run = session.get(Run, run_id)
    if run is None:
        raise UserError(f"There is no run {run_id}; `labelwright-train runs` lists them.")
    return run


def newest(session: Session, *, limit: int = 20) -> list[Run]:
    return list(session.scalars(select(Run).order_by(Run.id.desc()).limit(limit)))


def finished(session: Session) -> list[Run]:
    """Every run that came to the gate, oldest first: what alpha was spent on. One that failed later,
    when it was to be promoted, is among them."""
    return [run for run in session.scalars(select(Run).order_by(Run.id)) if run.report]


def alone(session: Session) -> list[tuple[Run, datetime]]:
    """Runs that nobody fits, and since when."""
    open_ = session.scalars(select(Run).where(Run.finished_at.is_(None)).order_by(Run.id))
    return [(run, since) for run in open_ if (since := alone_since(run)) is not None]


def unfinished(session: Session, *, launcher: str) -> list[int]:
    """Ids of the runs that have not come to an end, oldest first."""
    wanted = select(Run.id).where(Run.launcher == launcher, Run.finished_at.is_(None))
    return list(session.scalars(wanted.order_by(Run.id)))


@contextmanager
def driving(database: Database, run_id: int) -> Iterator[bool]:
    """Whether the run is ours to bring on, for the time of the block: one process at a time does."""
    with database.alone(DRIVING, run_id) as mine:
        yield mine


@contextmanager
def beginning(database: Database) -> Iterator[bool]:
    """Whether nobody else begins a run, for the time of the block: a snapshot takes minutes."""
    with database.alone(BEGINNING, 0) as mine:
        yield mine


def lock_verdicts(session: Session) -> None:
    """One run at a time is judged, until the transaction ends: else two might be the same try."""
    session.execute(text("SELECT pg_advisory_xact_lock(:key, 0)"), {"key": JUDGING})


def note_verdict(session: Session, run_id: int, report: Mapping[str, Any]) -> None:
    """What the gate said, before anything follows from it. A try that was made stays on record."""
    run = get(session, run_id)
    if report["tried"] or not run.report.get("tried"):
        run.report = dict(report)


def lease(session: Session, *, launcher: str, by: str, run_id: int | None = None) -> Lease | None:
    """The oldest run that waits, or whose fitter went silent; None where there is no work.

    Two that ask at once get two runs. One that has died too often is failed instead.
    """
    now = datetime.now(UTC)
    free = or_(Run.status == "waiting", (Run.status == "leased") & (Run.leased_until < now))
    wanted = select(Run).where(Run.launcher == launcher, free).order_by(Run.id).limit(1)
    if run_id is not None:
        wanted = wanted.where(Run.id == run_id)
    while (run := session.scalar(wanted.with_for_update(skip_locked=True))) is not None:
        if run.attempt < MAX_ATTEMPTS:
            break
        finish(session, run.id, "failed", f"{run.attempt} {DIED}")
        session.flush()
    if run is None:
        return None
    run.outcome = ""
    if run.status == "leased":
        run.outcome = f"{run.leased_by} fell silent in attempt {run.attempt}"
        log.warning("run %d: %s; %s takes over", run.id, run.outcome, by)
    run.status, run.attempt = "leased", run.attempt + 1
    run.lease, run.leased_by, run.leased_until = secrets.token_urlsafe(24), by, now + LEASE
    return Lease(run.id, run.lease, Path(run.directory), run.attempt)


def alone_since(run: Run) -> datetime | None:
    """Since when nobody fits a run that is to be fitted; None where somebody does."""
    since = run.leased_until or run.created_at
    waits = run.status in ("waiting", "leased") and since < datetime.now(UTC)
    return since if waits else None


def look_after(session: Session, run_id: int) -> Run:
    """The run, for whoever waits until a box has fitted it. One whose fits died too often has failed, though
    nobody asks for it any more; one that is left alone is an error in the log, once, and its row says so."""
    run = get(session, run_id)
    session.refresh(run, with_for_update=True)
    if (since := alone_since(run)) is None:
        return run
    told = (
        f"nobody has fitted it since {since:%Y-%m-%d %H:%M} UTC: start `labelwright-train agent` on a GPU "
        "box, or see there why it stopped"
    )
    if run.status == "leased" and run.attempt >= MAX_ATTEMPTS:
        finish(session, run_id, "failed", f"{run.attempt} {DIED}")
        session.refresh(run)
    elif datetime.now(UTC) - since > ALONE and run.outcome != told:
        run.outcome = told
        log.error("run %d: %s", run_id, told)
    return run


def leased(session: Session, run_id: int, token: str) -> Run:
    """The run that this lease holds, locked until the transaction ends.

    Raises:
        LeaseLost: it does not hold it, or not any more.
    """
    held = select(Run).where(Run.id == run_id, Run.lease == token, Run.status == "leased")
    run = session.scalar(held.with_for_update())
    if run is None:
        raise LeaseLost(f"Run {run_id} is not leased to you any more; stop fitting it.")
    return run


def heartbeat(session: Session, run_id: int, token: str, progress: Mapping[str, Any]) -> None:
    """Keep the lease; LeaseLost where it is too late."""
    run = leased(session, run_id, token)
    run.leased_until, run.progress = datetime.now(UTC) + LEASE, dict(progress)


def fitted(session: Session, run_id: int, token: str) -> None:
    """The fit is whole, and lies in the run's directory."""
    run = leased(session, run_id, token)
    run.status, run.lease, run.leased_until = "fitted", None, None


def release(session: Session, run_id: int, token: str) -> None:
    """Whoever fitted it was told to stop: the run waits, and this was no failure."""
    run = leased(session, run_id, token)
    run.status, run.lease, run.leased_until = "waiting", None, datetime.now(UTC)
    run.attempt -= 1


def reopen(session: Session, run_id: int, *, fitted: bool) -> None:
    """A failed run goes on where it failed: what stood in its way may be mended."""
    run = get(session, run_id)
    run.status, run.attempt, run.finished_at = "fitted" if fitted else "waiting", 0, None
    run.leased_until = datetime.now(UTC)


def broke(session: Session, run_id: int, token: str, why: str, *, final: bool = False) -> None:
    """A fit ended badly: another try while there are tries left that may help, an alert in the log
    otherwise."""
    run = leased(session, run_id, token)
    if final or run.attempt >= MAX_ATTEMPTS:
        finish(session, run_id, "failed", why)
        return
    log.warning("run %d, attempt %d: %s; it waits for another", run_id, run.attempt, why)
    run.status, run.lease, run.leased_until = "waiting", None, datetime.now(UTC)
    run.outcome = why.replace("\x00", "")


def finish(session: Session, run_id: int, status: Ending, outcome: str) -> None:
    """How a run ended, with the reason. A failure is an error in the log as well as a row; a run that
    has ended already stays as it is."""
    outcome = outcome.replace("\x00", "")  # the end of a log may hold some, PostgreSQL takes none
    ended = (
        update(Run)
        .where(Run.id == run_id, Run.finished_at.is_(None))
        .values(status=status, outcome=outcome, lease=None, leased_until=None)
        .values(finished_at=datetime.now(UTC))
        .returning(Run.directory)
    )
    directory = session.scalar(ended)
    if directory is None:
        return
    if status == "failed":
        log.error(
            "run %d failed: %s\nIts recipe, its log and what it fitted lie in %s; `labelwright-train run --resume %d` "
            "goes on there once that is mended.",
            run_id,
            outcome,
            directory,
            run_id,
        )
    else:
        log.info("run %d %s: %s", run_id, status, outcome)
