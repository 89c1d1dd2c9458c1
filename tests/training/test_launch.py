"""Launchers: what they hand over, and what they say when a fit ends badly."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from bot.errors import UserError
from tests.training.snapshots import make_snapshot
from tests.training.tiny import make_rows, make_tiny_encoder, tiny_recipe
from training.launch import FitFailed, FitRefused, Work, local
from training.launch.kubernetes import Kubernetes
from training.launch.local import Local, environment, stop
from training.launch.slurm import Slurm
from training.lock import locked
from training.recipe_file import recipe_text
from training.snapshot import read

LAUNCHERS = [Local(), Slurm(), Kubernetes(image="i", claim="c", root=Path("/"))]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture
def work(tmp_path: Path, base: Path) -> Work:
    """A run of a few steps."""
    recipe = tiny_recipe(encoder=str(base), epochs=1, min_steps=4)
    (tmp_path / "recipe.json").write_text(recipe_text(recipe))
    make_snapshot(tmp_path / "snapshot", make_rows(24))
    return Work(tmp_path)


def finish(work: Work) -> None:
    work.out.mkdir(exist_ok=True)
    (work.out / "done.json").write_text("{}")


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_finished_fit_is_not_started_again(
    work: Work, launcher: Local | Slurm | Kubernetes
) -> None:
    finish(work)
    launcher.fit(work, on_progress=lambda told: pytest.fail("it was started"))
    assert sorted(path.name for path in work.directory.iterdir()) == [
        "fit",
        "recipe.json",
        "snapshot",
    ]


@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize(
    "name", ["recipe.json", "snapshot/manifest.json", "snapshot/pairs.parquet"]
)
def test_files_that_no_fit_can_read_are_told_before_anything_starts(
    work: Work, launcher: Local | Slurm | Kubernetes, name: str
) -> None:
    (work.directory / name).write_text("{")
    with pytest.raises(UserError, match=re.escape(name)):
        launcher.fit(work, on_progress=lambda told: pytest.fail("it was started"))


def test_a_snapshot_is_checked_by_its_hashes_alone(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred thousand issues take minutes to read, and the fit reads them anyway."""
    monkeypatch.setattr(read, "read_table", lambda *_, **__: pytest.fail("it was read"))
    work.check()


def test_torchrun_fits_here(work: Work) -> None:
    told: list[object] = []
    Local(ranks=1).fit(work, on_progress=told.append)
    assert (work.out / "encoder" / "model.safetensors").is_file()
    assert told


def test_a_fit_that_dies_is_tried_again_and_shows_the_end_of_its_log(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = [sys.executable, "-c", "raise SystemExit('out of luck')"]
    monkeypatch.setattr(Local, "command", lambda *_: dying)
    with pytest.raises(FitFailed, match=r"fit\.log tells all. Its last lines:\nout of luck"):
        Local(poll=0.01).fit(work, on_progress=lambda told: None)
    assert (work.directory / "fit.log").read_text() == "out of luck\n" * 2


def test_what_no_retry_can_help_is_told_at_once(work: Work, base: Path) -> None:
    """Neither torchrun nor its launcher tries again, and the message is not lost in a traceback."""
    work.recipe.write_text(recipe_text(tiny_recipe(encoder=str(base), engine="setfit")))
    with pytest.raises(FitRefused, match=r"^The recipe .* runs 'contrastive'"):
        Local(ranks=2).fit(work, on_progress=lambda told: None)
    log = (work.directory / "fit.log").read_text()
    assert log.count("error: The recipe") in (1, 2)  # ranks


def test_who_will_not_wait_leaves_no_process_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C once more, while the ranks are saving."""
    deaf = "import signal, sys, time; signal.signal(15, lambda *_: None); print(1, flush=True)"
    words = [sys.executable, "-c", f"{deaf}; time.sleep(60)"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    process.stdout.readline()
    wait = process.wait

    def impatient(timeout: float | None = None) -> int:
        if timeout is not None:
            raise KeyboardInterrupt
        return wait()

    monkeypatch.setattr(process, "wait", impatient)
    with pytest.raises(KeyboardInterrupt):
        stop(process)
    assert process.poll() == -signal.SIGKILL
    process.stdout.close()


DEAF = (
    "import signal, time; signal.signal(15, lambda *_: None); print(1, flush=True); time.sleep(60)"
)
FAMILY = f"""
import subprocess, sys
rank = subprocess.Popen([sys.executable, "-c", {DEAF!r}], start_new_session=True)
print(rank.pid, flush=True)
{DEAF}
"""


def test_ranks_that_do_not_stop_go_with_their_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    """torchrun gives each rank a session of its own."""
    monkeypatch.setattr(local, "GRACE", 0.1)
    process = subprocess.Popen(
        [sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    told = {process.stdout.readline() for _ in range(3)} - {b"1\n"}
    rank = psutil.Process(int(told.pop()))
    stop(process)
    assert process.poll() == -signal.SIGKILL
    process.stdout.close()
    assert rank.wait(10) is None
    assert not rank.is_running()


def test_a_fit_whose_launcher_was_killed_is_waited_for(work: Work) -> None:
    told: list[dict[str, object]] = []

    def on_progress(progress: Mapping[str, object]) -> None:
        told.append(dict(progress))
        if len(told) == 2:
            finish(work)

    with locked(work.out):
        Local(poll=0.01).fit(work, on_progress=on_progress)
    assert f"process {os.getpid()} on" in str(told[0]["waiting"])
    assert not (work.directory / "fit.log").exists()


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_torchrun_gives_ranks_time_to_save(
    work: Work, launcher: Local | Slurm | Kubernetes
) -> None:
    """Of itself it kills them 30 seconds after SIGTERM; the places that start it wait 120."""
    if isinstance(launcher, Local):
        told = json.dumps(environment())
    elif isinstance(launcher, Slurm):
        told = launcher.script(work)
    else:
        told = json.dumps(launcher.manifest(work))
    assert re.search("TORCH_ELASTIC_SHUTDOWN_TIMEOUT\\W+(value\\W+)?100", told)
    assert re.search("TORCH_DISABLE_SHARE_RDZV_TCP_STORE\\W+(value\\W+)?1\\b", told)


def test_progress_is_the_last_whole_line(work: Work) -> None:
    assert work.progress() == {}
    work.out.mkdir()
    metrics = work.out / "metrics.jsonl"
    metrics.write_text(json.dumps({"step": 1}) + "\n" + json.dumps({"step": 2}) + "\n" + '{"st')
    assert work.progress() == {"step": 2}
    metrics.write_text((json.dumps({"step": 3, "pad": "x" * 500}) + "\n") * 400)
    assert work.progress()["step"] == 3
    with metrics.open("a") as stream:
        stream.write('{"step": 4, "metrics": {"share": NaN}}\n')
    assert work.progress() == {"step": 4, "metrics": {"share": None}}, "no database keeps a NaN"


def test_progress_tells_of_the_twin_that_is_fitted_first(work: Work) -> None:
    (work.out / "twin").mkdir(parents=True)
    (work.out / "twin" / "metrics.jsonl").write_text('{"leg": "fit", "step": 3}\n')
    assert work.progress() == {"leg": "twin fit", "step": 3}
    (work.out / "metrics.jsonl").write_text('{"leg": "fit", "step": 0}\n')
    assert work.progress() == {"leg": "fit", "step": 0}
