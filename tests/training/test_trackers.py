"""Against stand-ins with the calls that the four trackers document; they are not installed here. TensorBoard
2.21, wandb 0.31 (offline) and mlflow 3.17 (SQLite) were tried by hand."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from bot.errors import UserError
from tests.training.tiny import tiny_recipe
from training.fit import run as fit_run
from training.trackers import Tracker, open_tracker

Calls = list[tuple[Any, ...]]


def install(patch: pytest.MonkeyPatch, name: str, **functions: Any) -> None:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    for key, function in functions.items():
        setattr(module, key, function)
    patch.setitem(sys.modules, name, module)


def stand_in(patch: pytest.MonkeyPatch, name: str, calls: Calls) -> None:
    def note(what: str) -> Any:
        return lambda *args, **named: calls.append((what, *args, *named.values()))

    if name == "trackio":
        install(patch, name, init=lambda **_: None, log=note("log"), finish=note("end"))
    elif name == "wandb":
        run = SimpleNamespace(log=note("log"), finish=note("end"))
        install(patch, name, init=lambda **_: run)
    elif name == "mlflow":
        begin = {x: lambda *_, **__: None for x in ("set_experiment", "start_run", "log_params")}
        install(patch, name, log_metrics=note("log"), end_run=note("end"), **begin)
    else:
        writer = SimpleNamespace(
            add_scalar=lambda key, value, step: calls.append(("log", {key: value}, step)),
            close=note("end"),
        )
        install(patch, "torch.utils.tensorboard", SummaryWriter=lambda _: writer)


@pytest.mark.parametrize("name", ["trackio", "wandb", "mlflow", "tensorboard"])
def test_each_gets_the_figures_and_an_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    calls: Calls = []
    stand_in(monkeypatch, name, calls)
    tracker = open_tracker(name, run="r", config={"recipe": "x"}, directory=tmp_path)
    tracker.log({"fit/loss": 0.5}, step=7)
    tracker.finish()
    assert calls == [("log", {"fit/loss": 0.5}, 7), ("end",)]


def test_trackio_is_taken_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in(monkeypatch, "trackio", [])
    assert open_tracker("auto", run="r", config={}, directory=tmp_path).name == "trackio"
    monkeypatch.setitem(sys.modules, "trackio", ModuleType("trackio"))
    monkeypatch.setattr("training.trackers.find_spec", lambda _: None)
    assert open_tracker("auto", run="r", config={}, directory=tmp_path).name == "none"


def test_one_that_is_not_there_is_said_politely(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match="wandb is not installed: pip install wandb, or give"):
        open_tracker("wandb", run="r", config={}, directory=tmp_path)
    with pytest.raises(UserError, match=r"no tracker 'wandbb'\. Did you mean 'wandb'\?"):
        open_tracker("wandbb", run="r", config={}, directory=tmp_path)


def test_one_that_breaks_does_not_stop_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ConnectionError("gone")

    install(monkeypatch, "trackio", init=lambda **_: None, log=fail, finish=fail)
    tracker = open_tracker("trackio", run="r", config={}, directory=tmp_path)
    tracker.log({}, step=1)
    tracker.log({}, step=2)
    tracker.finish()
    assert [record.getMessage() for record in caplog.records] == [
        "trackio failed (gone); the run goes on without it"
    ]


def test_one_that_cannot_begin_does_not_stop_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """wandb without a key and mlflow without its server raise errors of their own."""

    def refuse(**_: Any) -> None:
        raise RuntimeError("No API key configured.")

    install(monkeypatch, "wandb", init=refuse)
    tracker = open_tracker("wandb", run="r", config={}, directory=tmp_path)
    tracker.log({}, step=1)
    tracker.finish()
    assert [record.getMessage() for record in caplog.records] == [
        "wandb failed (No API key configured.); the run goes on without it"
    ]


def test_another_recipe_of_the_same_name_is_another_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else a tracker would go on with the curves of the first."""
    names: list[str] = []

    def opened(name: str, *, run: str, **_: Any) -> Tracker:
        names.append(run)
        return Tracker(name, lambda *_: None, lambda: None)

    monkeypatch.setattr(fit_run, "open_tracker", opened)
    for at, seed in enumerate((0, 0, 1)):
        job = fit_run.Job(recipe=tiny_recipe(seed=seed), snapshot=tmp_path, out=tmp_path / str(at))
        job.out.mkdir()
        (tmp_path / "model.safetensors").touch()
        identity = fit_run.identify(job.recipe, snapshot="s", base=tmp_path)
        with ExitStack() as stack:
            fit_run._open_journal(job, identity, None, stack)
    assert names[0] == names[1] != names[2]
