from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from bot.errors import GiveUp
from tests.training.tiny import filed, make_rows, make_tiny_encoder, tiny_recipe
from training.device import Device, find_device
from training.fit import encode, fit_network, head_logits
from training.network import Network, open_encoder
from training.recipe import Recipe
from training.scoring.model import tokens_of
from training.task import Task, make_task

CPU = Device("cpu", bf16=False)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def task() -> Task:
    return make_task(filed(make_rows(90)))


def weights(network: Network) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def right(network: Network, task: Task, recipe: Recipe, base: Path) -> float:
    vectors = encode(network, tokens_of(task.issues, recipe, base), device=CPU)
    return float((head_logits(network, vectors).argmax(1) == task.known.argmax(1)).mean())


def test_two_runs_agree_and_another_seed_does_not(base: Path, task: Task) -> None:
    first, second, other = (
        weights(fit_network(task, tiny_recipe(epochs=2), seed=seed, device=CPU, base=base))
        for seed in (3, 3, 4)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_it_learns_issues_it_has_not_seen(base: Path, task: Task) -> None:
    losses: list[float] = []
    recipe = tiny_recipe()
    network = fit_network(
        task, recipe, seed=0, device=CPU, base=base, on_step=lambda *step: losses.append(step[2])
    )
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    assert right(network, make_task(filed(make_rows(60, seed=9))), recipe, base) > 0.9


def test_frozen_layers_stay_and_the_others_move(base: Path, task: Task) -> None:
    before = dict(open_encoder(base).named_parameters())
    network = fit_network(task, tiny_recipe(frozen=0.5), seed=0, device=CPU, base=base)
    moved = {
        name: not torch.equal(parameter, before[name])
        for name, parameter in network.encoder.named_parameters()
    }
    frozen = [name for name in moved if "embeddings" in name or ".layer.0." in name]
    assert frozen
    assert not any(moved[name] for name in frozen)
    assert all(moved[name] for name in moved.keys() - frozen)


def test_few_issues_are_gone_over_more_often_and_many_less(base: Path) -> None:
    steps = {}
    for count, changes in ((6, {}), (90, {}), (90, {"max_passes": 100})):
        recipe = tiny_recipe(epochs=2, min_steps=10, **changes)
        seen: list[int] = []
        fit_network(
            make_task(filed(make_rows(count))),
            recipe,
            seed=0,
            device=CPU,
            base=base,
            on_step=lambda done, total, loss, seen=seen: seen.append(total),
        )
        steps[count, len(changes)] = len(seen)
        assert set(seen) == {len(seen)}
    assert steps == {(6, 0): 10, (90, 0): 12, (90, 1): 6}


def test_a_loss_that_is_no_number_stops_the_run(base: Path, task: Task) -> None:
    recipe = tiny_recipe(learning_rate=1e30, clip=1e30, warmup=0.0)
    with pytest.raises(GiveUp, match="lower learning_rate"):
        fit_network(task, recipe, seed=0, device=CPU, base=base)


def test_vectors_do_not_depend_on_their_company(base: Path, task: Task) -> None:
    network = fit_network(task, tiny_recipe(epochs=1), seed=0, device=CPU, base=base)
    tokens = tokens_of(task.issues, tiny_recipe(), base)
    together = encode(network, tokens, device=CPU)
    alone = np.vstack([encode(network, [row], device=CPU) for row in tokens[:5]])
    assert np.allclose(together[:5], alone, atol=1e-5)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_bf16_is_taken_only_where_asked_or_native() -> None:
    assert not find_device("fp32").bf16
    assert find_device("bf16").bf16


RANK = """
import sys, torch
from pathlib import Path
from tests.training.tiny import filed, make_rows, tiny_recipe
from training import distributed
from training.device import Device
from training.fit import fit_network
from training.task import make_task
with distributed.process_group("cpu"):
    network = fit_network(
        make_task(filed(make_rows(45))), tiny_recipe(epochs=2), seed=3,
        device=Device("cpu", bf16=False), base=Path(sys.argv[1]),
    )
    torch.save(network.state_dict(), f"{sys.argv[2]}/{distributed.rank()}.pt")
"""


def test_two_ranks_train_what_one_does(base: Path, tmp_path: Path) -> None:
    """Without dropout, for the ranks draw their own; 45 issues make batches of odd length."""
    still = tmp_path / "still"
    still.mkdir()
    for file in base.iterdir():
        text = file.read_bytes()
        if file.name == "config.json":
            text = text.replace(b'dropout_prob": 0.1', b'dropout_prob": 0.0')
        (still / file.name).write_bytes(text)
    script = tmp_path / "rank.py"
    script.write_text(RANK)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    shared |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    ranks = [
        subprocess.Popen(
            [sys.executable, str(script), str(still), str(tmp_path)],
            env={**shared, "WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in (0, 1)
    ]
    assert [rank.wait(timeout=120) for rank in ranks] == [0, 0]
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    network = fit_network(
        make_task(filed(make_rows(45))), tiny_recipe(epochs=2), seed=3, device=CPU, base=still
    )
    for name, alone in network.state_dict().items():
        assert torch.equal(first[name], second[name])
        assert torch.allclose(first[name], alone, atol=2e-3), name
