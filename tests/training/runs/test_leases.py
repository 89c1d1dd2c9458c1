"""Who fits a run, who goes on with it after a stop, and who leaves it alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.errors import LabelwrightError, UserError
from bot.store import runs
from tests.training.runs.houses import Here, Interrupted, fitted_by, row, silent
from tests.training.test_cut_store import NOW
from training import run as run_module
from training.launch import FitFailed, Work
from training.recipe import Recipe
from training.run import House, begin, go_on, resume, retrain


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
        go_on(fitted_by(house, Interrupted(meanwhile)), run_id, on_progress=silent)
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
            go_on(fitted_by(house, Interrupted(interrupt)), run_id, on_progress=silent)
        assert row(house, run_id).status == "waiting"
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


def test_two_schedulers_begin_one_run(
    house: House, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large store takes minutes to cut, and another due time comes meanwhile."""
    resume, others = run_module.resume, []

    def just_before(house: House, **more: Any) -> str:
        others.append(begin(house, recipe=recipe, reason="by the clock"))
        return ""

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(run_module, "resume", just_before)
        said = retrain(house, recipe=recipe, reason="corrections", on_progress=silent)
    assert "nothing new was begun" in said
    with house.database.session() as session:
        assert [one.id for one in runs.newest(session)] == others
    assert resume(house, on_progress=silent)
    with runs.beginning(house.database):
        said = retrain(house, recipe=recipe, reason="corrections", on_progress=silent)
    assert "nothing new was begun" in said


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
