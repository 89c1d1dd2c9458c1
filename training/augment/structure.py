"""Parts of an issue left out, along its own seams: sections, paragraphs and whole code blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.core.types import IssueText
from training.augment.prose import blocks, rejoin


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """The title and an unbroken run of blocks: between `least` of them and all."""

    least: float = 0.5

    def __call__(self, text: IssueText, seed: Sequence[int]) -> IssueText:
        found = blocks(text.body)
        if len(found) < 2:
            return text
        random = np.random.default_rng(list(seed))
        size = int(random.integers(max(1, round(self.least * len(found))), len(found) + 1))
        start = int(random.integers(len(found) - size + 1))
        return IssueText(text.title, rejoin(found[start : start + size]))


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Each block goes with chance `share`; one stays, and the title does."""

    share: float = 0.25

    def __call__(self, text: IssueText, seed: Sequence[int]) -> IssueText:
        found = blocks(text.body)
        if len(found) < 2:
            return text
        random = np.random.default_rng(list(seed))
        stays = random.random(len(found)) >= self.share
        stays[int(random.integers(len(found)))] = True
        return IssueText(
            text.title, rejoin([block for block, keep in zip(found, stays, strict=True) if keep])
        )
