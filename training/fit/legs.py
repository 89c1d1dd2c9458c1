"""The legs of a run: domain adaptation, then a student for each round, each from a fresh start.

A resumed run skips the legs that were done and goes on inside the one that was not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch

from bot.errors import GiveUp
from training import distributed
from training.batches import Tokens, tokenise
from training.device import Device
from training.fit.adapt import MaskedWords, TitleBody, adaptation
from training.fit.checkpoint import Tree
from training.fit.labelled import LabelledPhase, labelled_learner
from training.fit.lesson import Lesson
from training.fit.loop import Diverged, Learner, train
from training.fit.plan import labelled_plan
from training.fit.saver import Leg, Saver, Weights
from training.fit.start import prepare_encoder, start_network
from training.fit.terms import Company
from training.fit.unlabelled import Reader
from training.lora import merge_low_rank
from training.network import Network, open_encoder
from training.objectives import Term
from training.recipe import Recipe

AnyPhase: TypeAlias = LabelledPhase | MaskedWords | TitleBody

ADAPT_SEED, ROUND_SEED = 1_000_003, 104_729
"""Each leg draws its dropout from numbers of its own."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What no step of the run changes."""

    recipe: Recipe
    lesson: Lesson
    device: Device
    base: Path
    tokenizer: Any
    terms: Sequence[Term]
    tokens: Tokens
    """Of the labelled issues."""

    @property
    def rounds(self) -> int:
        return max((term.rounds for term in self.terms), default=1)


def train_legs(setting: Setting, saver: Saver, saved: Tree | None) -> Network:
    """Domain adaptation if asked for, then a student for each round; the last one's average."""
    stands = Leg(*saved["leg"]) if saved is not None else Leg("adapt", 0)
    if saved is not None and saved["start"] is not None:
        saver.start = saved["start"]
    if setting.recipe.adapt != "none" and stands.kind == "adapt":
        adapting, texts = _adapt_leg(setting)
        _train_leg(Leg("adapt", 0), adapting, texts, setting, saver, saved)
        encoder = adapting.averaged.encoder
        merge_low_rank(encoder)
        saver.start = encoder.state_dict()
    if saved is not None and saved["previous"] is not None:
        saver.previous = _student(setting, saver.start, number=stands.round)
        saver.previous.load_state_dict(saved["previous"])
    tuned: Network | None = None
    for number in range(stands.round, setting.rounds):
        network = _student(setting, saver.start, number=number)
        learner, phase = _fit_leg(setting, network, saver.previous, number=number)
        _train_leg(Leg("fit", number), learner, phase, setting, saver, saved)
        tuned = learner.averaged.eval()
        saver.previous = tuned if number + 1 < setting.rounds else None
    assert tuned is not None
    return tuned


def _train_leg(
    leg: Leg, learner: Learner, phase: AnyPhase, setting: Setting, saver: Saver, saved: Tree | None
) -> None:
    company = phase.company if isinstance(phase, LabelledPhase) else None
    if saved is not None and Leg(*saved["leg"]) == leg:
        saver.restore(saved, learner, company)
    saver.begin(leg, learner, company, steps=len(phase.plan.steps))
    try:
        train(learner, phase, setting.recipe, after=saver.after)
    except Diverged as error:
        held = (
            f"{saver.path} holds the last good step" if saver.path.exists() else "no step was saved"
        )
        raise GiveUp(f"{error} Then give another --out; {held}.") from error


def _adapt_leg(setting: Setting) -> tuple[Learner, MaskedWords | TitleBody]:
    recipe = setting.recipe
    torch.manual_seed(recipe.seed + ADAPT_SEED)
    encoder = open_encoder(setting.base).to(setting.device.kind)
    prepare_encoder(encoder, recipe, device=setting.device)
    learner, phase = adaptation(
        encoder,
        setting.lesson.texts,
        recipe,
        tokenizer=setting.tokenizer,
        device=setting.device,
    )
    distributed.draw_apart(recipe.seed + ADAPT_SEED)
    return learner, phase


def _student(setting: Setting, start: Weights | None, *, number: int) -> Network:
    seed = setting.recipe.seed + ROUND_SEED * number
    torch.manual_seed(seed)
    network = start_network(
        setting.lesson.task,
        setting.recipe,
        device=setting.device,
        base=setting.base,
        tokenizer=setting.tokenizer,
        label_texts=setting.lesson.label_texts,
        weights=start,
    )
    distributed.draw_apart(seed)
    return network


def _fit_leg(
    setting: Setting, network: Network, previous: Network | None, *, number: int
) -> tuple[Learner, LabelledPhase]:
    recipe, lesson, tokens = setting.recipe, setting.lesson, setting.tokens
    plan = labelled_plan(
        [len(row) for row in tokens], recipe, seed=recipe.seed, repo=lesson.task.repo
    )
    factors = {term.name: term.weight for term in setting.terms}
    learner = labelled_learner(network, recipe, factors=factors)
    phase = LabelledPhase(
        lesson.task, tokens, recipe, setting.device, network, plan, lesson.weights
    )
    if setting.terms:
        reader = _reader(setting)
        phase.company = Company(
            terms=setting.terms,
            task=lesson.task,
            reader=reader,
            learner=learner,
            previous=previous,
            seed=recipe.seed,
            batch=recipe.batch,
            accumulate=recipe.accumulate,
            round=number,
            rounds=setting.rounds,
        )
    return learner, phase


def _reader(setting: Setting) -> Reader:
    pool, limit = setting.lesson.pool, setting.recipe.max_tokens
    joined = [text.joined for text in pool.texts]
    tokens = tokenise(setting.tokenizer, joined, max_tokens=limit)
    return Reader(pool, tokens, setting.tokenizer, limit, setting.device)
