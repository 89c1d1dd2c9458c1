"""One retraining: snapshot, fit, export, evaluate, gate, promote. Each step leaves files; a run that was
stopped goes on after the last whole one.

A failure is a row with its reason, an error in the log, and nothing that serves has changed.
"""

from __future__ import annotations

import json
import logging
import shutil
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.exc import OperationalError

from bot.classify.bundle import Backend, read_bundle
from bot.errors import GiveUp, LabelwrightError, UserError
from bot.store import runs
from bot.store.engine import Database
from training.evidence import used_up
from training.export import export_once
from training.fit.output import TWIN
from training.judge.card import model_card, spent_on
from training.judge.enough import too_little
from training.judge.evaluate import evaluate
from training.judge.gate import USUAL, Terms, judge, past_run, record
from training.judge.report import write_report
from training.launch import FitFailed, Launcher, OnProgress, Work
from training.leftovers import clear_begun, clear_run
from training.recipe import Recipe
from training.recipe_file import read_recipe, recipe_text
from training.snapshot.cut import CutSettings, cut_store
from training.snapshot.read import read_snapshot

log = logging.getLogger(__name__)

Promote = Callable[[Path, int], str]
"""Called with the bundle that won and the id of the run; what it says is the run's outcome."""


class Elsewhere(UserError):
    """Another process brings the run on; it is not ours to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """What runs live in."""

    database: Database
    directory: Path
    """Of all runs: each gets a folder of its own."""
    champion: Callable[[], Path]
    """Where the bundle is that serves now."""
    settling: timedelta
    launcher: str
    launch: Callable[[int], Launcher]
    """The launcher for a run."""
    promote: Promote
    backend: Backend = "int8"
    threads: int = 1
    terms: Terms = USUAL


def begin(house: House, *, recipe: Recipe, reason: str) -> int:
    """Cut the snapshot and put the run on record; its id. A snapshot that could not judge what is fitted on
    it ends the run here, before anything is spent.

    Raises:
        UserError: there is nothing to learn from.
    """
    directory = house.directory / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    directory.mkdir(parents=True)
    work = Work(directory)
    try:
        work.recipe.write_text(recipe_text(recipe), encoding="utf-8")
        with house.database.session() as session:
            snapshot = cut_store(
                session,
                work.snapshot,
                settling=house.settling,
                settings=CutSettings(used=used_up(runs.finished(session), recipe)),
            )
            run_id = runs.create(
                session,
                reason=reason,
                launcher=house.launcher,
                directory=directory,
                snapshot=snapshot.id,
            )
            if why := too_little(snapshot, house.terms, held_back=recipe.held_back):
                told = f"The champion stays, and nothing was fitted: {why}"
                runs.finish(session, run_id, "kept", told)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    clear_begun(house.directory)
    return run_id


def go_on(house: House, run_id: int, *, on_progress: OnProgress) -> str:
    """Bring a run to its end from wherever it is; the outcome in words. One that failed goes on where
    it failed.

    Raises:
        Elsewhere: another process brings it on, or has taken it over; nothing was changed.
        LabelwrightError: it failed, and its row says why.
    """
    with runs.driving(house.database, run_id) as mine:
        if not mine:
            raise Elsewhere(f"Run {run_id} is under way in another process.")
        return _go_on(house, run_id, on_progress)


def retrain(house: House, *, recipe: Recipe, reason: str, on_progress: OnProgress) -> str:
    """A run from its beginning to its end, unless one has not come to its end yet: then that one, for two
    at once would judge by the same issues."""
    if told := resume(house, on_progress=on_progress):
        return told
    with runs.beginning(house.database) as alone:
        if not alone or _left(house):
            return "nothing new was begun: another process begins a run just now"
        run_id = begin(house, recipe=recipe, reason=reason)
    return go_on(house, run_id, on_progress=on_progress)


def resume(house: House, *, on_progress: OnProgress) -> str:
    """Bring the oldest run to its end that a stop or a crash left behind; "" where there is none."""
    left = _left(house)
    if not left:
        return ""
    try:
        return go_on(house, left[0], on_progress=on_progress)
    except Elsewhere as error:
        return f"nothing new was begun: {error}"


def _left(house: House) -> list[int]:
    with house.database.session() as session:
        return runs.unfinished(session, launcher=house.launcher)


def _go_on(house: House, run_id: int, on_progress: OnProgress) -> str:
    with house.database.session() as session:
        row = runs.get(session, run_id)
        if row.status in ("promoted", "kept"):
            return row.outcome
        if row.launcher != house.launcher:
            raise UserError(f"Run {run_id} goes on with --launcher {row.launcher}.")
        work = Work(Path(row.directory))
        if row.status == "failed":
            runs.reopen(session, run_id, fitted=work.whole())
        clear_run(work.directory, fitted=row.status == "fitted")
    try:
        _fit(house, run_id, work, on_progress)
        clear_run(work.directory, fitted=True)
        return _decide(house, run_id, work, on_progress)
    except (Elsewhere, runs.LeaseLost):
        raise
    except LabelwrightError as error:
        _failed(house, run_id, str(error))
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {error}" if isinstance(error, OSError) else ""
        why = f"a fault that nobody foresaw: {told or type(error).__name__}"
        log.exception("run %d", run_id)
        _failed(house, run_id, why)
        raise GiveUp(f"Run {run_id} failed, {why}; `run --resume {run_id}` goes on.") from error


def _failed(house: House, run_id: int, why: str) -> None:
    with house.database.session() as session:
        runs.finish(session, run_id, "failed", why)


def _fit(house: House, run_id: int, work: Work, on_progress: OnProgress) -> None:
    """A box that pulls leases the run itself; for all others it is leased here."""
    launcher = house.launch(run_id)
    if house.launcher == "agent":
        launcher.fit(work, on_progress=on_progress)
        return
    lease = _lease(house, run_id)
    if lease is None:
        return

    def alive(told: Mapping[str, Any]) -> None:
        on_progress(told)
        try:
            with house.database.session() as session:
                runs.heartbeat(session, run_id, lease.token, told)
        except OperationalError:
            log.warning("run %d: the database is out of reach, the fit goes on", run_id)

    try:
        launcher.fit(work, on_progress=_now_and_then(alive))
    except (KeyboardInterrupt, SystemExit):
        with house.database.session() as session, suppress(runs.LeaseLost):
            runs.release(session, run_id, lease.token)
        raise
    with house.database.session() as session:
        runs.fitted(session, run_id, lease.token)


def _lease(house: House, run_id: int) -> runs.Lease | None:
    """The right to fit; None where it is fitted already."""
    with house.database.session() as session:
        if runs.get(session, run_id).status == "fitted":
            return None
        mine = runs.lease(session, launcher=house.launcher, by=socket.gethostname(), run_id=run_id)
        if mine is not None:
            return mine
        row = runs.get(session, run_id)
        session.refresh(row)
    if row.status == "failed":
        raise FitFailed(row.outcome)
    raise Elsewhere(
        f"Run {run_id} is being fitted by another process ({row.leased_by}). If that died, it can go on "
        f"{runs.LEASE.total_seconds() / 60:.0f} minutes after its last sign of life."
    )


def _decide(house: House, run_id: int, work: Work, on_progress: OnProgress) -> str:
    bundle = work.directory / "bundle"
    snapshot = read_snapshot(work.snapshot)
    on_progress({"step": "export"})
    done = export_once(work.out, bundle, snapshot=snapshot.id)
    twin = work.directory / "twin-bundle" if (work.out / TWIN).is_dir() else None
    if twin:
        export_once(work.out / TWIN, twin, snapshot=snapshot.id)
    if told := _served_already(house, run_id, bundle):
        return told
    on_progress({"step": "evaluate"})
    evaluation = evaluate(
        snapshot, house.champion(), bundle, twin=twin, backend=house.backend, threads=house.threads
    )
    case = evaluation.case(str(run_id))
    with house.database.session() as session:
        runs.lock_verdicts(session)
        verdict = judge(
            case, [past_run(row.report) for row in runs.finished(session)], terms=house.terms
        )
        # On record before anything follows from it: what was tried is spent, whatever fails now.
        runs.note_verdict(session, run_id, record(case, verdict))
    card = model_card(
        evaluation,
        verdict,
        read_bundle(bundle).manifest,
        recipe=json.loads(recipe_text(read_recipe(work.recipe))),
        spent=spent_on(done, cpu_seconds=evaluation.cpu_seconds),
    )
    write_report(work.directory / "report", evaluation, case, verdict, card=card)
    outcome = " ".join(verdict.reasons)
    if verdict.promote:
        _check_champion(house, case.champion, bundle)
        outcome = f"{outcome} {house.promote(bundle, run_id)}"
    with house.database.session() as session:
        runs.finish(session, run_id, "promoted" if verdict.promote else "kept", outcome)
    return outcome


def _served_already(house: House, run_id: int, bundle: Path) -> str:
    """How a run ends that was stopped after its promotion; "" where it was not. Nothing is held against itself."""
    ids = {read_bundle(one, files=()).manifest.bundle_id for one in (bundle, house.champion())}
    with house.database.session() as session:
        report = runs.get(session, run_id).report
        if len(ids) > 1 or not report.get("promoted"):
            return ""
        outcome = f"{' '.join(report['reasons'])} It serves already."
        runs.finish(session, run_id, "promoted", outcome)
    return outcome


def _check_champion(house: House, champion: str, bundle: Path) -> None:
    """An evaluation takes its time, and only what lost it may be replaced for it."""
    if (serves := read_bundle(house.champion(), files=()).manifest.bundle_id) != champion:
        raise GiveUp(
            f"it won against {champion}, but {serves} came to serve meanwhile. The next run is held against that; "
            f"on your word alone `labelwright models promote {bundle}` lets this one take over."
        )


def _now_and_then(tell: OnProgress, *, every: timedelta = timedelta(seconds=10)) -> OnProgress:
    """`tell`, but not at every half second that a launcher looks."""
    last = datetime.min.replace(tzinfo=UTC)

    def told(progress: Mapping[str, Any]) -> None:
        nonlocal last
        if datetime.now(UTC) - last >= every:
            last = datetime.now(UTC)
            tell(progress)

    return told
