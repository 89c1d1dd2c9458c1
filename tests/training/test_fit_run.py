"""A whole run on a tiny snapshot: what it leaves, that it can be stopped anywhere, and how it fails."""

from __future__ import annotations

import errno
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bot.classify.build import build_bundle
from bot.classify.encoder import Encoder as ServingEncoder
from bot.errors import GiveUp
from tests.training.snapshots import make_snapshot
from tests.training.terms import Probe, at
from tests.training.tiny import make_rows, make_tiny_encoder, tiny_recipe
from training import lock
from training.batches import tokenise
from training.device import Device
from training.fit import __main__ as command
from training.fit import checkpoint, encode
from training.fit.checkpoint import read_checkpoint
from training.fit.output import CHECKPOINT, TWIN
from training.launch import REFUSAL
from training.network import LabelHead, Network, open_encoder, open_tokenizer
from training.objectives.registry import TERMS
from training.recipe import Recipe
from training.recipe_file import recipe_text

REPOS = ("a/one", "b/two")
MODEL = "encoder/model.safetensors"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    unlabelled = make_rows(20, repos=REPOS, seed=5)
    path = tmp_path_factory.mktemp("snapshots") / "good"
    return make_snapshot(path, make_rows(36, repos=REPOS), unlabelled=unlabelled)


@pytest.fixture(autouse=True)
def probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TERMS, "probe", Probe)
    monkeypatch.setattr(Probe, "seen", [])


def short(base: Path, **changes: Any) -> Recipe:
    return tiny_recipe(**{"encoder": str(base), "epochs": 2, "min_steps": 1, "batch": 12} | changes)


def fit(recipe: Recipe, snapshot: Path, out: Path, *, save_every: int = 2) -> int:
    file = out.with_suffix(".json")
    file.write_text(recipe_text(recipe), encoding="utf-8")
    words = {"--recipe": file, "--snapshot": snapshot, "--out": out, "--tracker": "none"}
    told = [str(x) for pair in words.items() for x in pair]
    return command.main([*told, "--save-every", str(save_every)])


