"""One retraining: snapshot, fit, export, evaluate, gate, promote. Each step leaves files; a run that was
stopped goes on after the last whole one.

A failure is a row with its reason, an error in the log, and nothing that serves has changed.
"""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.classify.bundle import Backend, read_bundle
from bot.errors import LabelwrightError, UserError
from bot.store import runs
from bot.store.engine import Database
from training.card import model_card, spent_on
from training.cut import CutSettings, cut_store, seen_until
from training.evaluate import evaluate
from training.export import export_bundle
from training.gate import judge, past_run
from training.launch import Launcher, OnProgress, Work
from training.recipe import Recipe
from training.recipe_file import read_recipe, recipe_text
from training.report import write_report
from training.snapshot import read_snapshot

log = logging.getLogger(__name__)

Promote = Callable[[Path, int], str]
"""Called with the bundle that won and the id of the run; what it says is the run's outcome."""


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


def begin(house: House, *, recipe: Recipe, reason: str) -> int:
    """Cut the snapshot and put the run on record; its id.

    Raises:
        UserError: there is nothing to learn from.
    """
    directory = house.directory / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    directory.mkdir(parents=True)
    work = Work(directory)
    work.recipe.write_text(recipe_text(recipe), encoding="utf-8")
    with house.database.session() as session:
        seen = [Work(Path(row.directory)).snapshot for row in runs.finished(session)]
        kept = [path for path in seen if (path / "manifest.json").is_file()]
        snapshot = cut_store(
            session,
            work.snapshot,
            settling=house.settling,
            settings=CutSettings(used=seen_until(kept)),
        )
        return runs.create(
            session,
            reason=reason,
            launcher=house.launcher,
            directory=directory,
            snapshot=snapshot.id,
        )


def go_on(house: House, run_id: int, *, on_progress: OnProgress) -> str:
    """Bring a run to its end from wherever it is; the outcome in words.

    Raises:
        LabelwrightError: it failed, and its row says why.
    """
    with house.database.session() as session:
        row = runs.get(session, run_id)
        work, ended = Work(Path(row.directory)), row.finished_at is not None
        if ended:
            return row.outcome
    try:
        _fit(house, run_id, work, on_progress)
        return _decide(house, run_id, work, on_progress)
    except LabelwrightError as error:
        with house.database.session() as session:
            runs.finish(session, run_id, "failed", str(error))
        raise


def _fit(house: House, run_id: int, work: Work, on_progress: OnProgress) -> None:
    """A box that pulls leases the run itself; for all others it is leased here."""
    launcher = house.launch(run_id)
    if house.launcher == "agent":
        launcher.fit(work, on_progress=on_progress)
        return
    with house.database.session() as session:
        if runs.get(session, run_id).status == "fitted":
            return
        mine = runs.lease(session, launcher=house.launcher, by=socket.gethostname(), run_id=run_id)
    if mine is None:
        raise UserError(
            f"Run {run_id} is being fitted by another process; its lease ends "
            f"{runs.LEASE.total_seconds() / 60:.0f} minutes after the last sign of life."
        )

    def alive(told: Mapping[str, Any]) -> None:
        on_progress(told)
        with house.database.session() as session:
            runs.heartbeat(session, run_id, mine.token, told)

    launcher.fit(work, on_progress=_now_and_then(alive))
    with house.database.session() as session:
        runs.fitted(session, run_id, mine.token)


def _decide(house: House, run_id: int, work: Work, on_progress: OnProgress) -> str:
    bundle = work.directory / "bundle"
    on_progress({"step": "export"})
    _export(work, bundle)
    on_progress({"step": "evaluate"})
    snapshot = read_snapshot(work.snapshot)
    evaluation = evaluate(
        snapshot, house.champion(), bundle, backend=house.backend, threads=house.threads
    )
    case = evaluation.case(str(run_id))
    with house.database.session() as session:
        past = [past_run(row.report) for row in runs.finished(session)]
    verdict = judge(case, past)
    done = json.loads((work.out / "done.json").read_text(encoding="utf-8"))
    card = model_card(
        evaluation,
        verdict,
        read_bundle(bundle).manifest,
        recipe=json.loads(recipe_text(read_recipe(work.recipe))),
        spent=spent_on(done, cpu_seconds=evaluation.cpu_seconds),
    )
    write_report(work.directory / "report", evaluation, case, verdict, card=card)
    kept = json.loads((work.directory / "report" / "verdict.json").read_text(encoding="utf-8"))
    outcome = " ".join(verdict.reasons)
    if verdict.promote:
        outcome = f"{outcome} {house.promote(bundle, run_id)}"
    with house.database.session() as session:
        ending: runs.Ending = "promoted" if verdict.promote else "kept"
        runs.finish(session, run_id, ending, outcome, report=kept)
    return outcome


def _export(work: Work, bundle: Path) -> None:
    with suppress(UserError):
        read_bundle(bundle)
        return  # whole already, from before a stop
    done = json.loads((work.out / "done.json").read_text(encoding="utf-8"))
    lineage = {key: str(done[key]) for key in ("recipe", "snapshot") if key in done}
    export_bundle(work.out / "encoder", bundle, lineage=lineage)


def _now_and_then(tell: OnProgress, *, every: timedelta = timedelta(seconds=10)) -> OnProgress:
    """`tell`, but not at every half second that a launcher looks."""
    last = datetime.min.replace(tzinfo=UTC)

    def told(progress: Mapping[str, Any]) -> None:
        nonlocal last
        if datetime.now(UTC) - last >= every:
            last = datetime.now(UTC)
            tell(progress)

    return told
