"""What training minimises: one file per objective, behind the protocols below.

`Objective` reads a labelled batch alone. `Term` is a semi-supervised one: it also meets issues that
nobody labelled. A new method is a file here and a line in `registry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol, TypeAlias

import torch

from bot.core.evidence import KnownPairs
from bot.core.types import IssueText
from training.augment.reading import Augment
from training.task import Bools, Ints, LabelSpace

Who: TypeAlias = Literal["student", "teacher", "previous"]
"""`student`: the weights that learn; `teacher`: their moving average; `previous`: the finished student
of the round before."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What the network made of a batch of issues, and what is known of them."""

    vectors: torch.Tensor
    """[n, d] unit vectors"""
    logits: torch.Tensor
    """[n, L]"""
    known: torch.Tensor
    """[n, L] in {+1, -1, 0}"""
    single: bool
    """Each issue has exactly one label."""
    weight: torch.Tensor | None = None
    """[n, L]: how much a known pair counts; None: all alike."""
    repo: torch.Tensor | None = None
    """[n]: number of each issue's repository; None: not told."""


class Objective(Protocol):
    """A scalar loss of a batch; zero (with a gradient) where the batch has nothing to say."""

    def __call__(self, batch: Batch) -> torch.Tensor: ...


@dataclass(frozen=True, slots=True)
class Clock:
    """When it is: all counted from 0, steps and epochs within the round."""

    round: int
    rounds: int
    epoch: int
    step: int
    steps: int

    @property
    def done(self) -> float:
        """Share of the round's steps that are done, [0, 1)."""
        return self.step / self.steps


@dataclass(frozen=True, slots=True)
class Pool:
    """The issues without labels."""

    texts: tuple[IssueText, ...]
    repo: Ints
    """[m]: index into the repositories of the space; -1 for one that nobody labelled in."""
    allowed: Bools
    """[m, L]: labels that the issue's repository uses."""


class Predict(Protocol):
    """Logits of rows of the pool, float32 [len(rows), L] on the CPU, the same on every rank.

    `dropout`: a seed; dropout stays on and draws from it, away from the run's own numbers (None: off).
    All ranks must call it together.
    """

    def __call__(
        self, rows: Ints, *, by: Who = "teacher", dropout: int | None = None
    ) -> torch.Tensor: ...


@dataclass(frozen=True, slots=True)
class Stage:
    """The whole scene, as a term sees it at the start of a round or an epoch."""

    clock: Clock
    seed: int
    space: LabelSpace
    known: KnownPairs
    """[n, L]: of the labelled issues."""
    repo: Ints
    """[n]"""
    pool: Pool
    predict: Predict


@dataclass(frozen=True, slots=True)
class Seen:
    """What a network made of an unlabelled batch."""

    vectors: torch.Tensor
    """[m, d] unit vectors"""
    logits: torch.Tensor
    """[m, L]"""


class Look(Protocol):
    """The unlabelled batch through a network, as filed or through an augmentation; the same question
    twice in a step costs one pass. Every rank sees the whole batch; all must ask together."""

    def __call__(self, augment: Augment | None = None) -> Seen: ...


@dataclass(frozen=True, slots=True)
class Moment:
    """One step, as a term sees it. Tensors lie on the device of the run."""

    stage: Stage
    """Its clock tells this step."""
    labelled: Batch
    rows: Ints
    """[m]: which rows of the pool the unlabelled batch is."""
    allowed: torch.Tensor
    """bool [m, L]"""
    student: Look
    """With gradients, dropout on."""
    teacher: Look
    """Without gradients: the moving average of the student, dropout off."""


@dataclass(frozen=True, slots=True)
class TermLoss:
    """A scalar (zero where the term has nothing to say) and figures for the metrics file."""

    loss: torch.Tensor
    metrics: Mapping[str, float] = field(default_factory=dict)


class Term(Protocol):
    """A semi-supervised method. Subclass it as a dataclass whose fields are the options of the recipe.

    A run of several rounds trains a fresh student in each: the base encoder (after domain adaptation)
    and a head in the zero-shot direction. What the term remembers beyond its options goes through
    `state` and `restore`, or a resumed run would differ from an uninterrupted one. Chance comes from
    seeds (`stage.seed`, row, step), never from a global generator.
    """

    name: ClassVar[str]
    """The key of its metrics and of its options in the recipe."""

    @property
    def weight(self) -> float:
        """Factor of its loss; the starting point where the recipe learns the factors."""
        return 1.0

    @property
    def ratio(self) -> float:
        """Unlabelled issues for each labelled one of a step."""
        return 1.0

    @property
    def rounds(self) -> int:
        """Students trained one after the other."""
        return 1

    def begin_round(self, stage: Stage) -> Ints | None:  # noqa: ARG002
        """Relabel here (`stage.predict(..., by="previous")`; there is no previous in round 0).

        Returns the rows of the pool to draw from in this round; a row that is named twice is drawn
        twice as often; none at all: the term is silent and costs nothing. None: the whole pool.
        """
        return None

    def begin_step(self, stage: Stage) -> None:  # noqa: ARG002
        """Called before each step: `stage.clock` tells whether it is time to look around."""
        return

    def weigh(self, labelled: Batch, clock: Clock) -> torch.Tensor | None:  # noqa: ARG002
        """Factors [n, L] on the labelled pairs of the classification loss (annealing); None: ones."""
        return None

    def __call__(self, moment: Moment) -> TermLoss: ...

    def state(self) -> dict[str, torch.Tensor]:
        """What it remembers, for the checkpoint."""
        return {}

    def restore(self, state: Mapping[str, torch.Tensor]) -> None:  # noqa: ARG002
        """Takes back what `state` gave; `begin_round` is not called again for the round that the
        run was in."""
        return
