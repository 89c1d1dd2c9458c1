"""Everything a run depends on, frozen, named and saved with it.

A recipe is one dial; a run that needs another value is another recipe. Refuses unknown names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Literal

from bot.errors import UserError

Engine = Literal["contrastive", "setfit"]
Precision = Literal["auto", "bf16", "fp32"]
Within = Literal["batch", "repository"]
Loss = Literal["plain", "focal", "asymmetric"]
Balance = Literal["fixed", "uncertainty"]
Adaptation = Literal["none", "mlm", "title_body"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How an encoder is tuned and how its scores are mixed with those of words."""

    name: str
    seed: int = 0
    """Of `training.fit`; `score` is told its seeds."""
    engine: Engine = "contrastive"
    encoder: str = ""
    """Directory or hub name that `training.fit` starts from; empty: the base encoder."""
    max_tokens: int = 128
    epochs: int = 4
    max_passes: int = 40_000
    """Upper bound of examples seen (epochs x examples): large files get fewer epochs, at least one."""
    min_steps: int = 40
    """Lower bound of optimiser steps: few examples get more epochs."""
    batch: int = 32
    accumulate: int = 1
    """Batches per optimiser step; issues are compared within their batch."""
    repos_per_batch: int = 0
    """A batch is drawn from so many repositories; 0: from all, as they come."""
    learning_rate: float = 2e-4
    head_learning_rate: float = 1e-2
    layer_decay: float = 0.9
    """Factor on the learning rate per layer, from the last to the embeddings."""
    frozen: float = 0.5
    """Lower share of the layers that stays as it is, with the embeddings: a third of the work less."""
    weight_decay: float = 0.01
    warmup: float = 0.1
    """Share of the steps; a cosine down to zero follows."""
    clip: float = 1.0
    contrast: float = 1.0
    """Weight of the contrastive loss beside the classification loss."""
    contrast_within: Within = "batch"
    """`repository`: only issues of one repository are compared, for the same name may mean another thing."""
    temperature: float = 0.1
    loss: Loss = "plain"
    """Of the classification: `focal` and `asymmetric` turn to rare labels and hard issues."""
    focus: float = 2.0
    """Exponent of the focal loss, and of the negatives in the asymmetric one."""
    balance: Balance = "fixed"
    """`uncertainty`: factors of the losses are learned, beginning with those of the recipe."""
    smoothing: float = 0.1
    """Label smoothing of the classification loss: maintainers' labels are noisy."""
    head_scale: float = 10.0
    """Length of the head's first weights, which point in the zero-shot direction."""
    averaging: float = 0.9
    """Decay per step of the averaged weights that are used in the end; 0: the last weights."""
    held_back: int = 500
    """So many of each repository's labelled issues, the newest and at most half, `training.fit` keeps from the
    encoder. Where it is served they choose weights and cuts with all newer ones; what it learned from, none."""
    held_out_parts: int = 2
    """So many encoders more are trained, each without another part of the issues, to learn on issues
    that were not trained on how much each side counts and where to cut. 0: none, fixed weights."""
    joint: bool = True
    """With a head per repository: tune one encoder on all repositories of the file."""
    lora_rank: int = 0
    """0: the weights themselves are tuned; else low-rank updates of this rank, merged in the end."""
    lora_scale: float = 2.0
    adapt: Adaptation = "none"
    """Before labels: learn from all text, by masked words or by which body belongs to which title."""
    adapt_epochs: int = 1
    adapt_learning_rate: float = 1e-4
    adapt_mask: float = 0.15
    """Share of the tokens to guess."""
    precision: Precision = "auto"
    checkpointing: bool = False
    """Activations are computed again in the backward pass: less memory, a third more time."""
    compile: bool = False
    """torch.compile, on a GPU only: a first step of a minute pays in long runs."""
    terms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Semi-supervised methods with their options (`training.objectives.registry`). None: the twin that
    learns from labels alone."""

    def twin(self) -> Recipe:
        """The same recipe without the semi-supervised methods: what they have to beat."""
        return replace(self, name=f"{self.name}-supervised", terms={})


_STANDARD = Recipe(name="standard")

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        _STANDARD,
        replace(_STANDARD, name="separate", joint=False),
        replace(_STANDARD, name="fast", held_out_parts=0),
        replace(_STANDARD, name="retrain", contrast_within="repository"),
        Recipe(
            name="setfit",
            engine="setfit",
            max_tokens=256,
            held_out_parts=0,
            joint=False,
            precision="fp32",
        ),
    )
}


def recipe_named(name: str) -> Recipe:
    """The recipe of that name; UserError with the nearest one otherwise."""
    if name in RECIPES:
        return RECIPES[name]
    near = get_close_matches(name, RECIPES, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise UserError(f"There is no recipe {name!r}.{hint} Known: {', '.join(RECIPES)}.")
