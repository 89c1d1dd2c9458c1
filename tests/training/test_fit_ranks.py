"""Two ranks under torchrun: one of them is killed, and the result is as if it had not been."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.training.snapshots import make_snapshot
from tests.training.tiny import make_rows, make_tiny_encoder, tiny_recipe
from training.recipe_file import recipe_text

REPOSITORY = Path(__file__).parents[2]
MODEL = "encoder/model.safetensors"


def torchrun(root: Path, name: str, **environment: str) -> str:
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
    assert found.returncode == 0, found.stderr
    return found.stderr


def test_a_killed_rank_changes_nothing(tmp_path: Path) -> None:
    base = make_tiny_encoder(tmp_path / "base")
    rows = make_rows(36, repos=("a/one", "b/two"))
    make_snapshot(tmp_path / "snapshot", rows, unlabelled=make_rows(9, seed=5))
    recipe = tiny_recipe(
        encoder=str(base), epochs=1, min_steps=1, adapt="mlm", terms={"probe": {}}, batch=12
    )
    (tmp_path / "recipe.json").write_text(recipe_text(recipe))
    torchrun(tmp_path, "calm")
    told = torchrun(tmp_path, "killed", KILLED_IN="1")
    assert "exitcode: -9" in told
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    assert (calm / MODEL).read_bytes() == (killed / MODEL).read_bytes()
    assert json.loads((killed / "done.json").read_text())["ranks"] == 2
    steps = [
        [(line["leg"], line["step"], line["loss"]) for line in map(json.loads, text.splitlines())]
        for text in ((out / "metrics.jsonl").read_text() for out in (calm, killed))
    ]
    assert steps[0] == steps[1]
