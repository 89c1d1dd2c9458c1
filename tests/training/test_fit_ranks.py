"""Two ranks under torchrun: one of them is killed, and the result is as if it had not been."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.snapshots import make_snapshot
from tests.training.tiny import make_rows, make_tiny_encoder, tiny_recipe
from training.recipe_file import recipe_text

REPOSITORY = Path(__file__).parents[2]
MODEL = "encoder/model.safetensors"


def torchrun(root: Path, name: str, *, finishes: bool = True, **environment: str) -> str:
    found = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node=2", "--max-restarts=2", "tests/training/rank.py"),
            *("--recipe", str(root / "recipe.json"), "--snapshot", str(root / "snapshot")),
            *("--out", str(root / name), "--tracker", "none", "--save-every", "1"),
        ],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "PYTHONPATH": str(REPOSITORY),
            "OMP_NUM_THREADS": "1",
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (found.returncode == 0) is finishes, found.stderr
    return found.stderr


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a run that nothing came between, in `calm`."""
    root = tmp_path_factory.mktemp("ranks")
    base = make_tiny_encoder(root / "base")
    rows = make_rows(36, repos=("a/one", "b/two"))
    make_snapshot(root / "snapshot", rows, unlabelled=make_rows(9, seed=5))
    some = {"adapt": "mlm", "lora_rank": 2, "terms": {"probe": {}}, "batch": 12}
    recipe = tiny_recipe(encoder=str(base), epochs=1, min_steps=1, **some)
    (root / "recipe.json").write_text(recipe_text(recipe))
    torchrun(root, "calm")
    return root


def test_a_killed_rank_changes_nothing(root: Path) -> None:
    told = torchrun(root, "killed", KILLED_IN="1")
    assert "exitcode: -9" in told
    calm, killed = root / "calm", root / "killed"
    assert (calm / MODEL).read_bytes() == (killed / MODEL).read_bytes()
    assert json.loads((killed / "done.json").read_text())["ranks"] == 2
    steps = [
        [(line["leg"], line["step"], line["loss"]) for line in map(json.loads, text.splitlines())]
        for text in ((out / "metrics.jsonl").read_text() for out in (calm, killed))
    ]
    assert steps[0] == steps[1]


def test_ranks_are_killed_while_they_save_and_the_save_before_serves(root: Path) -> None:
    """torchrun waits so long as it is told, not 30 seconds (torch 2.11 does)."""
    patience = {"TORCH_ELASTIC_SHUTDOWN_TIMEOUT": "1", "SAVING": "20"}
    told = torchrun(root, "stopped", finishes=False, STOPPED_IN="1", **patience)
    assert "forcefully exiting via" in told
    out = root / "stopped"
    assert not (out / "done.json").exists()
    torchrun(root, "stopped")
    assert (out / MODEL).read_bytes() == (root / "calm" / MODEL).read_bytes()
