"""Domain adaptation: before labels, the encoder learns from the text of all issues, labelled or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from bot.core.types import IssueText
from bot.errors import UserError
from training import distributed
from training.batches import Tokens, epoch_batches, pad, tokenise
from training.device import Device
from training.fit.loop import Learner, Told, make_learner
from training.fit.plan import Plan, encoder_groups, make_plan
from training.network import Encoder
from training.objectives.balance import FixedBalance
from training.objectives.mlm import IGNORED, WordGuesser, guess_loss, mask_tokens
from training.objectives.title_body import title_body_loss
from training.recipe import Recipe
from training.task import Ints

MASKS = ("[MASK]", "<mask>")


class Adapted(nn.Module):  # type: ignore[misc]
    """The encoder, and what guesses words while it adapts."""

    def __init__(self, encoder: Encoder, guesser: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.guesser = guesser


@dataclass(frozen=True, slots=True)
class MaskedWords:
    """Guess masked words of whole texts."""

    module: Adapted
    tokens: Tokens
    recipe: Recipe
    device: Device
    plan: Plan
    mask: int
    seed: int

    @property
    def dial(self) -> str:
        return _dial(self.recipe)

    def begin(self, step: int) -> None:
        """Nothing to prepare."""

    def look(self, rows: Ints, *, step: int, part: int) -> Told:
        asked = [self._ask(int(row), step, part) for row in distributed.share(rows)]
        ids, mask = (x.to(self.device.kind) for x in pad([ids for ids, _ in asked]))
        targets, _ = pad([targets for _, targets in asked])
        wanted = targets.to(self.device.kind).masked_fill(mask == 0, IGNORED)
        heard = wanted != IGNORED
        words = self.module.encoder.backbone.get_input_embeddings().weight
        with self.device.autocast():
            backbone = self.module.encoder.backbone(input_ids=ids, attention_mask=mask)
            logits = self.module.guesser(backbone.last_hidden_state[heard], words)
        loss = distributed.total(guess_loss(logits, wanted[heard]))
        return Told({"mlm": loss / distributed.total(heard.sum().float()).clamp(min=1.0)})

    def _ask(self, row: int, step: int, part: int) -> tuple[list[int], list[int]]:
        return mask_tokens(
            self.tokens[row],
            share=self.recipe.adapt_mask,
            mask=self.mask,
            words=len(self.module.encoder.backbone.get_input_embeddings().weight),
            seed=(self.seed, step, part, row),
        )


@dataclass(frozen=True, slots=True)
class TitleBody:
    """Find the body that belongs to a title."""

    module: Adapted
    titles: Tokens
    bodies: Tokens
    recipe: Recipe
    device: Device
    plan: Plan

    @property
    def dial(self) -> str:
        return _dial(self.recipe)

    def begin(self, step: int) -> None:
        """Nothing to prepare."""

    def look(self, rows: Ints, *, step: int, part: int) -> Told:  # noqa: ARG002 - of the protocol
        titles, bodies = (self._encode(side, rows) for side in (self.titles, self.bodies))
        return Told({"title_body": title_body_loss(titles, bodies)})

    def _encode(self, side: Tokens, rows: Ints) -> torch.Tensor:
        ids, mask = pad([side[i] for i in distributed.share(rows)])
        with self.device.autocast():
            vectors = self.module.encoder(ids.to(self.device.kind), mask.to(self.device.kind))
        return distributed.gather(vectors.float(), count=len(rows))


def adaptation(
    encoder: Encoder,
    texts: Sequence[IssueText],
    recipe: Recipe,
    *,
    tokenizer: Any,
    device: Device,
) -> tuple[Learner, MaskedWords | TitleBody]:
    """The learner and the phase that the recipe asks for."""
    words = encoder.backbone.get_input_embeddings().weight
    guesser = WordGuesser(words) if recipe.adapt == "mlm" else nn.Identity()
    module = Adapted(encoder, guesser)
    whole = replace(recipe, frozen=0.0)  # new words live in the lower layers
    groups = [*encoder_groups(encoder, whole, learning_rate=recipe.adapt_learning_rate)]
    groups += [{"params": [p], "lr": recipe.head_learning_rate} for p in guesser.parameters()]
    phase = (
        _masked(module, texts, recipe, tokenizer=tokenizer, device=device)
        if recipe.adapt == "mlm"
        else _title_body(module, texts, recipe, tokenizer=tokenizer, device=device)
    )
    return make_learner(
        module, FixedBalance({"mlm": 1.0, "title_body": 1.0}), groups, recipe
    ), phase


def _masked(
    module: Adapted, texts: Sequence[IssueText], recipe: Recipe, *, tokenizer: Any, device: Device
) -> MaskedWords:
    ids = [tokenizer.token_to_id(name) for name in MASKS]
    mask = next((i for i in ids if i is not None), None)
    if mask is None:
        raise UserError(
            "adapt = 'mlm' needs a mask token and the encoder's tokenizer has none of "
            f"{', '.join(MASKS)}; set adapt = 'title_body' in the recipe."
        )
    joined = [text.joined for text in texts]
    tokens = [
        row
        for row in tokenise(tokenizer, joined, max_tokens=recipe.max_tokens)
        if len(row) > 2  # something between the first and the last
    ]
    plan = _plan([len(row) for row in tokens], recipe)
    return MaskedWords(module, tokens, recipe, device, plan, mask, recipe.seed)


def _title_body(
    module: Adapted, texts: Sequence[IssueText], recipe: Recipe, *, tokenizer: Any, device: Device
) -> TitleBody:
    both = [text for text in texts if text.title and text.body]
    titles, bodies = (
        tokenise(tokenizer, side, max_tokens=recipe.max_tokens)
        for side in ([text.title for text in both], [text.body for text in both])
    )
    plan = _plan([len(row) for row in bodies], recipe)
    return TitleBody(module, titles, bodies, recipe, device, plan)


def _plan(lengths: Sequence[int], recipe: Recipe) -> Plan:
    if len(lengths) < 2:
        raise UserError(
            f"adapt = {recipe.adapt!r} finds fewer than two issues with text to learn from; "
            "set adapt = 'none' in the recipe, or give more issues."
        )
    return make_plan(
        [
            epoch_batches(lengths, size=recipe.batch, seed=(recipe.seed, epoch))
            for epoch in range(recipe.adapt_epochs)
        ],
        accumulate=recipe.accumulate,
    )


def _dial(recipe: Recipe) -> str:
    return f"adapt_learning_rate ({recipe.adapt_learning_rate:g})"
