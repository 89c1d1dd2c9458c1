"""Issues without labels, as the semi-supervised terms meet them: drawn, read in other ways, predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

from bot.errors import GiveUp
from training import distributed
from training.augment.reading import Augment
from training.batches import Tokens, by_length, epoch_batches, pad, tokenise
from training.device import Device
from training.fit.inference import INFERENCE_BATCH
from training.fit.loop import Learner
from training.network import Network
from training.objectives import Pool, Seen, Who
from training.task import Ints


@dataclass(frozen=True, slots=True)
class Reader:
    """Token ids of the pool's issues, as filed or through an augmentation."""

    pool: Pool
    tokens: Tokens
    tokenizer: Any
    max_tokens: int
    device: Device

    @property
    def lengths(self) -> list[int]:
        return [len(row) for row in self.tokens]

    def read(self, rows: Ints, augment: Augment | None, *, seed: Sequence[int]) -> Tokens:
        if augment is None:
            return [self.tokens[i] for i in rows]
        texts = [augment(self.pool.texts[i], (*seed, int(i))).joined for i in rows]
        return tokenise(self.tokenizer, texts, max_tokens=self.max_tokens)

    def see(
        self, network: Network, rows: Ints, augment: Augment | None, *, seed: Sequence[int]
    ) -> Seen:
        """Every rank encodes its share and gets the whole."""
        ids, mask = pad(self.read(distributed.share(rows), augment, seed=seed))
        with self.device.autocast():
            vectors, logits = network(ids.to(self.device.kind), mask.to(self.device.kind))
        return Seen(
            distributed.gather(vectors.float(), count=len(rows)),
            distributed.gather(logits.float(), count=len(rows)),
        )


@dataclass(frozen=True, slots=True)
class Stream:
    """Batches without end out of some rows of the pool. Number k depends on nothing but the seed, so
    that a resumed run goes on where it was."""

    rows: Ints
    lengths: Sequence[int]
    size: int
    seed: tuple[int, ...]
    passes: dict[int, list[Ints]] = field(default_factory=dict)
    """The one that is read, and the first, for all are as long."""

    def batch(self, number: int) -> Ints:
        per_pass = len(self._pass(0))
        return self.rows[self._pass(number // per_pass)[number % per_pass]]

    def _pass(self, number: int) -> list[Ints]:
        if number not in self.passes:
            for done in self.passes.keys() - {0}:
                del self.passes[done]
            lengths = [self.lengths[i] for i in self.rows]
            self.passes[number] = epoch_batches(lengths, size=self.size, seed=(*self.seed, number))
        return self.passes[number]


@dataclass(slots=True)
class Glance:
    """One batch through one network; the same augmentation is read and encoded once."""

    reader: Reader
    network: Network
    rows: Ints
    seed: tuple[int, ...]
    learns: bool
    seen: dict[Augment | None, Seen] = field(default_factory=dict)

    def __call__(self, augment: Augment | None = None) -> Seen:
        if augment not in self.seen:
            with nullcontext() if self.learns else still(self.network):
                self.seen[augment] = self.reader.see(
                    self.network, self.rows, augment, seed=self.seed
                )
        return self.seen[augment]


@dataclass(frozen=True, slots=True)
class Oracle:
    """Predicts rows of the pool with the network a term asks for."""

    reader: Reader
    learner: Learner
    previous: Network | None

    def __call__(
        self, rows: Ints, *, by: Who = "teacher", dropout: int | None = None
    ) -> torch.Tensor:
        network = self._network(by)
        lengths = self.reader.lengths
        found = torch.zeros(len(rows), len(network.head.bias))
        size = INFERENCE_BATCH * distributed.world_size()
        with still(network) if dropout is None else _shaken(network, dropout, self.reader.device):
            for at in by_length([lengths[i] for i in rows], size=size):
                seen = self.reader.see(network, rows[at], None, seed=())
                found[torch.as_tensor(at)] = seen.logits.cpu()
        return found

    def _network(self, by: Who) -> Network:
        if by == "previous":
            if self.previous is None:
                raise GiveUp("The first round has no student before it; ask from round 1 on.")
            return self.previous
        network: Network = self.learner.averaged if by == "teacher" else self.learner.network
        return network


@contextmanager
def still(network: Network) -> Iterator[None]:
    """Without gradients and dropout, and as it was afterwards."""
    learns = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(learns)


@contextmanager
def _shaken(network: Network, seed: int, device: Device) -> Iterator[None]:
    """Without gradients but with dropout, from numbers of its own."""
    learns = network.training
    devices = [torch.cuda.current_device()] if device.kind == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        torch.manual_seed(seed * 1009 + distributed.rank())
        network.train()
        try:
            yield
        finally:
            network.train(learns)
