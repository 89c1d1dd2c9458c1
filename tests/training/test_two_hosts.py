"""Two torchruns with two addresses meet by rendezvous: the same result as on one machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.snapshots import make_snapshot
from tests.training.tiny import make_rows, make_tiny_encoder, tiny_recipe
from training.recipe_file import recipe_text

REPOSITORY = Path(__file__).parents[2]
HOSTS = ("127.0.0.1", "127.0.0.2")


def free_port() -> int:
    with socket.create_server((HOSTS[0], 0)) as bound:
        return int(bound.getsockname()[1])


def has_address(host: str) -> bool:
    """Linux answers on all of 127/8, macOS on one address."""
    try:
        socket.create_server((host, 0)).close()
    except OSError:
        return False
    return True


def torchrun(root: Path, host: str, port: int) -> subprocess.Popen[str]:
    words = [
        *("--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d", "--rdzv-id=meet"),
        *(f"--rdzv-endpoint={HOSTS[0]}:{port}", f"--rdzv-conf=is_host={int(host == HOSTS[0])}"),
        *(f"--local-addr={host}", "-m", "training.fit", "--tracker", "none"),
        *("--recipe", str(root / "recipe.json"), "--snapshot", str(root / "snapshot")),
        *("--out", str(root / host)),
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "OMP_NUM_THREADS": "1",
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "torch.distributed.run", *words],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(not has_address(HOSTS[1]), reason=f"{HOSTS[1]} is no address here")
def test_two_hosts_fit_one_encoder(tmp_path: Path) -> None:
    base = make_tiny_encoder(tmp_path / "base")
    make_snapshot(tmp_path / "snapshot", make_rows(36))
    recipe = tiny_recipe(encoder=str(base), epochs=1, min_steps=3, batch=12)
    (tmp_path / "recipe.json").write_text(recipe_text(recipe))
    port = free_port()
    ranks = [torchrun(tmp_path, host, port) for host in HOSTS]
    for rank in ranks:
        _, said = rank.communicate(timeout=240)
        assert rank.returncode == 0, said
    (out,) = [tmp_path / host for host in HOSTS if (tmp_path / host).exists()]
    assert json.loads((out / "done.json").read_text())["ranks"] == 2
    assert (out / "encoder" / "model.safetensors").is_file()
