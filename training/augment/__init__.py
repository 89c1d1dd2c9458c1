"""Other readings of an issue, for methods that learn from what must not matter: one file per family.

Code inside fences is never touched; it may only be left out as a whole. The same seed gives the same
reading, on every rank and after a resume.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from bot.core.types import IssueText
from bot.errors import UserError
from training.augment.aeda import Marks
from training.augment.eda import Words
from training.augment.reading import Augment
from training.augment.structure import Crop, Mask
from training.augment.tfidf import fit_replacement

FAMILIES: dict[str, Callable[[Sequence[IssueText]], Augment]] = {
    "eda": lambda texts: Words(),  # noqa: ARG005 - the others learn from the texts
    "aeda": lambda texts: Marks(),  # noqa: ARG005
    "tfidf": lambda texts: fit_replacement(texts),
    "crop": lambda texts: Crop(),  # noqa: ARG005
    "mask": lambda texts: Mask(),  # noqa: ARG005
}
MIXED = "mixed"


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """One of several at a time, by the seed."""

    families: tuple[Augment, ...]

    def __call__(self, text: IssueText, seed: Sequence[int]) -> IssueText:
        drawn = np.random.default_rng([*seed, 0]).integers(len(self.families))
        return self.families[drawn](text, [*seed, 1])


def augmentation(name: str, texts: Sequence[IssueText]) -> Augment:
    """The augmentation of that name, or `mixed` for all; `texts` are what it may learn words from."""
    if name == MIXED:
        return Mixed(tuple(make(texts) for make in FAMILIES.values()))
    if name not in FAMILIES:
        known = [*FAMILIES, MIXED]
        near = get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UserError(f"There is no augmentation {name!r}.{hint} Known: {', '.join(known)}.")
    return FAMILIES[name](texts)
