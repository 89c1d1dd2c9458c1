"""After each step: note it, save when it is time, and stop when asked to, with everything saved."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import torch

from training import distributed
from training.fit.checkpoint import Tree, read_checkpoint, write_checkpoint
from training.fit.journal import Journal
from training.fit.loop import Learner, Progress
from training.fit.output import Identity, check_identity
from training.fit.terms import Company
from training.network import Network

Weights = dict[str, torch.Tensor]


class Preempted(Exception):
    """SIGTERM came and all is saved; the same command goes on from here."""


class Leg(NamedTuple):
    """A part of the run with an optimiser of its own. They sort in the order they are run."""

    kind: Literal["adapt", "fit"]
    round: int

    def __str__(self) -> str:
        return self.kind if not self.round else f"{self.kind}-{self.round}"


@dataclass(slots=True)
class Saver:
    """Knows all that a run needs to go on, and where it lies. The same on every rank; rank 0 writes."""

    path: Path
    identity: Identity
    every: int
    """Steps between two checkpoints."""
    seed: int
    cuda: bool
    journal: Journal | None
    """Of rank 0."""
    start: Weights | None = None
    """The encoder after domain adaptation."""
    previous: Network | None = None
    """The finished student of the round before, where terms may ask for it."""
    leg: Leg | None = None
    learner: Learner | None = None
    company: Company | None = None
    stop: bool = False
    parent: int = field(default_factory=os.getppid)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """SIGTERM is heard at the end of the step that it meets."""
        before = signal.signal(signal.SIGTERM, lambda *_: setattr(self, "stop", True))
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    def after(self, told: Progress) -> None:
        assert self.learner is not None
        if self.journal is not None:
            rate = max(group["lr"] for group in self.learner.optimizer.param_groups)
            self.journal.note(told, learning_rate=rate)
        stop = distributed.agree(self.stop or self._is_orphan())
        if stop or told.done % self.every == 0 or told.done == told.total:
            self.save()
        if stop:
            raise Preempted(
                f"Stopped after step {told.done} of {told.total}, {self.path} holds all."
            )

    def _is_orphan(self) -> bool:
        """torchrun was killed: nobody waits for this rank any more, or stops it."""
        return "TORCHELASTIC_RUN_ID" in os.environ and os.getppid() != self.parent

    def save(self) -> None:
        """NotSaved on every rank if rank 0 cannot write."""
        states = distributed.collect(_random_state(cuda=self.cuda))
        distributed.first(lambda: write_checkpoint(self.path, self._tree(states)))

    def begin(self, leg: Leg, learner: Learner, company: Company | None, *, steps: int) -> None:
        """A leg with a fresh learner."""
        self.leg, self.learner, self.company = leg, learner, company
        if self.journal is not None:
            self.journal.begin(str(leg), step=learner.step, steps=steps)

    def restore(self, saved: Tree, learner: Learner, company: Company | None) -> None:
        """Puts a fresh learner of the saved leg where the saved one was."""
        learner.network.load_state_dict(saved["network"])
        if saved["averaged"] is not None:
            learner.averaged.load_state_dict(saved["averaged"])
        learner.balance.load_state_dict(saved["balance"])
        moments = {int(key): value for key, value in saved["optimizer"].items()}
        groups = learner.optimizer.state_dict()["param_groups"]
        learner.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        learner.step = saved["step"]
        if company is not None:
            company.restore(saved["terms"])
        states = saved["random"]
        if len(states) == distributed.world_size():
            _set_random_state(states[distributed.rank()], cuda=self.cuda)
        else:  # other dropout than before, but not the same on all ranks
            torch.manual_seed(self.seed + 7919 * distributed.rank() + 15_485_863 * learner.step)

    def _tree(self, states: list[torch.Tensor]) -> Tree:
        learner, leg = self.learner, self.leg
        assert learner is not None
        assert leg is not None
        averages = learner.averaged is not learner.network
        return {
            "identity": self.identity.as_dict(),
            "leg": list(leg),
            "step": learner.step,
            "lines": self.journal.lines if self.journal is not None else 0,
            "network": learner.network.state_dict(),
            "averaged": learner.averaged.state_dict() if averages else None,
            "balance": learner.balance.state_dict(),
            "optimizer": learner.optimizer.state_dict()["state"],
            "random": states,
            "terms": self.company.state() if self.company is not None else {},
            "start": self.start,
            "previous": self.previous.state_dict() if self.previous is not None else None,
        }


def read_saved(path: Path, identity: Identity) -> Tree | None:
    """What rank 0 finds, on every rank; None where nothing was saved."""
    saved = distributed.first(lambda: read_checkpoint(path) if path.is_file() else None)
    if saved is not None:
        check_identity(saved["identity"], identity, out=path.parent)
    return saved


def _random_state(*, cuda: bool) -> torch.Tensor:
    states = [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if cuda else [])]
    return torch.cat(states)


def _set_random_state(state: torch.Tensor, *, cuda: bool) -> None:
    size = len(torch.get_rng_state())
    torch.set_rng_state(state[:size])
    if cuda:
        torch.cuda.set_rng_state(state[size:])
