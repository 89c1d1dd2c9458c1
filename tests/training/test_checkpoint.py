from __future__ import annotations

import resource
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from bot.errors import UserError
from tests.training.tiny import make_tiny_encoder
from training.fit.checkpoint import NotSaved, read_checkpoint, write_checkpoint
from training.fit.output import write_encoder
from training.network import open_encoder

TREE = {
    "step": 3,
    "name": "fit",
    "none": None,
    "nested": {"weights": torch.arange(6.0).view(2, 3), "empty": torch.zeros(0, dtype=torch.int64)},
    "half": {
        "a": torch.ones(3, dtype=torch.bfloat16),
        "number": torch.tensor(2.5),
        "one": torch.tensor(4).expand(1),
        "ä": torch.tensor([True]),
    },
    "states": [torch.tensor([1, 2], dtype=torch.uint8), {"x": 0.1}],
}


@contextmanager
def small_files() -> Iterator[None]:
    """The kernel refuses to write past 4 kB, in the middle of a file, as a full disk does. Never for longer
    than the write under test: what pytest itself prints may go to a file too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def same(a: object, b: object) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", TREE)
    assert same(read_checkpoint(tmp_path / "c"), TREE)
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_tensors_that_share_memory_are_kept_apart(tmp_path: Path) -> None:
    shared = torch.ones(4)
    write_checkpoint(tmp_path / "c", {"a": shared, "b": shared.view(2, 2).T})
    found = read_checkpoint(tmp_path / "c")
    assert found["a"].shape == (4,)
    assert found["b"].shape == (2, 2)


def test_it_is_not_built_in_memory_first(tmp_path: Path) -> None:
    """Four times the weights, next to what a step needs."""
    much = torch.ones(1_000_000)
    tracemalloc.start()
    write_checkpoint(tmp_path / "c", {"much": much})
    assert tracemalloc.get_traced_memory()[1] < much.nbytes / 4
    tracemalloc.stop()


@pytest.mark.parametrize("kept", [0, 5, 40, -1])
def test_one_that_was_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    write_checkpoint(tmp_path / "c", TREE)
    (tmp_path / "c").write_bytes((tmp_path / "c").read_bytes()[:kept])
    with pytest.raises(UserError, match=r"cut short .* Delete it to begin anew"):
        read_checkpoint(tmp_path / "c")


def test_a_write_that_breaks_off_leaves_the_one_before(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "c", TREE)
    with small_files(), pytest.raises(NotSaved, match=r"cannot be written .* Make room"):
        write_checkpoint(tmp_path / "c", {"much": torch.zeros(10_000)})
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
    assert same(read_checkpoint(tmp_path / "c"), TREE)


def test_an_encoder_that_cannot_be_written_whole_is_not_there(tmp_path: Path) -> None:
    base = make_tiny_encoder(tmp_path / "base")
    encoder = open_encoder(base)
    with small_files(), pytest.raises(NotSaved, match="the encoder cannot be written"):
        write_encoder(encoder, tmp_path / "out", base=base, max_tokens=24)
    assert [path.name for path in tmp_path.iterdir()] == ["base"]
