"""One process or many (torchrun): gloo on CPU, nccl on GPU. Rank 0 writes.

Each rank encodes its share of a batch; the loss is that of the whole batch, the same on every rank.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from training.task import Ints


@contextmanager
def process_group(kind: str) -> Iterator[None]:
    """Joins torchrun's processes for the time of the block; nothing to do without torchrun."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    if kind == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield
        dist.barrier()
    finally:
        dist.destroy_process_group()


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def share(rows: Ints) -> Ints:
    """This rank's rows of a batch: equally many on each, the last one repeated to make it so."""
    ranks = world_size()
    padded = np.pad(rows, (0, -len(rows) % ranks), mode="edge")
    return padded[rank() :: ranks]


def gather(local: torch.Tensor, *, count: int) -> torch.Tensor:
    """The `count` rows of a batch that was shared, in its order; gradients find their way back."""
    if world_size() == 1:
        return local
    by_rank = _Gather.apply(local).unflatten(0, (world_size(), -1))
    return by_rank.transpose(0, 1).flatten(0, 1)[:count]


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Each rank computed the whole loss, so the gradients of `gather` are summed world-size times."""
    if world_size() == 1:
        return
    for parameter in parameters:
        if parameter.grad is not None:
            dist.all_reduce(parameter.grad)
            parameter.grad /= world_size()


class _Gather(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, local: torch.Tensor) -> torch.Tensor:
        ctx.rows = len(local)
        parts = [torch.empty_like(local) for _ in range(world_size())]
        dist.all_gather(parts, local.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        summed = gradient.contiguous()
        dist.all_reduce(summed)
        start = rank() * ctx.rows
        return summed[start : start + ctx.rows]
