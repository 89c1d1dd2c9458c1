"""A retraining from the store to its verdict: real steps on a tiny encoder, every ending on record."""

from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from time import sleep
from typing import Any

import pytest
from sqlalchemy import delete
from typer.testing import CliRunner

from bot.classify.build import build_bundle
from bot.classify.bundle import read_bundle
from bot.cli import terminal
from bot.errors import GiveUp, LabelwrightError, UserError
from bot.jobs.schedule import fire_due
from bot.store import issues, runs
from bot.store.engine import Database
from bot.store.tables import Issue, Run
from tests.training.dated import dated_rows
from tests.training.test_cut_store import NOW, an_issue, fill
from tests.training.tiny import tiny_recipe
from training import run as run_module
from training.cli import app
from training.fit import run as fit_run
from training.judge.gate import USUAL, Terms, Verdict
from training.launch import FitFailed, Launcher, OnProgress, Work
from training.recipe import Recipe
from training.recipe_file import read_recipe
from training.run import House, begin, go_on, resume, retrain
from training.schedule import Retraining, Stopping, new_corrections, schedules
from training.snapshot.read import read_snapshot


@dataclass
class Here:
    """The real fit, in this process: torchrun is tested elsewhere."""

    fits: int = 0
    breaks: int = 0

    def fit(self, work: Work, *, on_progress: OnProgress) -> None:
        on_progress({"step": 0})
        if self.breaks:
            self.breaks -= 1
            raise FitFailed("the loss became nan in step 3")
        self.fits += 1
        fit_run.run(
            fit_run.Job(
                recipe=read_recipe(work.recipe),
                snapshot=work.snapshot,
                out=work.out,
                tracker="none",
            )
        )


@dataclass
class Interrupted:
    """Something comes between while it is fitted."""

    meanwhile: Callable[[], None]

    def fit(self, work: Work, *, on_progress: OnProgress) -> None:
        self.meanwhile()
        on_progress({"step": 1})


@dataclass
class Promoted:
    """Remembers what it was asked to promote."""

    asked: list[tuple[Path, int]]

    def __call__(self, bundle: Path, run_id: int) -> str:
        self.asked.append((bundle, run_id))
        return "It is being rolled out."