def metrics(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def losses(out: Path) -> list[tuple[str, int, float]]:
    return [(line["leg"], line["step"], line["loss"]) for line in metrics(out)]


def test_what_a_run_leaves_serves_as_a_bundle(base: Path, snapshot: Path, tmp_path: Path) -> None:
    recipe = short(base, contrast_within="repository", repos_per_batch=1)
    assert fit(recipe, snapshot, tmp_path / "out") == command.DONE
    out = tmp_path / "out"
    assert sorted(path.name for path in out.iterdir()) == [
        "done.json",
        "encoder",
        "metrics.jsonl",
        "recipe.json",
    ]
    bundle = build_bundle(out / "encoder", tmp_path / "bundle")
    assert bundle.manifest.max_tokens == recipe.max_tokens
    texts = [f"{row['title']}\n\n{row['body']}" for row in make_rows(9, seed=3)]
    served = ServingEncoder.open(tmp_path / "bundle", backend="fp32").encode(texts)
    opened = open_encoder(out / "encoder").eval()
    network = Network(opened, LabelHead(torch.zeros(1, opened.dim), torch.zeros(1)))
    tokens = tokenise(open_tokenizer(out / "encoder"), texts, max_tokens=recipe.max_tokens)
    trained = encode(network, tokens, device=Device("cpu", bf16=False))
    assert np.allclose(served, trained, atol=1e-5)
    before = encode(
        Network(open_encoder(base).eval(), network.head), tokens, device=Device("cpu", bf16=False)
    )
    assert not np.allclose(before, trained, atol=1e-2)


def test_a_finished_run_is_not_run_again_and_another_is_refused(
    base: Path, snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert fit(short(base), snapshot, out) == command.DONE
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    assert fit(short(base), snapshot, out) == command.DONE
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == stamps
    assert fit(short(base, seed=1), snapshot, out) == command.BAD_INPUT
    assert "another recipe. Give another --out" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == stamps


def test_two_fits_do_not_write_into_one_directory(
    base: Path,
    snapshot: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(lock, "PATIENCE", 0.0)
    out = tmp_path / "out"
    with lock.locked(out):
        assert fit(short(base), snapshot, out) == command.BAD_INPUT
        assert f"written by process {os.getpid()} on" in capsys.readouterr().err
        assert [path.name for path in out.iterdir()] == [lock.LOCK]
    assert fit(short(base), snapshot, out) == command.DONE


def everything(base: Path, adapt: str = "mlm") -> Recipe:
    """A recipe with all that has a state."""
    return short(
        base, adapt=adapt, balance="uncertainty", lora_rank=2, accumulate=2, terms={"probe": {}}
    )


@pytest.fixture(scope="module")
def uninterrupted(base: Path, snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "uninterrupted"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TERMS, "probe", Probe)
        patch.setattr(Probe, "seen", [])
        assert fit(everything(base), snapshot, out) == command.DONE
        assert Probe.seen == ["round 0", "epoch 0", "epoch 1", "round 1", "epoch 0", "epoch 1"]
    return out


def test_every_leg_leaves_its_figures(uninterrupted: Path) -> None:
    lines = metrics(uninterrupted)
    assert [(x["leg"], x["step"]) for x in lines if x["step"] == x["steps"]] == [
        ("adapt", 3),
        ("fit", 4),
        ("fit-1", 4),
    ]
    assert set(lines[-1]["losses"]) == {"classification", "contrast", "probe"}
    assert lines[-1]["metrics"]["probe/steps"] > 8
    assert lines[-1]["issues"] < lines[-2]["issues"] == 24


@pytest.mark.parametrize(("round_", "step"), [(0, 0), (1, 2)])
def test_stopped_and_resumed_is_as_if_nothing_had_happened(
    base: Path,
    snapshot: Path,
    tmp_path: Path,
    uninterrupted: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    round_: int,
    step: int,
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(Probe, "on_step", staticmethod(at(round_, step, send=signal.SIGTERM)))
        assert fit(everything(base), snapshot, out, save_every=100) == command.PREEMPTED
    assert f"Stopped after step {step + 1} of 4" in capsys.readouterr().err
    assert not (out / "done.json").exists()
    assert fit(everything(base), snapshot, out) == command.DONE
    assert (out / MODEL).read_bytes() == (uninterrupted / MODEL).read_bytes()
    assert losses(out) == losses(uninterrupted)
    assert not (out / CHECKPOINT).exists()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_rank_whose_torchrun_was_killed_saves_and_stops(
    base: Path, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would go on beside the one that takes its place."""
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setattr(os, "getppid", lambda: 1)
    out = tmp_path / "out"
    assert fit(short(base), snapshot, out, save_every=100) == command.PREEMPTED
    assert read_checkpoint(out / CHECKPOINT)["step"] == 1


def test_a_full_disk_leaves_nothing_half_written(
    base: Path,
    snapshot: Path,
    tmp_path: Path,
    uninterrupted: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert fit(everything(base).twin(), snapshot, out / TWIN) == command.DONE
    (out / TWIN).with_suffix(".json").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.os, "fsync", _full_after(7))
        assert fit(everything(base), snapshot, out) == command.GAVE_UP
    told = capsys.readouterr().err
    assert "No space left on device" in told
    assert "Make room" in told
    names = {path.name for path in out.iterdir()}
    assert names == {CHECKPOINT, "metrics.jsonl", "recipe.json", TWIN}
    assert read_checkpoint(out / CHECKPOINT)["leg"] == ["fit", 0]
    assert fit(everything(base), snapshot, out) == command.DONE
    assert (out / MODEL).read_bytes() == (uninterrupted / MODEL).read_bytes()


def _full_after(calls: int) -> Any:
    left = iter(range(calls))

    def fsync(descriptor: int) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")

    return fsync


def test_a_loss_that_is_no_number_names_the_step_and_keeps_the_last_good_one(
    base: Path, snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    wild = short(base, learning_rate=1e30, clip=1e30, warmup=0.0)
    assert fit(wild, snapshot, out, save_every=1) == command.GAVE_UP
    told = capsys.readouterr().err
    assert "in step 2 of 6" in told
    assert "lower learning_rate (1e+30) in the recipe. Then give another --out" in told
    assert read_checkpoint(out / CHECKPOINT)["step"] == 1
    assert not (out / "encoder").exists()


def test_the_supervised_twin_and_a_semi_supervised_run_begin_alike(
    base: Path, snapshot: Path, tmp_path: Path
) -> None:
    recipe = short(base, terms={"probe": {"rounds": 1, "weight": 0.0}}, averaging=0.0)
    assert fit(recipe.twin(), snapshot, tmp_path / "twin") == command.DONE
    assert fit(recipe, snapshot, tmp_path / "semi") == command.DONE
    first, second = metrics(tmp_path / "twin")[0], metrics(tmp_path / "semi")[0]
    assert first["losses"]["contrast"] == second["losses"]["contrast"]


def test_previous_is_not_there_in_the_first_round(
    base: Path, snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hasty(self: Probe, stage: Any) -> None:
        with pytest.raises(GiveUp, match="from round 1 on"):
            stage.predict(np.arange(2), by="previous")
        self.targets = stage.predict(np.arange(20), by="teacher").sigmoid()

    monkeypatch.setattr(Probe, "begin_round", hasty)
    recipe = short(base, epochs=1, terms={"probe": {"rounds": 1}})
    assert fit(recipe, snapshot, tmp_path / "out") == command.DONE


def test_low_rank_updates_move_the_matrices_and_nothing_else(
    base: Path, snapshot: Path, tmp_path: Path
) -> None:
    recipe = short(base, lora_rank=2, frozen=0.5)
    assert fit(recipe, snapshot, tmp_path / "out") == command.DONE
    before, after = (
        dict(open_encoder(path).named_parameters()) for path in (base, tmp_path / "out/encoder")
    )
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    matrices = {n for n in before if ".layer.1." in n and n.endswith("weight") and "Norm" not in n}
    assert moved == matrices
    assert all(torch.linalg.matrix_rank(after[n] - before[n], rtol=1e-4) <= 2 for n in moved)


def test_checkpointed_activations_change_no_weight(
    base: Path, snapshot: Path, tmp_path: Path
) -> None:
    for name, spared in (("kept", False), ("spared", True)):
        recipe = short(base, checkpointing=spared, compile=spared)  # compiled on a GPU alone
        assert fit(recipe, snapshot, tmp_path / name) == command.DONE
    kept, spared_ = ((tmp_path / name / MODEL).read_bytes() for name in ("kept", "spared"))
    assert kept == spared_


def test_titles_and_bodies_move_the_encoder_before_labels_do(
    base: Path, snapshot: Path, tmp_path: Path
) -> None:
    recipe = short(base, adapt="title_body", adapt_epochs=2)
    assert fit(recipe, snapshot, tmp_path / "out") == command.DONE
    legs = [line["leg"] for line in metrics(tmp_path / "out")]
    assert legs == ["adapt"] * 10 + ["fit"] * 6
    assert fit(short(base), snapshot, tmp_path / "plain") == command.DONE
    adapted, plain = losses(tmp_path / "out")[10:], losses(tmp_path / "plain")
    assert adapted[0][2] != plain[0][2]


@pytest.mark.parametrize("method", sorted(TERMS))
def test_every_method_runs(base: Path, snapshot: Path, tmp_path: Path, method: str) -> None:
    recipe = short(base, epochs=1, terms={method: {}})
    assert fit(recipe, snapshot, tmp_path / "out", save_every=1) == command.DONE
    assert any(method in line["losses"] for line in metrics(tmp_path / "out"))


def test_beside_the_terms_stands_what_labels_alone_give(
    base: Path, snapshot: Path, tmp_path: Path
) -> None:
    recipe, out = short(base, epochs=1, terms={"uda": {}}), tmp_path / "out"
    assert fit(recipe, snapshot, out) == command.DONE
    told = json.loads((out / TWIN / "done.json").read_text())
    assert told["recipe"] == "tiny-supervised"
    assert fit(recipe.twin(), snapshot, tmp_path / "alone") == command.DONE
    twin, alone, tuned = (
        (path / MODEL).read_bytes() for path in (out / "twin", tmp_path / "alone", out)
    )
    assert twin == alone != tuned
    (out / "done.json").unlink()  # it goes on after the twin, which is not fitted again
    stamp = (out / TWIN / MODEL).stat().st_mtime_ns
    assert fit(recipe, snapshot, out) == command.DONE
    assert (out / TWIN / MODEL).stat().st_mtime_ns == stamp


@pytest.mark.parametrize("rank", ["0", "1"])
def test_a_full_gpu_is_told_what_to_turn_down(
    base: Path,
    snapshot: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rank: str,
) -> None:
    def full(job: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(command, "run", full)
    monkeypatch.setattr(command, "FIRST_WORD", 0.0)
    monkeypatch.setenv(REFUSAL, str(tmp_path / "why"))
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("LOCAL_RANK", rank)
    assert fit(short(base), snapshot, tmp_path / "out") == command.GAVE_UP
    assert "Halve batch and double accumulate" in capsys.readouterr().err
    assert "Halve batch" in (tmp_path / "why").read_text()
