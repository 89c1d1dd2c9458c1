"""UST, UDA and CAP on a pool whose truth is known: whom they believe, how much, and what they leave alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from bot.core.types import IssueText
from training.augment.reading import Augment
from training.objectives import Batch, Clock, Moment, Pool, Seen, Stage, Term, Who
from training.objectives.cap import ClassAware, believed
from training.objectives.uda import Consistency
from training.objectives.ust import SelfTraining
from training.task import Ints, LabelSpace

LABELS = ("bug", "docs", "rare")
SIZE = 60


def space(*, single: bool) -> LabelSpace:
    return LabelSpace(labels=LABELS, repos=("a/one",), siblings=(frozenset(LABELS),), single=single)


def pool_logits(*, single: bool) -> torch.Tensor:
    """Sure at the ends of the pool, unsure in its middle; `rare` is nowhere above one half."""
    slope = torch.linspace(6, -6, SIZE)
    rare = torch.full((SIZE,), -1.0) + torch.linspace(0, 0.5, SIZE)
    return torch.stack([slope, -slope, rare if not single else rare - 9], dim=1)


def stage(
    *, single: bool = False, clock: Clock | None = None, noise: float = 0.0, allowed: bool = True
) -> Stage:
    logits = pool_logits(single=single)

    def predict(rows: Ints, *, by: Who = "teacher", dropout: int | None = None) -> torch.Tensor:
        found = logits[torch.as_tensor(rows)]
        if dropout is None:
            return found
        shake = torch.Generator().manual_seed(dropout)
        # What is near one half is shaken the most.
        return found + noise * torch.randn(found.shape, generator=shake) / (1 + found.abs())

    known = np.full((20, 3), -1, dtype=np.int8)
    known[:10, 0] = known[10:, 1] = known[:2, 2] = 1
    may = np.ones((SIZE, 3), dtype=bool)
    may[:, 2] = allowed
    return Stage(
        clock=clock or Clock(round=1, rounds=3, epoch=1, step=10, steps=20),
        seed=0,
        space=space(single=single),
        known=known,
        repo=np.zeros(20, dtype=np.int64),
        pool=Pool(
            tuple(IssueText(f"issue {i}", "the page fails when old") for i in range(SIZE)),
            np.zeros(SIZE, dtype=np.int64),
            may,
        ),
        predict=predict,
    )


def moment(
    at: Stage,
    rows: Ints,
    *,
    student: torch.Tensor,
    teacher: torch.Tensor | None = None,
    readings: list[Augment | None] | None = None,
) -> Moment:
    def look(logits: torch.Tensor | None) -> Callable[[Augment | None], Seen]:
        def see(augment: Augment | None = None) -> Seen:
            assert logits is not None
            if readings is not None:
                readings.append(augment)
            return Seen(torch.zeros(len(rows), 2), logits)

        return see

    labelled = Batch(
        torch.zeros(2, 2),
        torch.zeros(2, 3, requires_grad=True),
        torch.tensor([[1.0, -1, 0], [-1, 1, 0]]),
        single=at.space.single,
    )
    allowed = torch.as_tensor(at.pool.allowed[rows])
    return Moment(at, labelled, rows, allowed, look(student), look(teacher))  # type: ignore[arg-type]


def gradient(
    term: Term, at: Stage, rows: Ints, teacher: torch.Tensor | None = None
) -> torch.Tensor:
    """Which way each logit is pushed: minus the gradient of the loss [m, L]."""
    logits = torch.zeros(len(rows), 3, requires_grad=True)
    told = term(moment(at, rows, student=logits, teacher=teacher))
    told.loss.backward()
    assert logits.grad is not None
    assert all(np.isfinite(value) for value in told.metrics.values())
    return -logits.grad


@pytest.mark.parametrize("single", [False, True])
def test_self_training_begins_with_labels_alone(single: bool) -> None:
    at = stage(single=single, clock=Clock(0, 3, 0, 0, 20))
    rows = SelfTraining().begin_round(at)
    assert rows is not None
    assert len(rows) == 0


def test_self_training_prefers_what_the_student_is_sure_of() -> None:
    guess = torch.zeros(SIZE, 3, dtype=torch.bool)
    guess[:, 0] = True
    unsure = torch.zeros(SIZE, 3)
    unsure[:30, 0] = 0.69
    allowed = torch.ones(SIZE, 3, dtype=torch.bool)
    rows = SelfTraining(quota=20)._choose(guess, unsure, allowed, np.random.default_rng(0))
    assert len(rows) == len(set(rows.tolist())) == 20
    assert (rows >= 30).sum() > 15


@pytest.mark.parametrize("single", [False, True])
def test_self_training_pushes_where_the_student_before_pointed(single: bool) -> None:
    at = stage(single=single, noise=0.5)
    term = SelfTraining(quota=60, passes=4)
    rows = term.begin_round(at)
    assert rows is not None
    pushed = gradient(term, at, rows)
    first, last = rows < 20, rows >= 40
    assert (pushed[first][:, 0] > 0).all()
    assert (pushed[last][:, 1] > 0).all()
    assert (pushed[:, 2] <= 0).all()


def test_self_training_remembers_through_a_checkpoint() -> None:
    at = stage(noise=0.5)
    term, resumed = SelfTraining(), SelfTraining()
    rows = term.begin_round(at)
    assert rows is not None
    resumed.restore(term.state())
    assert torch.equal(gradient(term, at, rows), gradient(resumed, at, rows))
    assert SelfTraining().state() == {}


def test_a_label_that_the_repository_does_not_use_is_left_alone() -> None:
    at = stage(noise=0.5, allowed=False)
    rows = np.arange(SIZE)
    terms = [SelfTraining(), Consistency(), ClassAware(after=0.0)]
    for term in terms:
        term.begin_round(at)
        term.begin_step(at)
        teacher = pool_logits(single=False)
        assert (gradient(term, at, rows, teacher)[:, 2] == 0).all()


@pytest.mark.parametrize("single", [False, True])
def test_consistency_teaches_only_what_the_teacher_is_sure_of(single: bool) -> None:
    at = stage(single=single)
    term = Consistency(sure=0.9)
    term.begin_round(at)
    teacher = pool_logits(single=single)
    pushed = gradient(term, at, np.arange(SIZE), teacher)
    assert (pushed[:5, 0] > 0).all()
    assert (pushed[-5:, 1] > 0).all()
    assert (pushed[28:32, :2] == 0).all()


def test_the_student_reads_otherwise_than_the_teacher() -> None:
    at = stage()
    readings: list[Augment | None] = []
    logits = pool_logits(single=False)
    Consistency()(moment(at, np.arange(SIZE), student=logits, teacher=logits, readings=readings))
    assert readings[0] is None
    assert readings[1] is not None


@pytest.mark.parametrize("single", [False, True])
def test_annealing_holds_back_what_is_known_by_heart(single: bool) -> None:
    logits = torch.tensor([[5.0, -5.0, 0.0], [-0.1, 0.0, 0.0]])
    known = torch.tensor([[1.0, -1.0, -1.0], [1.0, -1.0, -1.0]])
    batch = Batch(torch.zeros(2, 2), logits, known, single=single)
    early, late = Clock(0, 1, 0, 1, 100), Clock(0, 1, 9, 99, 100)
    weight = Consistency().weigh(batch, early)
    assert weight is not None
    assert weight[0, 0] == 0
    assert weight[1, 0] == 1
    released = Consistency().weigh(batch, late)
    assert released is not None
    assert released[0, 0] == released[1, 0] == 1
    assert Consistency(annealing="none").weigh(batch, early) is None


def test_annealing_begins_at_chance_among_the_labels_that_the_repository_uses() -> None:
    """Two of seven: one half is no knowledge yet."""
    known = torch.tensor([[1.0, -1.0, 0, 0, 0, 0, 0]])
    batch = Batch(torch.zeros(1, 2), torch.zeros(1, 7), known, single=True)
    weight = Consistency().weigh(batch, Clock(0, 1, 0, 0, 100))
    assert weight is not None
    assert weight[0, 0] == 1


def test_annealing_releases_in_the_order_of_the_paper() -> None:
    """Log first, exp last (figure 2 there)."""
    batch = Batch(
        torch.zeros(1, 2), torch.tensor([[0.9, 0.0, 0.0]]), torch.ones(1, 3), single=False
    )
    clock = Clock(0, 1, 0, 50, 100)
    held = {
        kind: float(Consistency(annealing=kind).weigh(batch, clock)[0, 0])  # type: ignore[index]
        for kind in ("log", "linear", "exp")
    }
    assert held == {"log": 1.0, "linear": 1.0, "exp": 0.0}


def test_each_label_gets_its_share_however_low_its_scores() -> None:
    found = np.stack([np.linspace(0, 1, 100), np.linspace(0, 0.1, 100)], 1).astype(np.float32)
    allowed = np.ones((100, 2), dtype=bool)
    pseudo = believed(found, allowed, np.array([0.5, 0.1]), trusted=0.6)
    assert (pseudo > 0).sum(axis=0).tolist() == [30, 6]
    assert (pseudo < 0).sum(axis=0).tolist() == [30, 54]
    assert (pseudo[-6:] == 1).all()
    assert (pseudo[:30] == -1).all()


def test_class_aware_labels_follow_the_labelled_shares_and_wait_first() -> None:
    at = stage()
    term = ClassAware()
    term.begin_step(replace(at, clock=Clock(0, 1, 0, 0, 20)))
    rows = np.arange(SIZE)
    told = term(moment(at, rows, student=pool_logits(single=False)))
    assert told.loss.item() == 0.0
    term.begin_step(at)
    pushed = gradient(term, at, rows)
    # 2 of 20 labelled issues are `rare`: .6 of 6 of 60.
    assert (pushed > 0).sum(0).tolist() == [18, 18, 4]
    resumed = ClassAware()
    resumed.restore(term.state())
    assert torch.equal(gradient(resumed, at, rows), pushed)


def test_class_aware_exclusive_labels_push_up_alone() -> None:
    at = stage(single=True)
    term = ClassAware()
    term.begin_step(at)
    pushed = gradient(term, at, np.arange(SIZE))
    assert (pushed[:10, 0] > 0).all()
    assert (pushed[-10:, 1] > 0).all()
    assert (pushed[26:34, :2] <= 0).all()
    assert ((pushed > 0).sum(0) == torch.tensor([18, 18, 4])).all()


@pytest.mark.parametrize("epochs", [1, 20])
def test_class_aware_looks_at_the_pool_now_and_then_and_anew_in_each_round(epochs: int) -> None:
    looks: list[int] = []
    at = stage()

    def predict(rows: Ints, **asked: Any) -> torch.Tensor:
        looks.append(len(rows))
        return at.predict(rows, **asked)

    term = ClassAware(looks=4)
    for number in range(2):
        for step in range(20):
            clock = Clock(number, 2, step * epochs // 20, step, 20)
            term.begin_step(replace(at, clock=clock, predict=predict))
        assert len(looks) == 3 * (number + 1)
