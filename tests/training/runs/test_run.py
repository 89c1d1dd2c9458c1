"""A retraining from the store to its verdict: real steps on a tiny encoder, every ending on record."""

from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from typer.testing import CliRunner

from bot.classify.build import build_bundle
from bot.classify.bundle import read_bundle
from bot.cli import terminal
from bot.errors import GiveUp, LabelwrightError, UserError
from bot.store import issues, runs
from bot.store.engine import Database
from bot.store.tables import Issue
from tests.training.dated import dated_rows
from tests.training.runs.houses import Here, Interrupted, Promoted, fitted_by, row, silent
from tests.training.test_cut_store import an_issue
from training import run as run_module
from training.cli import app
from training.judge.gate import USUAL, Verdict
from training.launch import FitFailed
from training.recipe import Recipe
from training.run import House, begin, go_on, retrain
from training.snapshot.read import read_snapshot


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


def test_what_it_was_not_held_against_stays(
    house: House,
    recipe: Recipe,
    promoted: Promoted,
    tiny_weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody promoted another by hand while it was evaluated."""
    other = build_bundle(tiny_weights, tmp_path / "other", max_tokens=9).manifest.bundle_id
    serves = iter([house.champion()] * 2)
    house = replace(house, champion=lambda: next(serves, tmp_path / "other"))
    yes = Verdict(True, ("The challenger is promoted: it is better.",), 0.01, tried=True)
    monkeypatch.setattr(run_module, "judge", lambda case, past, terms: yes)
    run_id = begin(house, recipe=recipe, reason="weekly")
    with pytest.raises(GiveUp, match=f"{other} came to serve meanwhile"):
        go_on(house, run_id, on_progress=silent)
    assert (row(house, run_id).status, promoted.asked) == ("failed", [])


STEPS = (
    (run_module, "clear_run"),
    (run_module, "export_once"),
    (run_module, "evaluate"),
    (runs, "note_verdict"),
    (run_module, "write_report"),
    (runs, "finish"),
)


def test_a_run_that_is_killed_after_any_step_goes_on(
    house: House,
    recipe: Recipe,
    here: Here,
    promoted: Promoted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    yes = Verdict(True, ("The challenger is promoted: it is better.",), 0.01, tried=True)
    monkeypatch.setattr(run_module, "judge", lambda case, past, terms: yes)
    run_id = begin(house, recipe=recipe, reason="weekly")
    for module, step in STEPS:
        done = getattr(module, step)

        def dying(*given: Any, done: Callable[..., Any] = done, **more: Any) -> None:
            done(*given, **more)
            raise KeyboardInterrupt

        with monkeypatch.context() as power:
            power.setattr(module, step, dying)
            with pytest.raises(KeyboardInterrupt):
                go_on(house, run_id, on_progress=silent)
    go_on(house, run_id, on_progress=silent)
    assert (row(house, run_id).status, here.fits) == ("promoted", 1)
    assert {asked for _, asked in promoted.asked} == {run_id}
    with house.database.session() as session:
        assert [one.id for one in runs.finished(session)] == [run_id]


def test_a_run_that_was_killed_when_its_bundle_served_already_was_promoted(
    house: House, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers moved every repository before it went on: it cannot be held against itself."""
    yes = Verdict(True, ("The challenger is promoted: it is better.",), 0.01, tried=True)
    serves = [house.champion()]

    def dying(bundle: Path, run_id: int) -> str:
        serves[0] = bundle
        raise KeyboardInterrupt

    house = replace(house, champion=lambda: serves[0], promote=dying)
    run_id = begin(house, recipe=recipe, reason="weekly")
    with monkeypatch.context() as won:
        won.setattr(run_module, "judge", lambda case, past, terms: yes)
        with pytest.raises(KeyboardInterrupt):
            go_on(house, run_id, on_progress=silent)
    told = "The challenger is promoted: it is better. It serves already."
    assert go_on(house, run_id, on_progress=silent) == told
    assert (row(house, run_id).status, row(house, run_id).outcome) == ("promoted", told)


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
    assert (
        f"what it fitted lie in {failed.directory}; `labelwright-train run --resume {run_id}`"
        in caplog.text
    )


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


def test_a_fault_that_nobody_foresaw_is_a_row_and_an_alert(
    house: House, recipe: Recipe, caplog: pytest.LogCaptureFixture
) -> None:
    run_id = begin(house, recipe=recipe, reason="weekly")

    def fill_the_disk() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with caplog.at_level(logging.ERROR), pytest.raises(GiveUp, match="No space left"):
        go_on(fitted_by(house, Interrupted(fill_the_disk)), run_id, on_progress=silent)
    assert row(house, run_id).status == "failed"
    assert "No space left on device" in row(house, run_id).outcome
    assert "No space left on device" in caplog.text
    go_on(house, run_id, on_progress=silent)
    assert row(house, run_id).status == "kept"


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
    assert "labelwright-train run --resume RUN" in told.output