@pytest.fixture(scope="module")
def champion(tiny_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("champion") / "bundle"
    build_bundle(tiny_weights, out)
    return out


@pytest.fixture
def recipe(tiny_weights: Path) -> Recipe:
    return tiny_recipe(encoder=str(tiny_weights), epochs=1, min_steps=3, held_out_parts=0)


@pytest.fixture
def here() -> Here:
    return Here()


@pytest.fixture
def promoted() -> Promoted:
    return Promoted([])


@pytest.fixture
def house(
    database: Database, tmp_path: Path, champion: Path, here: Here, promoted: Promoted
) -> House:
    with database.session() as session:
        fill(session, count=120)
    return House(
        database=database,
        directory=tmp_path / "runs",
        champion=lambda: champion,
        settling=timedelta(days=7),
        launcher="local",
        launch=lambda run_id: here,
        promote=promoted,
        backend="fp32",
        terms=Terms(least_issues=10, least_positives=5, least_unseen=0),
    )


def row(house: House, run_id: int) -> Run:
    with house.database.session() as session:
        found = runs.get(session, run_id)
        session.expunge(found)
        return found


def _with(house: House, launcher: Launcher) -> House:
    return replace(house, launch=lambda run_id: launcher)


def silent(told: Mapping[str, Any]) -> None:
    """Nobody watches."""


def test_a_run_ends_with_a_verdict_and_all_its_files(
    house: House, recipe: Recipe, here: Here, promoted: Promoted
) -> None:
    run_id = begin(house, recipe=recipe, reason="weekly")
    outcome = go_on(house, run_id, on_progress=silent)
    kept = row(house, run_id)
    assert (kept.status, kept.outcome, kept.reason) == ("kept", outcome, "weekly")
    assert "The champion stays" in outcome
    assert promoted.asked == []
    assert kept.report["snapshot"] == kept.snapshot
    directory = Path(kept.directory)
    assert read_bundle(directory / "bundle").manifest.lineage["snapshot"] == kept.snapshot
    assert (directory / "report" / "report.html").is_file()
    assert (directory / "report" / "model-card.md").is_file()
    assert go_on(house, run_id, on_progress=silent) == outcome
    assert here.fits == 1


def test_too_little_evidence_is_told_before_anything_is_spent(
    house: House, recipe: Recipe, here: Here, caplog: pytest.LogCaptureFixture
) -> None:
    """36 issues evaluate; the gate asks for 200, and would have said so after the fit."""
    told = retrain(replace(house, terms=USUAL), recipe=recipe, reason="weekly", on_progress=silent)
    with house.database.session() as session:
        (kept,) = runs.newest(session)
    assert (kept.status, kept.outcome) == ("kept", told)
    assert told == (
        "The champion stays, and nothing was fitted: 36 evaluation issues with 36 labels set by humans are "
        "too few to tell; 200 and 100 are asked for."
    )
    assert here.fits == 0
    assert "ERROR" not in caplog.text
    with house.database.session() as session:
        assert runs.finished(session) == [], "no try was made, the evidence gathers"


def test_what_terms_bring_is_told_beside_their_supervised_twin(
    house: House, recipe: Recipe
) -> None:
    with house.database.session() as session:
        for number, told in enumerate(dated_rows(15, repo="acme/r70")):
            filed = an_issue(told, github_id=70_000 + number)
            issues.upsert(session, 70, replace(filed, labels=frozenset()), as_filed=True)
    run_id = begin(house, recipe=replace(recipe, terms={"uda": {}}), reason="weekly")
    go_on(house, run_id, on_progress=silent)
    kept = row(house, run_id)
    directory = Path(kept.directory)
    twin = read_bundle(directory / "twin-bundle").manifest
    assert twin.lineage["recipe"] == "tiny-supervised"
    assert f"is {twin.bundle_id}: the terms bring" in (directory / "report/report.md").read_text()


def test_a_run_that_was_stopped_goes_on_after_its_fit(
    house: House, recipe: Recipe, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = begin(house, recipe=recipe, reason="weekly")
    with monkeypatch.context() as power:
        power.setattr(run_module, "evaluate", _stop)
        with pytest.raises(KeyboardInterrupt):
            go_on(house, run_id, on_progress=silent)
    assert row(house, run_id).status == "fitted"
    go_on(house, run_id, on_progress=silent)
    assert (row(house, run_id).status, here.fits) == ("kept", 1)


def _stop(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_what_wins_is_promoted(
    house: House, recipe: Recipe, promoted: Promoted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate has tests of its own; here it says yes."""
    yes = Verdict(True, ("The challenger is promoted: it is better.",), 0.01, tried=True)
    monkeypatch.setattr(run_module, "judge", lambda case, past, terms: yes)
    run_id = begin(house, recipe=recipe, reason="weekly")
    outcome = go_on(house, run_id, on_progress=silent)
    ((bundle, promoted_id),) = promoted.asked
    assert (promoted_id, row(house, run_id).status) == (run_id, "promoted")
    assert read_bundle(bundle).manifest.bundle_id
    assert outcome == "The challenger is promoted: it is better. It is being rolled out."


def test_a_failed_fit_is_a_row_and_an_alert(
    house: House, recipe: Recipe, here: Here, caplog: pytest.LogCaptureFixture
) -> None:
    here.breaks = 1
    run_id = begin(house, recipe=recipe, reason="weekly")
    with caplog.at_level(logging.ERROR), pytest.raises(FitFailed):
        go_on(house, run_id, on_progress=silent)
    failed = row(house, run_id)
    assert (failed.status, failed.outcome) == ("failed", "the loss became nan in step 3")
    assert "the loss became nan" in caplog.text


@pytest.mark.parametrize("what", ["bundle", "snapshot"])
def test_a_spoilt_file_fails_the_run_and_changes_nothing_that_serves(
    house: House,
    recipe: Recipe,
    promoted: Promoted,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    run_id = begin(house, recipe=recipe, reason="weekly")
    directory = Path(row(house, run_id).directory)
    if what == "snapshot":
        (directory / "snapshot" / "issues.parquet").write_bytes(b"PAR1")
    else:
        spoil = _spoiling(house.champion(), directory)
        house = replace(house, champion=lambda: spoil)
    with pytest.raises(LabelwrightError):
        go_on(house, run_id, on_progress=silent)
    assert row(house, run_id).status == "failed"
    assert promoted.asked == []


def _spoiling(champion: Path, directory: Path) -> Path:
    copy = Path(shutil.copytree(champion, directory / "spoilt"))
    (copy / "model.fp32.onnx").write_bytes(b"cut short")
    return copy


def test_two_machines_do_not_fit_the_same_run(house: House, recipe: Recipe) -> None:
    run_id = begin(house, recipe=recipe, reason="weekly")
    with house.database.session() as session:
        assert runs.lease(session, launcher="local", by="another", run_id=run_id)
    with pytest.raises(UserError, match="being fitted by another"):
        go_on(house, run_id, on_progress=silent)
    assert (row(house, run_id).status, row(house, run_id).leased_by) == ("leased", "another")


def test_two_processes_do_not_decide_on_the_same_run(house: House, recipe: Recipe) -> None:
    run_id = begin(house, recipe=recipe, reason="weekly")
    with runs.driving(house.database, run_id), pytest.raises(UserError, match="under way"):
        go_on(house, run_id, on_progress=silent)
    assert row(house, run_id).status == "waiting"
    go_on(house, run_id, on_progress=silent)
    assert row(house, run_id).status == "kept"


def test_a_run_that_another_took_over_is_left_to_it(house: House, recipe: Recipe) -> None:
    run_id = begin(house, recipe=recipe, reason="weekly")

    def meanwhile() -> None:
        with house.database.session() as session:
            runs.get(session, run_id).leased_until = NOW - timedelta(days=9999)
            assert runs.lease(session, launcher="local", by="another", run_id=run_id)

    with pytest.raises(runs.LeaseLost):
        go_on(_with(house, Interrupted(meanwhile)), run_id, on_progress=silent)
    assert (row(house, run_id).status, row(house, run_id).leased_by) == ("leased", "another")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_fit_that_was_stopped_goes_on_at_once(
    house: House, recipe: Recipe, stop: type[BaseException]
) -> None:
    run_id = begin(house, recipe=recipe, reason="weekly")

    def interrupt() -> None:
        raise stop

    for _ in range(runs.MAX_ATTEMPTS + 1):
        with pytest.raises(stop):
            go_on(_with(house, Interrupted(interrupt)), run_id, on_progress=silent)
        assert row(house, run_id).status == "waiting"
    go_on(house, run_id, on_progress=silent)
    assert row(house, run_id).status == "kept"


def test_a_fault_that_nobody_foresaw_is_a_row_and_an_alert(
    house: House, recipe: Recipe, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = begin(house, recipe=recipe, reason="weekly")

    def fill_the_disk() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with caplog.at_level(logging.ERROR), pytest.raises(GiveUp, match="No space left"):
        go_on(_with(house, Interrupted(fill_the_disk)), run_id, on_progress=silent)
    assert row(house, run_id).status == "failed"
    assert "No space left on device" in row(house, run_id).outcome
    assert "No space left on device" in caplog.text
    go_on(house, run_id, on_progress=silent)
    assert row(house, run_id).status == "kept"


def test_a_run_of_another_launcher_is_left_alone(house: House, recipe: Recipe) -> None:
    run_id = begin(replace(house, launcher="agent"), recipe=recipe, reason="weekly")
    with pytest.raises(UserError, match="--launcher agent"):
        go_on(house, run_id, on_progress=silent)
    assert row(house, run_id).status == "waiting"


def test_a_run_that_was_given_up_says_why(house: House, recipe: Recipe) -> None:
    run_id = begin(house, recipe=recipe, reason="weekly")
    with house.database.session() as session:
        runs.get(session, run_id).attempt = runs.MAX_ATTEMPTS
    with pytest.raises(FitFailed, match="3 fits died"):
        go_on(house, run_id, on_progress=silent)


def test_a_fit_of_another_snapshot_is_not_taken(house: House, recipe: Recipe) -> None:
    run_id = begin(house, recipe=recipe, reason="weekly")
    with house.database.session() as session:
        mine = runs.lease(session, launcher="local", by="x", run_id=run_id)
        assert mine is not None
        runs.fitted(session, run_id, mine.token)
    fit = Path(row(house, run_id).directory) / "fit"
    fit.mkdir()
    (fit / "done.json").write_text('{"snapshot": "other"}')
    with pytest.raises(LabelwrightError, match="another snapshot"):
        go_on(house, run_id, on_progress=silent)
    assert row(house, run_id).status == "failed"


def test_what_was_judged_stays_on_record_if_it_cannot_be_promoted(
    house: House, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, promoted: Promoted
) -> None:
    """Else luck could be tried again and again on the same issues."""
    yes = Verdict(True, ("The challenger is promoted: it is better.",), 0.01, tried=True)
    monkeypatch.setattr(run_module, "judge", lambda case, past, terms: yes)

    def busy(bundle: Path, run_id: int) -> str:
        raise UserError("another bundle is taking over")

    run_id = begin(house, recipe=recipe, reason="weekly")
    with pytest.raises(UserError, match="taking over"):
        go_on(replace(house, promote=busy), run_id, on_progress=silent)
    failed = row(house, run_id)
    assert (failed.status, failed.report["tried"], failed.report["alpha"]) == ("failed", True, 0.01)
    with house.database.session() as session:
        assert [one.id for one in runs.finished(session)] == [run_id]
    go_on(house, run_id, on_progress=silent)
    assert row(house, run_id).status == "promoted"
    assert [asked for _, asked in promoted.asked] == [run_id]


def test_a_fit_that_is_whole_is_lent_to_no_box_again(
    house: House, recipe: Recipe, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What failed afterwards goes on after the fit; a box would fit for nothing, and replace what is judged."""

    def judging(*_: object, **__: object) -> None:
        with house.database.session() as session:
            assert runs.lease(session, launcher="agent", by="another") is None
        raise UserError("the disk is full")

    house = replace(house, launcher="agent")
    run_id = begin(house, recipe=recipe, reason="weekly")
    here.fit(Work(Path(row(house, run_id).directory)), on_progress=silent)
    with house.database.session() as session:
        lease = runs.lease(session, launcher="agent", by="box")
        assert lease is not None
        runs.fitted(session, run_id, lease.token)
    monkeypatch.setattr(run_module, "evaluate", judging)
    for _ in range(2):
        with pytest.raises(UserError, match="the disk is full"):
            go_on(house, run_id, on_progress=silent)


@pytest.mark.parametrize(("tried", "again"), [(False, True), (True, False)])
def test_evidence_gathers_until_it_is_tried(
    house: House, recipe: Recipe, monkeypatch: pytest.MonkeyPatch, tried: bool, again: bool
) -> None:
    no = Verdict(False, ("The champion stays: no.",), 0.01, tried=tried)
    monkeypatch.setattr(run_module, "judge", lambda case, past, terms: no)
    windows = []
    for _ in range(2):
        run_id = begin(house, recipe=recipe, reason="weekly")
        snapshot = read_snapshot(Path(row(house, run_id).directory) / "snapshot")
        windows.append(snapshot.repositories[0].facts.window)
        go_on(house, run_id, on_progress=silent)
    assert windows[0] is not None
    assert windows[1] == (windows[0] if again else None)


def test_nothing_to_learn_from_is_said_and_leaves_no_run(
    house: House, recipe: Recipe, database: Database
) -> None:
    with database.session() as session:
        session.execute(delete(Issue))
    with pytest.raises(UserError):
        begin(house, recipe=recipe, reason="weekly")
    with database.session() as session:
        assert runs.newest(session) == []
    assert list(house.directory.iterdir()) == []


def test_what_was_left_behind_goes_on_before_anything_new(house: House, recipe: Recipe) -> None:
    left = begin(house, recipe=recipe, reason="weekly")
    with runs.driving(house.database, left):
        said = retrain(house, recipe=recipe, reason="corrections", on_progress=silent)
    assert "under way in another process" in said
    assert row(house, left).status == "waiting"
    outcome = retrain(house, recipe=recipe, reason="corrections", on_progress=silent)
    assert (row(house, left).status, row(house, left).outcome) == ("kept", outcome)
    with house.database.session() as session:
        assert [one.id for one in runs.newest(session)] == [left]
    assert resume(house, on_progress=silent) == ""


def test_a_scheduler_that_ends_waits_for_the_fit_that_it_stops() -> None:
    stopping, begun, ended = Stopping(), Event(), Event()

    def fit() -> None:
        with stopping.working():
            begun.set()
            try:
                while True:
                    stopping.check({})
                    sleep(0.005)
            except SystemExit:
                ended.set()

    thread = Thread(target=fit)
    with stopping.in_the_end():
        thread.start()
        assert begun.wait(10)
    assert ended.is_set()
    thread.join()


def test_due_times_retrain_and_corrections_have_to_be_enough(
    house: House, database: Database
) -> None:
    began: list[str] = []

    def due(reason: str) -> str:
        began.append(reason)
        return "done"

    left, clock, corrected = schedules("23 4 * * 0", after=5)
    retraining = Retraining(database, due, lambda: "run 7 is kept", 5)
    monday = NOW + timedelta(days=7)
    assert fire_due(retraining, clock, now=monday, started=NOW)
    assert not fire_due(retraining, clock, now=monday, started=NOW)
    assert began == ["by the clock"]
    assert new_corrections(database) == 0
    assert fire_due(retraining, corrected, now=monday, started=NOW)
    assert began == ["by the clock"]
    assert left.run(retraining) == "run 7 is kept"
    assert [one.name for one in schedules("23 4 * * 0", after=0)] == ["retrain-resume", "retrain"]
    with pytest.raises(UserError, match="'weekly' is no cron line"):
        schedules("weekly", after=0)


def test_the_end_of_a_log_is_listed_as_it_is(
    house: House, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hold what looks like a style."""
    run_id = begin(house, recipe=recipe, reason="weekly")
    with house.database.session() as session:
        runs.finish(session, run_id, "failed", "[rank0]: see [/x]")
    monkeypatch.setattr(terminal, "start", lambda: None)
    monkeypatch.setattr(terminal, "open_store", lambda _: nullcontext(house.database))
    told = CliRunner().invoke(app, ["runs"], env={"COLUMNS": "200"})
    assert told.exit_code == 0
    assert "[rank0]: see [/x]" in told.output
