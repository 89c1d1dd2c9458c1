"""One process or many (torchrun): gloo on CPU, nccl on GPU. Rank 0 writes.

Each rank encodes its share of a batch; the loss is that of the whole batch, the same on every rank.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist

from bot.errors import LabelwrightError
from training.task import Ints

T = TypeVar("T")


@contextmanager
def process_group(kind: str) -> Iterator[None]:
    """Joins torchrun's processes for the time of the block; nothing to do without torchrun."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    if kind == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if kind == "cuda" else "gloo")
    try:
        yield
        dist.barrier()
    finally:
        dist.destroy_process_group()


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def draw_apart(seed: int) -> None:
    """From here on each rank draws numbers of its own, for dropout. First weights are made before: they must
    be alike on all ranks, for only rank 0's are kept."""
    if rank():
        torch.manual_seed(seed + 7919 * rank())


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


def total(local: torch.Tensor) -> torch.Tensor:
    """A scalar summed over the ranks; gradients find their way back as those of `gather` do."""
    if world_size() == 1:
        return local
    summed: torch.Tensor = _Total.apply(local)
    return summed


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Each rank computed the whole loss, so the gradients of `gather` are summed world-size times.

    All in one buffer whose layout never changes: torch's DistributedDataParallel arranges its buckets
    anew after the first step, and sums of three ranks or more could then round otherwise in a
    resumed run.
    """
    if world_size() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    buffer = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(buffer)
    buffer /= world_size()
    parts = buffer.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def agree(asked: bool) -> bool:
    """True on every rank if any rank was asked."""
    if world_size() == 1:
        return asked
    flag = torch.tensor(float(asked))
    dist.all_reduce(flag, op=dist.ReduceOp.MAX)
    return bool(flag.item())


def tell(value: Any) -> Any:
    """What rank 0 says, on every rank."""
    if world_size() == 1:
        return value
    said = [value]
    dist.broadcast_object_list(said, src=0)
    return said[0]


def first(ask: Callable[[], T]) -> T:
    """What `ask` answers on rank 0, on every rank; what it refuses there, it refuses everywhere."""
    answer: T | None = None
    refusal: LabelwrightError | None = None
    if rank() == 0:
        try:
            answer = ask()
        except LabelwrightError as error:
            refusal = error
    told: tuple[T, LabelwrightError | None] = tell((answer, refusal))
    if told[1] is not None:
        raise told[1]
    return told[0]


def collect(value: torch.Tensor) -> list[torch.Tensor]:
    """A CPU tensor of each rank, all of one shape, on every rank."""
    if world_size() == 1:
        return [value]
    found = [torch.empty_like(value) for _ in range(world_size())]
    dist.all_gather(found, value)
    return found


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


class _Total(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, local: torch.Tensor) -> torch.Tensor:  # noqa: ARG004
        summed = local.clone()
        dist.all_reduce(summed)
        return summed

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:  # noqa: ARG004
        summed = gradient.clone()
        dist.all_reduce(summed)
        return summed
